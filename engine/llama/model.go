package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/cgo"
	"slices"
	"unsafe"
)

// LoadMode says how weights get into memory; numbered as enum llama_load_mode.
type LoadMode int32

// Load modes. The zero value is not llama.cpp's own default but its recommended one.
const (
	LoadAuto     LoadMode = iota // llama.cpp decides by the devices
	LoadRead                     // read into memory of the process's own
	LoadMap                      // map the file: pages are shared with the page cache
	LoadLock                     // read, and keep it from being swapped out
	LoadMapLock                  // both
	LoadDirectIO                 // read past the page cache, where the system can
)

// cValue is the mode's number in C, where automatic is -1.
func (m LoadMode) cValue() C.int32_t { return C.int32_t(m) - 1 }

// Override replaces one entry of the file's metadata while loading.
type Override struct {
	Key   string // at most 127 bytes, such as "tokenizer.ggml.add_bos_token"
	Value any    // bool, int64, float64, or a string of at most 127 bytes
}

// ModelOptions say how a file is loaded. The zero value loads it for the CPU.
type ModelOptions struct {
	// GPULayers is how many layers go to GPUs and other machines (AddRemote): 0 uses none at all, -1 means all.
	GPULayers int
	NoRemote  bool // use no other machine
	LoadMode  LoadMode
	// NoRepack keeps weights as they are in the file. Repacked ones are faster on most CPUs but
	// a second copy in memory when the file is mapped.
	NoRepack bool
	// VocabOnly reads metadata and vocabulary; such a model makes no contexts and its dimensions
	// (TrainContext, Layers and so on) are 0.
	VocabOnly bool
	// PlanOnly reads no weights and allocates nothing large: MemoryBytes of the model's contexts says
	// what loading would take, and they do nothing else. LoadMode is not used.
	PlanOnly bool
	// CheckTensors looks for invalid numbers in all weights, which takes time.
	CheckTensors bool
	Overrides    []Override
	// Progress is called from within LoadModel with the fraction of the weights that is loaded,
	// from 0 to 1. Returning false ends the load with ErrLoadCancelled.
	Progress func(fraction float32) bool
}

// Model is a loaded file. It may be used concurrently.
type Model struct {
	refs
	h     *C.aigw_model
	info  modelInfo
	vocab Vocab
}

// modelInfo is what is known of a model for good.
type modelInfo struct {
	description                         string
	sizeBytes, parameters               uint64
	trainContext, layers, embedding     int
	heads, headsKV, window              int
	learnedPositions                    bool
	recurrent, hybrid, diffusion        bool
	hasEncoder, hasDecoder, isVocabOnly bool
	isPlanOnly                          bool
}

// LoadModel loads a GGUF file, or the split set whose first file path names. A file whose numbers
// contradict each other can still make llama.cpp abort: load one that was never loaded before in a
// child process first.
//
//	struct llama_model * llama_model_load_from_file(const char * path_model, struct llama_model_params params);
func LoadModel(path string, o ModelOptions) (*Model, error) {
	if err := initialized(); err != nil {
		return nil, err
	}
	if err := checkFile(path); err != nil {
		return nil, err
	}
	if o.LoadMode < LoadAuto || o.LoadMode > LoadDirectIO {
		return nil, fmt.Errorf("load %s: unknown load mode %d", path, o.LoadMode)
	}
	overrides, err := convertOverrides(o.Overrides)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", path, err)
	}
	gpuLayers := o.GPULayers
	if gpuLayers < 0 {
		gpuLayers = -1
	}
	options := C.aigw_model_options{
		gpu_layers:    C.int32_t(gpuLayers),
		load_mode:     o.LoadMode.cValue(),
		no_repack:     C.bool(o.NoRepack),
		vocab_only:    C.bool(o.VocabOnly),
		plan_only:     C.bool(o.PlanOnly),
		no_remote:     C.bool(o.NoRemote),
		check_tensors: C.bool(o.CheckTensors),
		n_overrides:   C.int32_t(len(overrides)),
	}
	progress := &progressCall{f: o.Progress}
	if o.Progress != nil {
		handle := cgo.NewHandle(progress)
		defer handle.Delete()
		options.progress = C.uintptr_t(handle)
	}
	cpath := C.CString(path)
	defer C.free(unsafe.Pointer(cpath))

	var (
		h    *C.aigw_model
		info C.aigw_model_info
		cerr C.aigw_error
	)
	code := C.aigw_model_load(cpath, &options, unsafe.SliceData(overrides), &h, &info, &cerr)
	if progress.panicked != nil {
		if code == C.AIGW_OK {
			C.aigw_model_free(h)
		}
		panic(progress.panicked)
	}
	switch code {
	case C.AIGW_OK:
	case C.AIGW_CANCELLED:
		return nil, fmt.Errorf("load %s: %w", path, ErrLoadCancelled)
	default:
		return nil, fmt.Errorf("load %s: %s", path, reason(&cerr))
	}

	m := &Model{h: h, info: convertInfo(&info, o.VocabOnly)}
	m.refs.init(func() { C.aigw_model_free(m.h) })
	m.info.isPlanOnly = o.PlanOnly
	arch, _ := m.Meta("general.architecture")
	m.info.learnedPositions = slices.Contains(positionTables, arch)
	if err := m.vocab.read(m, &info); err != nil {
		m.Close()
		return nil, fmt.Errorf("load %s: read vocabulary: %w", path, err)
	}
	return m, nil
}

