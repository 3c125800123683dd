// Package sched decides what a model computes next for the many requests that wait for it.
//
// It is pure: requests and outcomes come in, a Plan comes out, time is an argument. The engine
// runs the plan on the real cache; a test runs it on a fake one.
//
// One call of Step answers with one step of work, by this tree:
//
//	1  what was cancelled leaves, its cells are freed
//	   1a  so does what has waited beyond its deadline
//	2  waiting requests are admitted by rank (rank.go): by class, the shortest prompt first, and
//	   sooner the longer they have waited; while there is a row, a sequence id, and cells for their
//	   worst case; each starts from the longest prefix in the tree
//	   2a  where there is no row or are no cells for the first of them, one running request of a
//	       later class makes room and waits again (preempt.go)
//	3  every running request that lacks one token gets it: that is decoding
//	   3a  while no prompt waits, guesses at what follows are decoded along, as many as pay
//	4  prompts fill the step, by rank, up to BatchTokens, and
//	   4a  while somebody decodes, as far as the step is expected to end within StepTime, so that
//	       nobody's stream stands still for long; within that for each who waits where more wait
//	       than decode, up to 2.5 times that; where decoding takes most of that by itself, or a
//	       large model on a slow machine would starve its prompts, at least as many, up to
//	       SliceTokens, as take as long as decoding does
//	   4b  while nobody does, as far as it is expected to end within IdleTime: somebody who types
//	       may come any moment
//	   4c  or further, where a step can be interrupted and hardly anybody comes during one
//	       (company.go): the whole batch at once is computed fastest
//	   4d  a prompt whose next tokens one before it is computing waits for them, and takes them
//	       over from the tree, slice by slice: a head that many share is computed once
//	5  prefixes that nobody leases leave the cache, least recently used first. They are parked in
//	   main memory, from where they come back when somebody begins with them (prefix/park.go); where
//	   there is no room for that, or it cannot be, they are evicted for good
//	   5a  when passing by them has cost as much as bringing them back, or computing them again, would
//	   5b  when they are over RetainCells
//	   5c  when the batch needs their cells
//
// What a step will take is predicted by a model fitted while running (cost.go); what guesses are
// worth is measured (speculate.go).
package sched

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"aigw/engine/prefix"
)

// ID names a request. The caller chooses it; it must be unique.
type ID uint64

// Seq is a sequence id of the KV cache.
type Seq = prefix.Seq

// MaxSeq is the number of sequence ids of a cache (LLAMA_MAX_SEQ).
const MaxSeq = 256

// Config bounds a Scheduler. All fields but Reuse must be positive.
type Config struct {
	Cells       int  // KV cells that all requests share
	Rows        int  // most requests that run at once
	BatchTokens int  // most tokens of a step; at least Rows
	SliceTokens int  // most prompt tokens that make a step longer than StepTime
	Queue       int  // most requests of each class that wait for a row
	Reuse       bool // keep prefixes; off for caches that cannot be rolled back
	// Window tells that the cache forgets what lies outside of a sliding window (guard.go).
	Window bool
	// ShareTokens is the shortest common head that a prompt waits for (4d): for less than that,
	// computing it twice costs less than a step of waiting. 0 is 16.
	ShareTokens int
	// RetainCells is how many cells may hold prefixes that nobody uses. 0 is half of Cells.
	RetainCells int
	// StepTime bounds a step while somebody decodes, IdleTime while nobody does. 0 is 100 and 250 ms.
	StepTime, IdleTime time.Duration
	// Interruptible tells that a step under way can be ended at any moment, at the cost of what it
	// has computed so far (Interrupt).
	Interruptible bool
	// DraftTokens is how many guessed tokens a step has at most; 0: none. Without Reuse there are
	// none either: a cache that cannot be rolled back cannot take back a wrong guess.
	DraftTokens int
	DraftAlways bool // guess whether it pays or not: for tests
	ParkAlways  bool // park prefixes as soon as nobody uses them, whether it pays or not: for tests

	arrivalOrder bool // rank by arrival alone: what the simulator compares with
}

// Validate says what is wrong with c.
func (c Config) Validate() error {
	switch {
	case c.Cells < 1, c.SliceTokens < 1, c.Queue < 1:
		return fmt.Errorf("cells (%d), slice tokens (%d) and queue (%d) must be positive", c.Cells, c.SliceTokens, c.Queue)
	case c.Rows < 1 || c.Rows > MaxSeq/2:
		return fmt.Errorf("%d parallel requests: from 1 to %d are possible", c.Rows, MaxSeq/2)
	case c.DraftTokens < 0:
		return fmt.Errorf("%d draft tokens: 0 or more are possible", c.DraftTokens)
	case c.BatchTokens < c.Rows:
		return fmt.Errorf("a batch of %d tokens cannot hold one token for each of %d requests", c.BatchTokens, c.Rows)
	}
	return nil
}

