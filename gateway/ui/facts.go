package ui

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/search"
)

// snapshot is what all models do at a moment. It is not changed once taken.
type snapshot struct {
	At       time.Time
	Up       time.Duration
	Status   string // in words
	Ready    bool
	Models   []modelFacts
	Others   string // models of which there is nothing to show but their names
	Requests []requestRow
	More     int // requests that are not among the rows
	Running  int
	Waiting  int
	People   int
}

// modelFacts are one model's.
type modelFacts struct {
	Name, Aliases, Family, Does string
	Context                     int
	Plan                        engine.Plan
	State                       engine.State
	Look                        engine.Look
	Memory                      []memoryPart
	Classes                     []classRow
	PromptRate, OutputRate      float64 // tokens a second lately
	HasRates                    bool
	Decode, Prompt              stepRow
	TreeRows                    []engine.Held
}

// memoryPart is one use of memory, with its place in a bar that is 100 wide.
type memoryPart struct {
	Name, Kind string
	Bytes      uint64
	Most       uint64 // what it may grow to; 0: it does not
	X, Width   float64
}

type classRow struct {
	Name             string
	Running, Waiting int
	Wait             time.Duration
}

// requestRow is one request, without its text and without whose it is.
type requestRow struct {
	Model, Class, Phase           string
	Age, Queue                    time.Duration
	Prompt, Cached, Output, Limit int
}

// stepRow is how long steps of a kind took.
type stepRow struct {
	Count      uint64
	Mean       time.Duration
	Most       time.Duration // 95 of 100 took no longer
	Beyond     bool          // Most is the largest bound, and they took longer
	StepBudget time.Duration
}

const (
	// freshFor is how long a snapshot is good: engines are asked once for all open pages.
	freshFor = time.Second
	// rateSpan bounds the age of an earlier snapshot that rates are computed from.
	rateSpan = 30 * time.Second
	// rowsShown and runsShown bound the tables of requests and of the prefix tree.
	rowsShown, runsShown = 100, 12
)

// snapshots keeps the last one.
type snapshots struct {
	mu   sync.Mutex
	last *snapshot
}

// look returns what all models do, at most freshFor ago.
func (room *Room) look() *snapshot {
	room.now.mu.Lock()
	defer room.now.mu.Unlock()
	now := time.Now()
	if last := room.now.last; last != nil && now.Sub(last.At) < freshFor {
		return last
	}
	s := room.take(now, room.now.last)
	room.now.last = s
	return s
}

func (room *Room) take(now time.Time, before *snapshot) *snapshot {
	s := &snapshot{At: now, Up: now.Sub(room.made), Status: "All models answer.", Ready: true}
	if err := room.Models.Check(); err != nil {
		s.Status, s.Ready = err.Error(), false
	}
	models, err := room.Models.Models()
	if err != nil && s.Ready {
		s.Status = err.Error()
	}
	for _, m := range models {
		f, requests := factsOf(m)
		s.compare(&f, before)
		s.Running, s.Waiting, s.People = s.Running+f.State.Running, s.Waiting+f.State.Waiting, max(s.People, f.Look.People)
		for _, r := range requests {
			if len(s.Requests) == rowsShown {
				s.More++
				continue
			}
			s.Requests = append(s.Requests, r)
		}
		s.Models = append(s.Models, f)
	}
	if e := room.Models.Embedding(); e != nil {
		s.Others = fmt.Sprintf("%s computes embeddings of texts of up to %d tokens.", e.Name, e.Embedder.Limit())
	}
	return s
}

// compare computes rates from what an earlier snapshot counted.
func (s *snapshot) compare(f *modelFacts, before *snapshot) {
	if before == nil || s.At.Sub(before.At) > rateSpan {
		return
	}
	for _, old := range before.Models {
		if old.Name == f.Name && old.State.OutputTokens <= f.State.OutputTokens && old.State.PromptTokens <= f.State.PromptTokens {
			seconds := s.At.Sub(before.At).Seconds()
			f.HasRates = true
			f.OutputRate = float64(f.State.OutputTokens-old.State.OutputTokens) / seconds
			f.PromptRate = float64(f.State.PromptTokens-old.State.PromptTokens) / seconds
		}
	}
}