// checkFile finds what would otherwise be a puzzling line from deep inside llama.cpp.
func checkFile(path string) error {
	for i := range len(path) {
		if path[i] == 0 {
			return errors.New("load model: the path holds a NUL byte")
		}
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("load model: %w", err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return fmt.Errorf("load model: %w", err)
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("load %s: %w: it is not a regular file", path, ErrNotGGUF)
	}
	var magic [4]byte
	if _, err := io.ReadFull(f, magic[:]); err != nil || string(magic[:]) != "GGUF" {
		return fmt.Errorf("load %s: %w: it does not start with \"GGUF\"; get the model in GGUF format", path, ErrNotGGUF)
	}
	return nil
}

// overrideBytes is the room in llama_model_kv_override for a key or a string, without its NUL.
const overrideBytes = 127

func convertOverrides(in []Override) ([]C.aigw_override, error) {
	out := make([]C.aigw_override, len(in))
	for i, o := range in {
		c := &out[i]
		if o.Key == "" || !copyString(c.key[:], o.Key) {
			return nil, fmt.Errorf("%w: key %q needs 1 to %d bytes", ErrOverride, o.Key, overrideBytes)
		}
		switch v := o.Value.(type) {
		case bool:
			c.kind, c.flag = C.AIGW_OVERRIDE_BOOL, C.bool(v)
		case int64:
			c.kind, c.i64 = C.AIGW_OVERRIDE_INT, C.int64_t(v)
		case float64:
			c.kind, c.f64 = C.AIGW_OVERRIDE_FLOAT, C.double(v)
		case string:
			c.kind = C.AIGW_OVERRIDE_STRING
			if !copyString(c.str[:], v) {
				return nil, fmt.Errorf("%w: the value of %q is longer than %d bytes", ErrOverride, o.Key, overrideBytes)
			}
		default:
			return nil, fmt.Errorf("%w: the value of %q is a %T; use bool, int64, float64 or string", ErrOverride, o.Key, o.Value)
		}
	}
	return out, nil
}

// copyString copies s and a NUL, if they fit and s holds no NUL of its own.
func copyString(to []C.char, s string) bool {
	if len(s) >= len(to) {
		return false
	}
	for i := range len(s) {
		if s[i] == 0 {
			return false
		}
		to[i] = C.char(s[i])
	}
	return true
}

// progressCall carries a progress function through C.
type progressCall struct {
	f        func(float32) bool
	panicked any
}

// aigwGoProgress is called by llama.cpp while it loads. A panic must not unwind through C++: it
// ends the load and goes on in LoadModel.
//
//export aigwGoProgress
func aigwGoProgress(handle C.uintptr_t, fraction C.float) (more C.bool) {
	p := cgo.Handle(handle).Value().(*progressCall)
	defer func() {
		if r := recover(); r != nil {
			p.panicked, more = r, false
		}
	}()
	return C.bool(p.f(float32(fraction)))
}

func convertInfo(c *C.aigw_model_info, vocabOnly bool) modelInfo {
	return modelInfo{
		description:  C.GoString(&c.description[0]),
		sizeBytes:    uint64(c.size_bytes),
		parameters:   uint64(c.parameters),
		trainContext: int(c.train_context),
		layers:       int(c.layers),
		embedding:    int(c.embedding),
		heads:        int(c.heads),
		headsKV:      int(c.heads_kv),
		window:       int(c.sliding_window),
		recurrent:    bool(c.recurrent),
		hybrid:       bool(c.hybrid),
		diffusion:    bool(c.diffusion),
		hasEncoder:   bool(c.encoder),
		hasDecoder:   bool(c.decoder),
		isVocabOnly:  vocabOnly,
	}
}

// positionTables are the architectures that look positions up in a table of learned ones (those that
// load LLM_TENSOR_POS_EMBD in src/models of v0.5.0). ggml aborts on a row behind its end.
var positionTables = []string{"bert", "gpt2", "mpt", "starcoder"}

// Close frees the model once its last context is closed. It may be called twice.
//
//	void llama_model_free(struct llama_model * model);
func (m *Model) Close() error {
	m.refs.close()
	return nil
}

// Vocab is the model's vocabulary.
func (m *Model) Vocab() *Vocab { return &m.vocab }

// Description names architecture, size and quantisation, such as "llama 135M Q4_1".
func (m *Model) Description() string { return m.info.description }

// SizeBytes is the size of all weights in the file.
func (m *Model) SizeBytes() uint64 { return m.info.sizeBytes }

// Parameters is the number of weights.
func (m *Model) Parameters() uint64 { return m.info.parameters }

// TrainContext is the number of tokens that the model was trained for.
func (m *Model) TrainContext() int { return m.info.trainContext }

// Layers, Embedding, Heads and HeadsKV are the model's dimensions.
func (m *Model) Layers() int    { return m.info.layers }
func (m *Model) Embedding() int { return m.info.embedding }
func (m *Model) Heads() int     { return m.info.heads }
func (m *Model) HeadsKV() int   { return m.info.headsKV }

// SlidingWindow is the number of tokens that some of the layers look back; 0 if all see the whole
// context. Positions behind the window are forgotten, so a prefix may not be reusable.
func (m *Model) SlidingWindow() int { return m.info.window }

// IsRecurrent and IsHybrid tell that some or all layers keep a state instead of cells, which can
// be rolled back only as a whole.
func (m *Model) IsRecurrent() bool { return m.info.recurrent }
func (m *Model) IsHybrid() bool    { return m.info.hybrid }

// IsDiffusion, HasEncoder and HasDecoder tell what else a file may be; see ErrNotGenerative.
func (m *Model) IsDiffusion() bool { return m.info.diffusion }
func (m *Model) HasEncoder() bool  { return m.info.hasEncoder }
func (m *Model) HasDecoder() bool  { return m.info.hasDecoder }

var _ io.Closer = (*Model)(nil)
