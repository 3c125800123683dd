package engine

import (
	"bufio"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/klauspost/compress/zstd"

	"aigw/engine/llama"
	"aigw/engine/prefix"
)

// What several people's prompts begin with is worth keeping over a restart: heads of imported code
// and long instructions take seconds to compute, and a moment to read back. So a drain saves the
// popular branches of the prefix tree, each node with the cells of its own tokens, and the next
// start grafts them. The file holds people's code, as tokens and as what the model made of them:
// operators ask for it (Options.KeepPrefixes).
//
// It is a zstd stream of gob values: a warmHeader, then one warmBranch after the other, parents
// before children. A file that is damaged or was written for something else is ignored with one
// line; the cells themselves carry a checksum and a fingerprint of their own (llama.Context.SaveSeq).

type warmHeader struct {
	Key      string // of warmKey
	Branches int
}

type warmBranch struct {
	prefix.Branch
	Cells []byte // of SaveSeq
}

// saver is a stepper that can save sequences.
type saver interface {
	stepper
	SaveSeq(llama.SeqID, func(bytes int) ([]byte, error)) ([]byte, error)
	RestoreSeq(llama.SeqID, []byte) error
	SeqRange(llama.SeqID) (low, high llama.Pos, err error)
}

var _ saver = (*llama.Context)(nil)