// Request is what the scheduler needs to know of a generation.
type Request struct {
	ID        ID
	Tokens    []int32 // prompt; not empty, and not changed by the caller
	MaxTokens int     // most tokens that will be added
	Class     Class
	// Deadline is when the request is of no use any more unless it has been admitted by then.
	// Zero: it waits as long as it takes.
	Deadline time.Time
	// Scope is within whom prefixes are shared: requests of different scopes share no cell.
	Scope string
	// Private shares nothing with anybody, and nothing of it is kept once it has ended.
	Private bool
	// Keep is how many tokens the prompt begins with that many others will begin with, too: they
	// are evicted last. At most a quarter of the cells is kept like that.
	Keep int
}

// End as an Op's To means "to the last position".
const End = -1

// OpKind is a kind of operation on the KV cache.
type OpKind int8

const (
	Remove OpKind = iota // From to To of Src
	Copy                 // from Src to Dst
	Save                 // From to To of Src, to Key in main memory; they stay in the cache
	Load                 // from Key to Dst; Key is forgotten
	Drop                 // Key is forgotten
)

// Op is one operation on the KV cache. To is exclusive, or End.
type Op struct {
	Kind     OpKind
	Src, Dst Seq
	From, To int
	Key      prefix.Key
}

// Row asks for the token that follows a request's tokens.
type Row struct {
	ID    ID
	Index int // in Plan.Tokens
	// Draft: the token at Index is a guess at what the row before, of the same request, samples.
	// If it is wrong there is no token for this row, which Computed is told by -1.
	Draft bool
}

// Plan is one step: operations first, then one batch, then a token for each row.
// Its slices are valid until the next call of Step.
type Plan struct {
	Ops     []Op
	Tokens  []int32
	Pos     []int32
	Seqs    []int32
	Outputs []bool // this token's logits are needed: it is some row's
	Rows    []Row
	Drafted int  // rows that are drafts
	Work    []ID // requests that have tokens in the batch
}

// Started tells that a request was admitted, or admitted again after it had made room.
type Started struct {
	ID     ID
	Cached int // tokens that were in the cache
}

// Admission is who came and who left with a step.
type Admission struct {
	Started   []Started
	Expired   []ID // waited beyond their deadline; the scheduler knows them no more
	Preempted []ID // made room for somebody of an earlier class, and wait again
}

type phase int

const (
	running phase = iota
	cancelled
)

// run is an admitted request.
type run struct {
	Request
	phase    phase
	seq      Seq
	tokens   []int32 // prompt, then what was generated
	prompt   int     // tokens up to here are the prompt as submitted
	computed int     // tokens[:computed] are in the cache
	planned  int     // of the step under way; computed if it succeeds
	lease    *prefix.Lease
	arrived  time.Time
	admitted time.Time // zero: never yet
	yielded  int       // how often it made room for others
	holed    bool      // the cache may have forgotten some of what the tree has no id for

	draft        []int32 // guesses that follow tokens in the step under way
	match        int     // tokens that the guess rests on
	offer        []int32 // guesses of a draft model at what follows the first offeredAt tokens
	offeredAt    int
	hits, trials float64 // guesses that came true and all that were tried, the last ones most
}

// worst is the number of cells that r may come to own beside its leased path.
func (r *run) worst() int { return r.prompt + r.MaxTokens - r.leased() }

func (r *run) leased() int {
	if r.lease == nil {
		return 0
	}
	return r.lease.Len()
}

// Scheduler is the state between steps. It is not safe for concurrent use.
type Scheduler struct {
	cfg     Config
	ids     *ids
	tree    *prefix.Tree
	waiting []*run
	runs    []*run // by admission
	byID    map[ID]*run
	ops     []Op // to be done before the next batch
	plan    Plan
	prompts []*run // of the step being planned
	cost    cost
	spec    speculation
	drain   drain
	scratch Seq // nobody's, for what is saved
	parking parking
	company company
	long    time.Duration // what the step planned last is expected to take, if it is a long one (4c)
}

// New returns an empty scheduler. It panics if cfg is invalid.
func New(cfg Config) *Scheduler {
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	cfg.ShareTokens = cmp.Or(cfg.ShareTokens, 16)
	cfg.RetainCells = cmp.Or(cfg.RetainCells, cfg.Cells/2)
	cfg.StepTime = cmp.Or(cfg.StepTime, 100*time.Millisecond)
	cfg.IdleTime = cmp.Or(cfg.IdleTime, 250*time.Millisecond)
	s := &Scheduler{cfg: cfg, byID: map[ID]*run{}}
	s.ids = newIDs(MaxSeq, cfg.Rows)
	s.scratch = s.ids.take(Seq(cfg.Rows))
	s.spec = newSpeculation(cfg.DraftTokens)
	if cfg.Window {
		g := newGuards((*opList)(&s.ops), s.ids)
		s.tree = prefix.New(g, g)
	} else {
		s.tree = prefix.New((*opList)(&s.ops), s.ids)
	}
	return s
}

