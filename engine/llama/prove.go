package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"unsafe"
)

// A process that chooseVariants started does nothing but try one variant, whatever program it is: the
// gateway, a test, the benchmark. What comes of it is printed, or is a signal that ends it.
func init() {
	file := os.Getenv(proveVariable)
	if file == "" || !dynamic {
		return
	}
	cfile := C.CString(file)
	var score C.int32_t
	var cerr C.aigw_error
	p := proof{}
	if C.aigw_backend_prove(cfile, &score, &cerr) != C.AIGW_OK {
		p.Fault = reason(&cerr)
	}
	p.Score = int(score)
	if json.NewEncoder(os.Stdout).Encode(p) != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// loadBackends loads the plug-ins of a dynamic build: what computes beside the CPU, and the CPU
// variant that works. A GPU's back end without its driver is no error: the CPU computes then.
func loadBackends(dir string, log *slog.Logger) error {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if int(C.aigw_backend_count()) > 0 {
		return nil // a call before this one did it
	}
	if dir == "" {
		path := make([]byte, 4096)
		var cerr C.aigw_error
		if C.aigw_backend_dir((*C.char)(unsafe.Pointer(&path[0])), C.size_t(len(path)), &cerr) != C.AIGW_OK {
			return fmt.Errorf("initialise llama.cpp: %s", reason(&cerr))
		}
		dir = filepath.Dir(C.GoString((*C.char)(unsafe.Pointer(&path[0]))))
	}
	variants, err := chooseVariants(context.Background(), dir, log)
	if err != nil {
		return fmt.Errorf("initialise llama.cpp: %w", err)
	}
	others, err := otherBackends(dir)
	if err != nil {
		return err
	}
	unloadable = nil
	for _, file := range others {
		if err := loadBackend(file); err != nil {
			log.Warn("a back end cannot be used here; the CPU computes instead", "file", filepath.Base(file), "reason", err)
			unloadable = append(unloadable, Unloadable{filepath.Base(file), err.Error()})
		}
	}
	// ggml refuses a variant for another CPU. Under an emulator that can be the best one: what proved it ran
	// beside the emulator, or was remembered from before.
	var refused error
	for _, file := range variants {
		if err = loadBackend(file); err == nil {
			return nil
		}
		refused = errors.Join(refused, fmt.Errorf("initialise llama.cpp: %s: %w", file, err))
	}
	return refused
}

// unloadable is written by Init alone, before it is done.
var unloadable []Unloadable

func loadBackend(file string) error {
	cfile := C.CString(file)
	defer C.free(unsafe.Pointer(cfile))
	var cerr C.aigw_error
	return failure(C.aigw_backend_load(cfile, &cerr), &cerr)
}
