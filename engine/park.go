package engine

import (
	"fmt"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
)

// Prefixes that nobody uses at the moment are parked in main memory (engine/prefix/park.go): the
// scheduler says which, and here their cells are moved. Moving takes about 10 to 20 microseconds a
// token of a small model, the time of a few tokens for a whole prompt.

const (
	// parkedShare of the memory that is free once the model is loaded may hold what is parked,
	parkedShare = 4
	// but no more than this, which is also what llama-server takes by default (--cache-ram).
	mostParked = 8 << 30
)

// parkBytes is how much memory may hold what is parked.
func (o Options) parkBytes() uint64 {
	switch {
	case o.ParkBytes < 0:
		return 0
	case o.ParkBytes > 0:
		return uint64(o.ParkBytes)
	case o.GPULayers != 0 && HasRemote(): // moving cells over a network costs more than passing by them
		return 0
	}
	free, err := Available()
	if err != nil {
		return 0
	}
	return min(free.Bytes/parkedShare, mostParked)
}

// park lets the scheduler park prefixes in so many bytes. It runs before the loop, when the
// context is there and tells what a cell takes.
func (e *Engine) park(bytes uint64) {
	if !e.set.sched.Reuse || e.set.sched.Window || e.plan.CacheBytes == 0 {
		return
	}
	cell := max(e.plan.CacheBytes/uint64(e.set.context.Context), 1)
	e.sched.Park(int(bytes / cell))
	e.plan.ParkBytes = bytes
}

// moves tells whether a plan moves cells between cache and main memory.
func moves(plan *sched.Plan) bool {
	for _, op := range plan.Ops {
		if op.Kind >= sched.Save {
			return true
		}
	}
	return false
}

// move runs the operations of a plan that moves cells, and tells how many it moved and how long that
// took. What comes before a move is done first.
func (e *Engine) move(plan *sched.Plan) (cells int, took time.Duration, err error) {
	c := e.ctx
	if t, ok := c.(turns); ok { // nothing is computed here
		c = t.stepper
	}
	s, ok := c.(saver)
	if !ok {
		return 0, 0, fmt.Errorf("%T cannot save sequences", c)
	}
	scratch := llama.SeqID(e.sched.Scratch())
	var step llama.Step
	flush := func() error {
		if len(step.Ops) == 0 {
			return nil
		}
		err := s.Step(&step)
		step.Reset()
		return err
	}
	for _, op := range plan.Ops {
		switch op.Kind {
		case sched.Save:
			step.Ops = append(step.Ops, llama.SeqOp{Kind: llama.OpCopy, Seq: llama.SeqID(op.Src), Dst: scratch, From: llama.Pos(op.From), To: llama.Pos(op.To)})
			if err := flush(); err != nil {
				return cells, took, err
			}
			began := time.Now()
			if err := e.lot.put(op.Key, func() ([]byte, error) { return s.SaveSeq(scratch, e.lot.alloc) }); err != nil {
				return cells, took, err
			}
			took += time.Since(began)
			cells += op.To - op.From
			step.Ops = append(step.Ops, llama.SeqOp{Kind: llama.OpRemove, Seq: scratch, To: -1})
		case sched.Load:
			if err := flush(); err != nil {
				return cells, took, err
			}
			began := time.Now()
			if err := s.RestoreSeq(llama.SeqID(op.Dst), e.lot.cells[op.Key]); err != nil {
				return cells, took, err
			}
			took += time.Since(began)
			low, high, err := s.SeqRange(llama.SeqID(op.Dst))
			if err != nil {
				return cells, took, err
			}
			cells += int(high - low + 1)
			e.lot.drop(op.Key)
		case sched.Drop:
			e.lot.drop(op.Key)
		default:
			step.Ops = append(step.Ops, cacheOp(op))
		}
	}
	return cells, took, flush()
}

// cacheOp is an operation within the cache.
func cacheOp(op sched.Op) llama.SeqOp {
	o := llama.SeqOp{Kind: llama.OpRemove, Seq: llama.SeqID(op.Src), From: llama.Pos(op.From), To: llama.Pos(op.To)}
	if op.Kind == sched.Copy {
		o.Kind, o.Dst = llama.OpCopy, llama.SeqID(op.Dst)
	}
	return o
}

// confused ends all that runs, and empties the cache, after a move that failed half way: nobody
// knows what the cache holds.
func (e *Engine) confused(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.log.Error("moving a prefix between the KV cache and main memory; the cache is emptied", "error", err)
	for _, g := range e.gens {
		g.inFlight = false
	}
	for _, id := range e.sched.Reset() {
		if g := e.gens[id]; g != nil {
			e.abandon(g, fmt.Errorf("the KV cache was lost: %w", err))
		}
	}
	e.cleanse()
}