// inside returns what a generator can do beside generating, or false. Generators are wrapped.
func inside[T any](g serving.Generator) (T, bool) {
	for {
		if x, ok := g.(T); ok {
			return x, true
		}
		outer, ok := g.(interface{ Unwrap() serving.Generator })
		if !ok {
			var none T
			return none, false
		}
		g = outer.Unwrap()
	}
}

func factsOf(m *serving.Model) (modelFacts, []requestRow) {
	f := modelFacts{Name: m.Name, Aliases: strings.Join(m.Aliases, ", "), Family: m.Family, Context: m.ContextSize}
	var does []string
	for _, role := range []serving.Role{serving.Completion, serving.Generation, serving.Chat} {
		if m.Can(role) {
			does = append(does, string(role))
		}
	}
	f.Does = strings.Join(does, ", ")
	if g, ok := inside[interface{ Plan() engine.Plan }](m.Generator); ok {
		f.Plan = g.Plan()
	}
	if g, ok := inside[interface{ State() engine.State }](m.Generator); ok {
		f.State = g.State()
		f.Memory = memoryOf(f.Plan, f.State)
		f.Decode, f.Prompt = stepsOf(f.State.DecodeSteps), stepsOf(f.State.PromptSteps)
		for class, c := range f.State.ByClass {
			f.Classes = append(f.Classes, classRow{engine.Class(class).String(), c.Running, c.Waiting, c.Wait})
		}
	}
	g, ok := inside[interface{ Look() engine.Look }](m.Generator)
	if !ok {
		return f, nil
	}
	f.Look = g.Look()
	f.Decode.StepBudget, f.Prompt.StepBudget = f.Look.StepTime, f.Look.IdleTime
	f.TreeRows = f.Look.Held[:min(len(f.Look.Held), runsShown)]
	var rows []requestRow
	for _, r := range f.Look.Requests {
		rows = append(rows, requestRow{
			Model: m.Name, Class: r.Class.String(), Phase: string(r.Phase), Age: r.Age, Queue: r.Queue,
			Prompt: r.PromptTokens, Cached: r.CachedTokens, Output: r.OutputTokens, Limit: r.MaxOutputTokens,
		})
	}
	return f, rows
}

// memoryOf lays the uses of memory side by side.
func memoryOf(p engine.Plan, s engine.State) []memoryPart {
	cell := p.CacheBytes / uint64(max(1, s.Cells)) // of a parked one, too
	parts := []memoryPart{
		{Name: "weights", Kind: "a", Bytes: p.WeightBytes}, {Name: "KV cache", Kind: "b", Bytes: p.CacheBytes},
		{Name: "computing", Kind: "c", Bytes: p.ComputeBytes}, {Name: "parked prefixes", Kind: "d", Bytes: uint64(s.ParkedTokens) * cell, Most: p.ParkBytes},
	}
	var all, x float64
	for _, part := range parts {
		all += float64(part.Bytes)
	}
	if all == 0 {
		return nil
	}
	for i := range parts {
		parts[i].X, parts[i].Width = x, 100*float64(parts[i].Bytes)/all
		x += parts[i].Width
	}
	return parts
}

func stepsOf(t engine.StepTimes) stepRow {
	var row stepRow
	for _, n := range t.Counts {
		row.Count += n
	}
	if row.Count == 0 {
		return row
	}
	row.Mean = t.Sum / time.Duration(row.Count)
	row.Most, row.Beyond = engine.StepBounds[len(engine.StepBounds)-1], true
	var below uint64
	for i, bound := range engine.StepBounds {
		if below += t.Counts[i]; below*100 >= row.Count*95 {
			row.Most, row.Beyond = bound, false
			break
		}
	}
	return row
}

// classNames are those of all classes.
func classNames() (names []string) {
	for class := range engine.Class(engine.Classes) {
		names = append(names, class.String())
	}
	return names
}

// classNamed returns the class of a name.
func classNamed(name string) (engine.Class, bool) {
	for class := range engine.Class(engine.Classes) {
		if class.String() == name {
			return class, true
		}
	}
	return 0, false
}

// manifest says what the searcher's index is made of; nil if that is not known.
func (room *Room) manifest() *search.Manifest {
	if s, ok := room.Searcher.(interface{ Manifest() *search.Manifest }); ok {
		return s.Manifest()
	}
	return nil
}
