package engine

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// Options says how a model is loaded and how many people share it. The zero value of each
// field but Model is a sensible choice.
type Options struct {
	Model     string            // path of a GGUF file, or of the first file of a split set, that models.Check passed
	Overrides []models.Override // repairs of the file's metadata, from models.Recognise
	Context   int               // KV cells shared by all requests; 0: the trained context, at most DefaultContext
	Parallel  int               // most requests that run at once; 0: DefaultParallel
	Queue     int               // most requests of each class that wait; 0: DefaultQueue
	MaxWait   time.Duration     // how long a completion waits for its turn, other classes longer; 0: DefaultMaxWait
	Threads   int               // CPU threads; 0: as many as this process may use
	Batch     int               // most tokens of one step; 0: DefaultBatch
	Slice     int               // most prompt tokens that may make a step longer than StepTime, and twice as long as its decoding; 0: DefaultSlice
	Draft     int               // most guessed tokens of a step; 0: DefaultDraft; negative: none
	StepTime  time.Duration     // how long a step may take while somebody decodes; 0: 100 ms, 35 ms with a GPU
	IdleTime  time.Duration     // how long a step may take while nobody does; 0: 250 ms
	GPULayers int               // layers to keep on the GPU; negative: all that a GPU build can

	// DraftModel is the path of a second, small model with the same vocabulary, which guesses what the first
	// will say, and DraftOverrides are repairs of its metadata. Empty: guesses come from what the text repeats.
	DraftModel     string
	DraftOverrides []models.Override

	FlashAttention string // auto, on or off; empty: auto
	CacheTypeK     string // f16, q8_0, ...; auto: f16, or q8_0 where calibration finds it faster; empty: f16
	CacheTypeV     string

	KVSharing string // instance, user or off; empty: instance

	// ParkBytes is how much main memory may hold prefixes that nobody uses at the moment, so that
	// attention need not pass by them; 0: a quarter of what is free once the model is loaded, at
	// most 8 GiB; negative: none, they stay in the KV cache.
	ParkBytes int

	// StateDir and KeepPrefixes let prefixes that several came back to outlive the process: a folder,
	// and how many bytes of the cache are saved in it at most when the engine closes. The file holds
	// people's code. 0 or no folder: nothing is saved.
	StateDir     string
	KeepPrefixes int

	// CalibrationDir is a folder in which is kept which settings, of those left open, are fastest
	// on this machine. Empty: nothing is measured, and defaults are taken.
	CalibrationDir string

	Journal Journal     // told what runs; may be nil
	Turn    sync.Locker // shared by engines that compute on the same processors; nil: this one is alone

	BackendDir string             // where ggml's plug-ins are, for programs linked dynamically; empty: beside libggml
	Logger     *slog.Logger       // nil: slog.Default()
	Progress   func(done float32) // called while weights load, from 0 to 1; may be nil

	noRemote bool // compute on this machine alone

	draftAlways     bool          // tests: guess whether it pays or not
	parkAlways      bool          // tests: park whether it pays or not
	calibrationTime time.Duration // tests: measure everything, however slow the machine is
}

const (
	// DefaultContext keeps the KV cache of a 22B model (224 KiB a token at f16) under 2 GiB.
	DefaultContext  = 8192
	DefaultParallel = 8
	DefaultQueue    = 64
	// DefaultMaxWait is beyond what anybody leaves the cursor where it is. Generations wait
	// 3 times, conversations 6 times as long, and what nobody waits for 60 times.
	DefaultMaxWait = 30 * time.Second
	// DefaultBatch is llama.cpp's own micro-batch: longer ones compute no faster.
	DefaultBatch = 512
	// DefaultSlice tokens are nearly free beside the rows of a large model on a slow machine, which waits for memory.
	DefaultSlice = 16
	// DefaultDraft is where even text that repeats itself gains little more.
	DefaultDraft = 12
)

// modelOptions are those of the binding.
func (o Options) modelOptions() llama.ModelOptions {
	m := llama.ModelOptions{GPULayers: o.GPULayers, NoRemote: o.noRemote}
	for _, v := range o.Overrides {
		m.Overrides = append(m.Overrides, llama.Override{Key: v.Key, Value: v.Value})
	}
	return m
}

// settings are Options with every choice made.
type settings struct {
	sched   sched.Config
	context llama.ContextOptions
	limit   int // tokens that one request may hold
	maxWait time.Duration
	sharing Sharing
	noReuse string // why every prompt is computed whole; empty: it is not
}

