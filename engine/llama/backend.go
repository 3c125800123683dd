package llama

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
)

// NUMA says how threads and memory are spread over the sockets of a machine.
type NUMA int32

// Strategies, numbered as enum ggml_numa_strategy.
const (
	NUMADisabled   NUMA = iota
	NUMADistribute      // threads on all nodes
	NUMAIsolate         // threads on the node on which Init runs
	NUMAControl         // as numactl was told to
	NUMAMirror          // reserved by ggml
)

// InitOptions prepare the process for llama.cpp.
type InitOptions struct {
	// Logger receives llama.cpp's log; nil discards it. SetLogger changes it later.
	Logger *slog.Logger
	// BackendDir holds the back-end plug-ins (libggml-cpu-*.so and so on) of a build with
	// llama_dl; empty means the folder of the ggml library. Static builds ignore it.
	BackendDir string
	// NUMA must be chosen before the first model is loaded.
	NUMA NUMA
}

var initState struct {
	sync.Mutex
	done atomic.Bool
}

// Init prepares the process: log, last words, back ends. It works once: later calls only set the
// logger, and a call after a failed one tries again. It may be called from any goroutine.
//
//	void llama_backend_init(void);
//	void llama_log_set(ggml_log_callback log_callback, void * user_data);
//	ggml_abort_callback_t ggml_set_abort_callback(ggml_abort_callback_t callback);
//	ggml_backend_reg_t ggml_backend_load(const char * path);
//	void llama_numa_init(enum ggml_numa_strategy numa);
func Init(o InitOptions) error {
	initState.Lock()
	defer initState.Unlock()
	SetLogger(o.Logger)
	if initState.done.Load() {
		return nil
	}
	if o.NUMA < NUMADisabled || o.NUMA > NUMAMirror {
		return fmt.Errorf("initialise llama.cpp: unknown NUMA strategy %d", o.NUMA)
	}
	if dynamic {
		if o.BackendDir != "" {
			if info, err := os.Stat(o.BackendDir); err != nil {
				return fmt.Errorf("initialise llama.cpp: folder of the back ends: %w", err)
			} else if !info.IsDir() {
				return fmt.Errorf("initialise llama.cpp: %s is not a folder; name the one that holds libggml-cpu-*.so", o.BackendDir)
			}
		}
		if err := loadBackends(o.BackendDir, o.Logger); err != nil {
			return err
		}
	}
	var cerr C.aigw_error
	if C.aigw_init(C.int32_t(o.NUMA), &cerr) != C.AIGW_OK {
		return fmt.Errorf("initialise llama.cpp: %s", reason(&cerr))
	}
	initState.done.Store(true)
	return nil
}

// initialized refuses work before Init.
func initialized() error {
	if !initState.done.Load() {
		return ErrNotInitialized
	}
	return nil
}

// reason is the text of a failure in C.
func reason(e *C.aigw_error) string {
	if text := C.GoString(&e.text[0]); text != "" {
		return text
	}
	return "llama.cpp gave no reason; its log may tell more"
}

// failure makes an error of a code of the shim; nil for AIGW_OK.
func failure(code C.int32_t, e *C.aigw_error) error {
	if code == C.AIGW_OK {
		return nil
	}
	return errors.New(reason(e))
}