// opList collects what the tree wants done.
type opList []Op

func (l *opList) Copy(src, dst Seq, from, to int) {
	*l = append(*l, Op{Kind: Copy, Src: src, Dst: dst, From: from, To: to})
}

func (l *opList) Remove(seq Seq, from, to int) {
	*l = append(*l, Op{Src: seq, From: from, To: to})
}

func (l *opList) Save(seq Seq, from, to int, key prefix.Key) {
	*l = append(*l, Op{Kind: Save, Src: seq, From: from, To: to, Key: key})
}

func (l *opList) Load(key prefix.Key, seq Seq) { *l = append(*l, Op{Kind: Load, Dst: seq, Key: key}) }

func (l *opList) Drop(key prefix.Key) { *l = append(*l, Op{Kind: Drop, Key: key}) }

// Waiting and Running count requests.
func (s *Scheduler) Waiting() int { return len(s.waiting) }
func (s *Scheduler) Running() int { return len(s.runs) }

// Cells reports how many cells are in use, and how many of them could be evicted.
func (s *Scheduler) Cells() (used, evictable int) {
	return s.used(), s.tree.Cells() - s.tree.Pinned()
}

// Shared is the number of cells that two or more running requests use at once.
func (s *Scheduler) Shared() int { return s.tree.Shared() }

// Prefixes reports what the tree has kept and given up.
func (s *Scheduler) Prefixes() (nodes, kept int, evicted uint64) {
	return s.tree.Nodes(), s.tree.Kept(), s.tree.Evicted()
}

// WaitingOf and RunningOf count requests of a class.
func (s *Scheduler) WaitingOf(c Class) int { return count(s.waiting, c) }
func (s *Scheduler) RunningOf(c Class) int { return count(s.runs, c) }

func count(runs []*run, c Class) (n int) {
	for _, r := range runs {
		if r.Class == c {
			n++
		}
	}
	return n
}

func (s *Scheduler) used() int {
	used := s.tree.Cells()
	for _, r := range s.runs {
		used += r.computed - r.leased()
	}
	return used
}

// Cancel ends a request wherever it is. What a running one has computed of its prompt stays in
// the tree; the rest leaves with the next step.
func (s *Scheduler) Cancel(id ID) {
	r := s.byID[id]
	if r == nil {
		return
	}
	delete(s.byID, id)
	if at := slices.Index(s.waiting, r); at >= 0 {
		s.waiting = slices.Delete(s.waiting, at, at+1)
		s.forget(r)
		return
	}
	r.phase = cancelled
}

// Finish ends a request that has got all it wanted. All of its tokens stay in the tree.
func (s *Scheduler) Finish(id ID, now time.Time) {
	r := s.byID[id]
	if r == nil {
		return
	}
	s.drain.finished(now.Sub(r.admitted), now, len(s.waiting) > 0)
	s.retain(r, r.computed)
	delete(s.byID, id)
	s.remove(r)
	s.forget(r)
}

// retain puts r's tokens up to n into the tree, as far as they are not there yet.
func (s *Scheduler) retain(r *run, n int) {
	if r.lease == nil || n <= r.lease.Len() || r.holed {
		return
	}
	before := r.lease.Len()
	r.lease.Extend(r.tokens[before:n], r.seq)
	r.holed = s.cfg.Window && r.lease.Len() < n
	if keep := min(r.Keep, r.prompt); before < keep && r.lease.Len() >= keep && s.tree.Kept()+keep <= s.cfg.Cells/4 {
		r.lease.Keep(keep)
	}
}

// forget drops what is retained of a private request that has ended.
func (s *Scheduler) forget(r *run) {
	if r.Private {
		s.tree.DropScope(r.Scope)
	}
}

// remove takes r off the running ones and frees its sequence.
func (s *Scheduler) remove(r *run) {
	s.vacate(r)
	s.runs = slices.DeleteFunc(s.runs, func(o *run) bool { return o == r })
}

// vacate frees what r holds of the cache.
func (s *Scheduler) vacate(r *run) {
	if r.lease != nil {
		r.lease.Release()
		r.lease = nil
	}
	s.ops = append(s.ops, Op{Src: r.seq, From: 0, To: End})
	s.ids.releaseLive(r.seq)
	r.computed, r.planned, r.draft, r.offer, r.holed = 0, 0, nil, nil, false
}