// noReuse says why nothing that was computed of a prompt can serve another one.
func noReuse(m *llama.Model, sharing Sharing) string {
	switch {
	case m.IsRecurrent() || m.IsHybrid():
		return "its recurrent state cannot be cut back to where two prompts part"
	case m.SlidingWindow() > 0 && sharing == ShareOff:
		return "with KV sharing off its sliding window saves memory instead"
	}
	return ""
}

func (o Options) settle(m *llama.Model) (settings, error) {
	trained := m.TrainContext()
	cells := or(o.Context, min(trained, DefaultContext))
	batch := min(or(o.Batch, DefaultBatch), cells) // llama.cpp refuses a step that the cache cannot hold
	c := llama.ContextOptions{
		Context: cells, Batch: batch, MicroBatch: batch,
		MaxSeqs: or(o.Parallel, DefaultParallel),
		// runtime.NumCPU follows the affinity mask, GOMAXPROCS also a container's CPU quota.
		Threads: or(o.Threads, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))),
		Unified: true, OffloadKV: true,
	}
	rows := c.MaxSeqs
	draft := max(min(or(o.Draft, DefaultDraft), batch-rows), 0)
	c.MaxOutputs = rows + draft
	var err error
	if c.FlashAttention, err = parseFlashAttention(o.FlashAttention); err != nil {
		return settings{}, err
	}
	if c.TypeK, err = llama.ParseCacheType(firstKeys(o.CacheTypeK)); err != nil {
		return settings{}, err
	}
	if c.TypeV, err = llama.ParseCacheType(orText(o.CacheTypeV, "f16")); err != nil {
		return settings{}, err
	}
	sharing, err := ParseSharing(o.KVSharing)
	if err != nil {
		return settings{}, err
	}
	whyNoReuse := noReuse(m, sharing)
	if whyNoReuse == "" && c.MaxSeqs < cells {
		c.MaxSeqs++ // the scheduler's scratch sequence, under which prefixes are saved
		c.MaxOutputs = max(c.MaxOutputs, c.MaxSeqs)
	}
	// Layers with a window keep all cells, so that prompts can be shared and guesses taken back.
	c.SWAFull = m.SlidingWindow() > 0 && whyNoReuse == ""
	s := settings{
		noReuse: whyNoReuse, sharing: sharing,
		context: c,
		limit:   min(cells, trained),
		maxWait: cmp.Or(o.MaxWait, DefaultMaxWait),
		sched: sched.Config{
			Cells: cells, Rows: rows, BatchTokens: batch,
			SliceTokens: or(o.Slice, DefaultSlice), Queue: or(o.Queue, DefaultQueue),
			StepTime: o.stepTime(), IdleTime: o.IdleTime, DraftTokens: draft, DraftAlways: o.draftAlways, ParkAlways: o.parkAlways,
			Reuse: whyNoReuse == "", Window: c.SWAFull, Interruptible: whyNoReuse == "" && o.interruptible(),
		},
	}
	if err := s.sched.Validate(); err != nil {
		return settings{}, fmt.Errorf("engine settings: %w", err)
	}
	return s, nil
}

// interruptible: llama.cpp asks between two operations whether to go on, but only where the CPU
// computes. Engines that take turns do not see who waits for the other one.
func (o Options) interruptible() bool {
	return o.Turn == nil && (o.GPULayers == 0 || !llama.Info().CUDA && !HasRemote())
}

// stepTime is how long a stream may stand still for somebody else's prompt: what a reader does
// not notice on a CPU, and what a GPU manages easily.
func (o Options) stepTime() time.Duration {
	switch {
	case o.StepTime != 0:
		return o.StepTime
	case o.GPULayers != 0 && llama.Info().CUDA:
		return 35 * time.Millisecond
	}
	return 100 * time.Millisecond
}

// firstKeys is the type of keys unless calibration finds a better one.
func firstKeys(name string) string {
	if name == keysAuto {
		return "f16"
	}
	return orText(name, "f16")
}

func parseFlashAttention(name string) (llama.FlashAttention, error) {
	switch name {
	case "", "auto":
		return llama.FlashAuto, nil
	case "on":
		return llama.FlashOn, nil
	case "off":
		return llama.FlashOff, nil
	}
	return 0, fmt.Errorf("flash attention %q: auto, on or off are possible", name)
}

func or(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func orText(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}
