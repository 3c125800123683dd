package sched

import (
	"slices"
	"time"
)

// Step plans the next step. The second result tells who came and who left with it; the third
// is false when there is nothing to compute. The numbers are those of the package comment.
func (s *Scheduler) Step(now time.Time) (*Plan, Admission, bool) {
	var a Admission
	// 1 cancelled work leaves
	for i := 0; i < len(s.runs); {
		if r := s.runs[i]; r.phase == cancelled {
			if !r.gaveUp(now) {
				s.drain.left(now, len(s.waiting) > 0)
			}
			s.remove(r)
			s.forget(r)
			continue
		}
		i++
	}
	a.Expired = s.expire(now) // 1a
	// 2 waiting requests are admitted
	for len(s.waiting) > 0 {
		r := s.first()
		if r == nil {
			break
		}
		if len(s.runs) == s.cfg.Rows || !s.fits(r) {
			victim := s.victim(r) // 2a
			if victim == nil || len(a.Preempted) > 0 {
				break
			}
			s.preempt(victim)
			a.Preempted = append(a.Preempted, victim.ID)
		}
		s.dequeue(r)
		a.Started = append(a.Started, Started{r.ID, s.admit(r, now)})
	}
	s.follow()
	p := &s.plan
	p.Tokens, p.Pos, p.Seqs, p.Outputs = p.Tokens[:0], p.Pos[:0], p.Seqs[:0], p.Outputs[:0]
	p.Rows, p.Work, p.Drafted = p.Rows[:0], p.Work[:0], 0
	// 3 decoding
	s.speculate()
	for _, r := range s.runs {
		if r.decoding() {
			s.add(r, 1)
		}
	}
	// 4 prompts
	decoding := len(p.Tokens)
	s.prompts = s.prompts[:0]
	for _, r := range s.runs {
		if !r.decoding() {
			s.prompts = append(s.prompts, r)
		}
	}
	s.sortByRank(s.prompts)
	budget := s.budget(decoding)
	for i, r := range s.prompts {
		if len(p.Tokens) < budget && !s.computedBy(s.prompts[:i], r) { // 4d
			s.add(r, min(len(r.tokens)-r.computed, budget-len(p.Tokens)))
		}
	}
	s.long = 0
	if took := s.cost.predict(s.planned()); decoding == 0 && s.cost.believed() && took > s.cfg.IdleTime {
		s.long = took
	}
	// 5 eviction
	if s.parking.on {
		s.park(decoding > 0)
	} else {
		s.tree.EvictIdle(s.cost.patience(s.tree.Returns()))
	}
	over := s.tree.Cells() - s.tree.Pinned() - s.cfg.RetainCells
	short := s.used() + len(p.Tokens) - s.cfg.Cells
	s.tree.Evict(max(over, short))
	p.Ops, s.ops = append(p.Ops[:0], s.ops...), s.ops[:0]
	return p, a, len(p.Tokens) > 0 || len(p.Ops) > 0
}

// budget is the most tokens of a step that already has rows of decoding requests in it (4a to 4c).
func (s *Scheduler) budget(rows int) int {
	low, high := min(rows+s.cfg.SliceTokens, s.cfg.BatchTokens), s.cfg.BatchTokens
	if !s.cost.believed() {
		if rows > 0 {
			return low
		}
		return high
	}
	limit := s.cfg.IdleTime // 4b
	if rows > 0 {
		limit = s.cost.within(s.stepTime()) // 4a
		low = s.cost.most(2*s.cost.predict(s.planned()), min(rows+1, low), low, s.filled)
	} else if s.cfg.Interruptible {
		limit = max(limit, s.company.solitude()) // 4c
	}
	n := s.cost.most(limit, low, high, s.filled)
	if rows == 0 && n > tile { // kernels compute whole tiles; the nearest number of them
		n = min((n+tile/2)/tile*tile, high)
	}
	return n
}

// longerSteps is how many times StepTime a step may take for the sake of many who wait.
const longerSteps = 2.5

// stepTime is how long a step may take while somebody decodes: StepTime for each request that waits for its first token, shared
// among those that decode. Where many wait for few, longer slices serve more people, and serve them faster: small ones cost more a
// token. It is at least StepTime, and at most longerSteps of that and IdleTime.
func (s *Scheduler) stepTime() time.Duration {
	decoding := len(s.runs) - len(s.prompts)
	each := float64(len(s.prompts)) / float64(decoding)
	longest := min(time.Duration(min(each, longerSteps)*float64(s.cfg.StepTime)), s.cfg.IdleTime)
	return max(longest, s.cfg.StepTime)
}