// warmKey stands for the model file and the build. Cache types, flash attention and dimensions are
// in the fingerprint of the cells.
func (o Options) warmKey(m *llama.Model) string {
	h := sha256.New()
	fmt.Fprintln(h, 1, filepath.Base(o.Model), m.Description(), m.SizeBytes(), m.Parameters(), llama.Info().LlamaVersion, o.Overrides)
	if s, err := os.Stat(o.Model); err == nil {
		fmt.Fprintln(h, s.Size(), s.ModTime().UnixNano())
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// warm is where prefixes outlive the process.
type warm struct {
	file string
	key  string
	most int // bytes of cells, before compression
}

func (o Options) warm(m *llama.Model) *warm {
	if o.KeepPrefixes <= 0 || o.StateDir == "" {
		return nil
	}
	key := o.warmKey(m)
	return &warm{filepath.Join(o.StateDir, "prefixes-"+key+".zst"), key, o.KeepPrefixes}
}

// saveWarm runs on the loop's thread when the loop has ended.
func (e *Engine) saveWarm() {
	w, c := e.keep, e.ctx
	if t, ok := c.(turns); ok { // nothing is computed here
		c = t.stepper
	}
	s, ok := c.(saver)
	if w == nil || !ok || e.tainted {
		return
	}
	n, size, err := e.saveBranches(w, s)
	switch {
	case err != nil:
		e.log.Warn("popular prefixes were not saved; the next start computes them anew", "error", err)
	case n > 0:
		e.log.Info("saved popular prefixes", "prefixes", n, "bytes", size, "file", w.file)
	}
}

func (e *Engine) saveBranches(w *warm, s saver) (n int, size int64, err error) {
	if err := e.finishOps(s); err != nil {
		return 0, 0, err
	}
	all := e.sched.Popular()
	if len(all) == 0 {
		return 0, 0, nil // an earlier file may still serve
	}
	scratch := e.sched.Scratch()
	if err := os.MkdirAll(filepath.Dir(w.file), 0o700); err != nil {
		return 0, 0, err
	}
	f, err := os.CreateTemp(filepath.Dir(w.file), ".prefixes-*")
	if err != nil {
		return 0, 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, 0, err
	}
	out := gob.NewEncoder(z)
	if err := out.Encode(warmHeader{w.key, len(all)}); err != nil {
		return 0, 0, err
	}
	room := w.most
	for _, b := range all {
		cells := e.lot.cells[b.Key]
		if b.Key == 0 {
			if cells, err = saveFrom(s, llama.SeqID(b.Seq), llama.SeqID(scratch), llama.Pos(b.From)); err != nil {
				return 0, 0, err
			}
		}
		b.Key = 0
		if room -= len(cells); room < 0 {
			break // what follows may be below this one
		}
		if err := out.Encode(warmBranch{b, cells}); err != nil {
			return 0, 0, err
		}
		n++
	}
	if err := errors.Join(z.Close(), f.Sync()); err != nil {
		return 0, 0, err
	}
	if info, err := f.Stat(); err == nil {
		size = info.Size()
	}
	if err := f.Close(); err != nil {
		return 0, 0, err
	}
	return n, size, os.Rename(f.Name(), w.file)
}

// saveFrom saves what seq has from a position on, by way of scratch.
func saveFrom(s saver, seq, scratch llama.SeqID, from llama.Pos) ([]byte, error) {
	if err := s.Step(&llama.Step{Ops: []llama.SeqOp{{Kind: llama.OpCopy, Seq: seq, Dst: scratch, From: from, To: -1}}}); err != nil {
		return nil, err
	}
	cells, err := s.SaveSeq(scratch, func(bytes int) ([]byte, error) { return make([]byte, bytes), nil })
	if err != nil {
		return nil, err
	}
	return cells, s.Step(&llama.Step{Ops: []llama.SeqOp{{Kind: llama.OpRemove, Seq: scratch, To: -1}}})
}

// restoreWarm grafts what was saved. It runs on the loop's thread before the loop.
func (e *Engine) restoreWarm(s saver) {
	if e.keep == nil {
		return
	}
	n, tokens, err := e.restoreBranches(e.keep, s)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		e.log.Warn("saved prefixes are ignored and will be computed anew", "file", e.keep.file, "error", err)
	case n > 0:
		e.log.Info("restored popular prefixes", "prefixes", n, "tokens", tokens)
	}
}

func (e *Engine) restoreBranches(w *warm, s saver) (n, tokens int, err error) {
	f, err := os.Open(w.file)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	z, err := zstd.NewReader(bufio.NewReader(f), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	if err != nil {
		return 0, 0, err
	}
	defer z.Close()
	// Tokens and names come on top of the cells.
	in := gob.NewDecoder(io.LimitReader(z, 2*int64(w.most)+1<<20))
	var header warmHeader
	if err := in.Decode(&header); err != nil {
		return 0, 0, err
	}
	if header.Key != w.key {
		return 0, 0, errors.New("it was written for another model or build")
	}
	for range header.Branches {
		var b warmBranch
		if err := in.Decode(&b); errors.Is(err, io.EOF) {
			break // not all of them had room
		} else if err != nil {
			return n, tokens, err
		}
		for _, t := range b.Path {
			if t < 0 || int(t) >= e.vocab.Size() {
				return n, tokens, fmt.Errorf("token %d is not in the vocabulary", t)
			}
		}
		seq, ok := e.sched.Graft(b.Branch)
		if !ok {
			continue // no room, or its parent had none
		}
		if err := e.restoreBranch(s, llama.SeqID(seq), b); err != nil {
			e.sched.Forget() // the tree must not say more than the cache has
			return n, tokens, errors.Join(err, s.ClearAll())
		}
		n++
		tokens += len(b.Path) - b.From
	}
	return n, tokens, nil
}

// restoreBranch puts cells into the cache and looks whether they are where they belong.
func (e *Engine) restoreBranch(s saver, seq llama.SeqID, b warmBranch) error {
	if err := s.RestoreSeq(seq, b.Cells); err != nil {
		return err
	}
	low, high, err := s.SeqRange(seq)
	if err == nil && (int(low) != b.From || int(high) != len(b.Path)-1) {
		err = fmt.Errorf("positions %d to %d were restored for %d to %d", low, high, b.From, len(b.Path)-1)
	}
	return err
}

// finishOps lets the scheduler clear up behind the last requests, so that cache and tree agree.
func (e *Engine) finishOps(c stepper) error {
	var step llama.Step
	var flying []*generation
	for {
		plan, _, ok := e.sched.Step(time.Now())
		if !ok {
			return nil
		}
		if len(plan.Tokens) > 0 {
			return errors.New("somebody still runs")
		}
		if moves(plan) {
			if _, _, err := e.move(plan); err != nil {
				return err
			}
		}
		e.fill(&step, plan, &flying)
		if err := c.Step(&step); err != nil {
			return err
		}
	}
}
