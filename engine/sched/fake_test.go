package sched

import (
	"fmt"
	"slices"

	"aigw/engine/prefix"
)

// fakeModel stands for a KV cache and the model on it. A cell remembers the whole history that
// led to it, as attention would, so a wrong copy, a lost removal or a shifted position shows in
// the next token.
type fakeModel struct {
	cells int
	next  int
	seqs  map[int32]map[int]int // sequence -> position -> cell
	state map[int]uint64        // cell -> hash of the tokens up to it
	uses  map[int]int           // cell -> sequences that hold it
	says  predictor
	// window, if not 0, is how many positions a token sees. The fake forgets what llama.cpp may
	// forget as soon as it may.
	window    int
	forgotten int
	whole     bool                          // sequences can only be emptied, not cut back
	parked    map[prefix.Key]map[int]uint64 // position -> state
	loads     int
}

func newFakeModel(cells int) *fakeModel {
	return &fakeModel{cells: cells, seqs: map[int32]map[int]int{}, state: map[int]uint64{}, uses: map[int]int{}, parked: map[prefix.Key]map[int]uint64{}, says: byHistory}
}

// extend is splitmix64 over the state and the token.
func extend(state uint64, token int32) uint64 {
	z := state + uint64(token+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// vocabulary is small, so that random prompts agree by chance.
const vocabulary = 3

// predictor says the token that follows position pos, up to which state is the history.
type predictor func(state uint64, pos int) int32

// byHistory is as good as random, and another history says something else.
func byHistory(state uint64, _ int) int32 { return int32(state % vocabulary) }

// inCircles says the same 15 tokens again and again.
func inCircles(_ uint64, pos int) int32 { return int32(pos / 3 % 5) }

// reference is what the model says after prompt, computed without any cache.
func reference(says predictor, prompt []int32, n int) []int32 {
	var state uint64
	for _, t := range prompt {
		state = extend(state, t)
	}
	var out []int32
	for i := range n {
		t := says(state, len(prompt)-1+i)
		out = append(out, t)
		state = extend(state, t)
	}
	return out
}

func (m *fakeModel) used() int { return len(m.uses) }

func (m *fakeModel) hold(seq int32, pos, cell int) {
	if m.seqs[seq] == nil {
		m.seqs[seq] = map[int]int{}
	}
	m.seqs[seq][pos] = cell
	m.uses[cell]++
}

func (m *fakeModel) drop(seq int32, pos int) {
	cell := m.seqs[seq][pos]
	delete(m.seqs[seq], pos)
	if m.uses[cell]--; m.uses[cell] == 0 {
		delete(m.uses, cell)
		delete(m.state, cell)
	}
}

// end is the position behind the last one of a sequence.
func (m *fakeModel) end(seq int32) int {
	end := 0
	for pos := range m.seqs[seq] {
		end = max(end, pos+1)
	}
	return end
}

// forget takes away the cells that one sequence alone has and that lie outside of its window.
func (m *fakeModel) forget() {
	if m.window == 0 {
		return
	}
	for seq := range m.seqs {
		end := m.end(seq)
		for pos, cell := range m.seqs[seq] {
			if pos < end-m.window && m.uses[cell] == 1 {
				m.drop(seq, pos)
				m.forgotten++
			}
		}
	}
}

// run applies a plan as llama.cpp would and samples its rows. partial leaves the batch half
// computed, as an abort does.
func (m *fakeModel) run(p *Plan, partial bool) ([]int32, error) {
	for _, op := range p.Ops {
		switch op.Kind {
		case Save:
			if err := m.save(op); err != nil {
				return nil, err
			}
			continue
		case Load:
			if err := m.load(op); err != nil {
				return nil, err
			}
			continue
		case Drop:
			if m.parked[op.Key] == nil {
				return nil, fmt.Errorf("%+v: nothing is parked there", op)
			}
			delete(m.parked, op.Key)
			continue
		}
		if op.Kind == Copy {
			for pos := op.From; pos < op.To; pos++ {
				cell, ok := m.seqs[int32(op.Src)][pos]
				if !ok {
					return nil, fmt.Errorf("%+v: source has no position %d", op, pos)
				}
				if _, ok := m.seqs[int32(op.Dst)][pos]; ok {
					return nil, fmt.Errorf("%+v: target has position %d already", op, pos)
				}
				m.hold(int32(op.Dst), pos, cell)
			}
			continue
		}
		if m.whole && (op.From > 0 || op.To != End) {
			return nil, fmt.Errorf("%+v: a state cannot be cut back", op)
		}
		for pos := range m.seqs[int32(op.Src)] {
			if pos >= op.From && (op.To == End || pos < op.To) {
				m.drop(int32(op.Src), pos)
			}
		}
	}
	m.forget()
	at := map[int]uint64{}
	for i, token := range p.Tokens {
		seq, pos := p.Seqs[i], int(p.Pos[i])
		if partial && i >= len(p.Tokens)/2 {
			return nil, nil
		}
		if has := m.end(seq); has != pos {
			return nil, fmt.Errorf("sequence %d has %d positions, batch continues at %d", seq, has, pos)
		}
		if low := max(pos-m.window, 0); m.window > 0 {
			for p := low; p < pos; p++ {
				if _, ok := m.seqs[seq][p]; !ok {
					return nil, fmt.Errorf("sequence %d has forgotten %d, which %d sees", seq, p, pos)
				}
			}
		} else if len(m.seqs[seq]) != pos {
			return nil, fmt.Errorf("sequence %d has %d positions of %d", seq, len(m.seqs[seq]), pos)
		}
		var state uint64
		if pos > 0 {
			cell, ok := m.seqs[seq][pos-1]
			if !ok {
				return nil, fmt.Errorf("sequence %d has a hole before %d", seq, pos)
			}
			state = m.state[cell]
		}
		m.next++
		m.state[m.next] = extend(state, token)
		m.hold(seq, pos, m.next)
		at[i] = m.state[m.next]
	}
	if m.used() > m.cells {
		return nil, fmt.Errorf("%d cells in use of %d", m.used(), m.cells)
	}
	var sampled []int32
	for _, row := range p.Rows {
		if !p.Outputs[row.Index] {
			return nil, fmt.Errorf("row %d has no logits", row.Index)
		}
		token := m.says(at[row.Index], int(p.Pos[row.Index]))
		if row.Draft && sampled[len(sampled)-1] != p.Tokens[row.Index] {
			token = -1
		}
		sampled = append(sampled, token)
	}
	if n := len(p.Rows); n != countTrue(p.Outputs) {
		return nil, fmt.Errorf("%d rows, %d outputs", n, countTrue(p.Outputs))
	}
	return sampled, nil
}

func (m *fakeModel) save(op Op) error {
	if m.parked[op.Key] != nil {
		return fmt.Errorf("%+v: the key is taken", op)
	}
	states := map[int]uint64{}
	for pos := op.From; pos < op.To; pos++ {
		cell, ok := m.seqs[int32(op.Src)][pos]
		if !ok {
			return fmt.Errorf("%+v: source has no position %d", op, pos)
		}
		states[pos] = m.state[cell]
	}
	m.parked[op.Key] = states
	return nil
}

func (m *fakeModel) load(op Op) error {
	states := m.parked[op.Key]
	switch {
	case states == nil:
		return fmt.Errorf("%+v: nothing is parked there", op)
	case len(m.seqs[int32(op.Dst)]) > 0:
		return fmt.Errorf("%+v: the target is not empty", op)
	case m.used()+len(states) > m.cells:
		return fmt.Errorf("%+v: %d cells do not fit beside %d of %d", op, len(states), m.used(), m.cells)
	}
	for pos, state := range states {
		m.next++
		m.state[m.next] = state
		m.hold(int32(op.Dst), pos, m.next)
	}
	m.loads++
	delete(m.parked, op.Key)
	return nil
}

func countTrue(b []bool) int {
	n := 0
	for _, v := range b {
		if v {
			n++
		}
	}
	return n
}

// reader is a person who waits for an answer.
type reader struct {
	prompt []int32
	max    int
	got    []int32
}

func (r *reader) check(says predictor) error {
	if want := reference(says, r.prompt, len(r.got)); !slices.Equal(want, r.got) {
		return fmt.Errorf("prompt %v: got %v, a plain run says %v", r.prompt, r.got, want)
	}
	return nil
}