// planned is what the step has to do.
func (s *Scheduler) planned() load {
	l := load{tokens: len(s.plan.Tokens), cells: s.used()}
	for _, pos := range s.plan.Pos {
		l.attended += int(pos) + 1
	}
	return l
}

// filled is what the step would have to do with so many tokens, prompts by their rank.
func (s *Scheduler) filled(tokens int) load {
	l := s.planned()
	more := tokens - l.tokens
	for _, r := range s.prompts {
		n := min(len(r.tokens)-r.computed, more)
		l.attended += n*r.computed + n*(n+1)/2
		more -= n
	}
	l.tokens = tokens
	return l
}

// tile is how many tokens llama.cpp's attention on CPUs takes at once (GGML_FA_TILE_Q): prompts
// cut to multiples of it are computed 3 to 8 % faster.
const tile = 64

// follow lets prompts take over what others have computed of them since the last step.
func (s *Scheduler) follow() {
	for _, r := range s.runs {
		if r.lease != nil && r.computed == r.lease.Len() && !r.decoding() {
			r.lease.Follow(r.tokens, len(r.tokens)-1, r.seq)
			r.computed = r.lease.Len()
			r.planned = r.computed
		}
	}
}

// computedBy: one of the prompts before r is computing what r needs next, and enough of it.
func (s *Scheduler) computedBy(before []*run, r *run) bool {
	if r.lease == nil {
		return false
	}
	from, to := r.computed, r.computed+s.cfg.ShareTokens
	if to >= len(r.tokens) { // r has to compute its last token itself
		return false
	}
	for _, q := range before {
		// The tokens in question first: prompts that differ mostly differ there.
		if to <= q.prompt && q.computed < to && q.Scope == r.Scope && slices.Equal(q.tokens[from:to], r.tokens[from:to]) &&
			slices.Equal(q.tokens[:from], r.tokens[:from]) {
			return true
		}
	}
	return false
}

// decoding: r lacks just the token that it was given last. A prompt whose last token is the
// only one missing counts too: it costs the same.
func (r *run) decoding() bool { return len(r.tokens)-r.computed == 1 }

// fits: r's worst case goes into cells that are free or can be evicted. What others have
// leased already costs nothing; the rest of its prefix would be pinned by r.
func (s *Scheduler) fits(r *run) bool {
	need := r.prompt + r.MaxTokens
	taken := s.tree.Pinned()
	for _, o := range s.runs {
		taken += o.worst()
	}
	if s.cfg.Reuse {
		need -= s.tree.PinnedMatch(r.Scope, r.tokens[:len(r.tokens)-1])
	}
	return taken+need <= s.cfg.Cells
}

// admit gives r a sequence that starts with the longest known prefix, and returns its length.
// The last token is always computed: its logits are wanted.
func (s *Scheduler) admit(r *run, now time.Time) int {
	r.seq = s.ids.live()
	if r.admitted.IsZero() {
		r.admitted = now
	}
	if s.cfg.Reuse {
		r.lease = s.tree.Acquire(r.Scope, r.tokens, len(r.tokens)-1, r.seq)
	}
	r.computed = r.leased()
	r.planned = r.computed
	s.runs = append(s.runs, r)
	return r.computed
}

// add plans r's next n tokens.
func (s *Scheduler) add(r *run, n int) {
	p := &s.plan
	for i := r.computed; i < r.computed+n; i++ {
		p.Tokens = append(p.Tokens, r.tokens[i])
		p.Pos = append(p.Pos, int32(i))
		p.Seqs = append(p.Seqs, int32(r.seq))
		p.Outputs = append(p.Outputs, false)
	}
	r.planned = r.computed + n
	p.Work = append(p.Work, r.ID)
	if r.planned < len(r.tokens) {
		return
	}
	s.ask(r, false)
	for i, t := range r.draft {
		p.Tokens = append(p.Tokens, t)
		p.Pos = append(p.Pos, int32(len(r.tokens)+i))
		p.Seqs = append(p.Seqs, int32(r.seq))
		p.Outputs = append(p.Outputs, false)
		s.ask(r, true)
	}
	p.Drafted += len(r.draft)
	r.planned += len(r.draft)
}

// ask plans a row behind the last token of the batch.
func (s *Scheduler) ask(r *run, draft bool) {
	p := &s.plan
	last := len(p.Tokens) - 1
	p.Outputs[last] = true
	p.Rows = append(p.Rows, Row{r.ID, last, draft})
}
