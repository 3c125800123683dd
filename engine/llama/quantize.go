package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// FileType is the number format of most of a file's weights; numbered as enum llama_ftype.
type FileType int32

// File types. Full precision is for tests that compare logits: it leaves out the noise that
// rounding activations to eight bits makes.
const (
	FileF32 FileType = 0
	FileF16 FileType = 1
	// FileQ4_0 is a format that ggml repacks for most CPUs.
	FileQ4_0 FileType = 2
)

// Quantize writes the model in from to the file to with weights of type t. Weights that are
// quantised already are expanded first, so precision that is lost stays lost. With threads at 0
// it uses all processors.
//
//	uint32_t llama_model_quantize(const char * fname_inp, const char * fname_out, const llama_model_quantize_params * params);
func Quantize(from, to string, t FileType, threads int) error {
	if err := initialized(); err != nil {
		return err
	}
	if err := checkFile(from); err != nil {
		return err
	}
	if t != FileF32 && t != FileF16 && t != FileQ4_0 {
		return fmt.Errorf("write %s: unknown file type %d", to, t)
	}
	if threads < 0 || threads > maxThreads {
		return fmt.Errorf("write %s: %w: %d", to, ErrThreads, threads)
	}
	if strings.IndexByte(to, 0) >= 0 {
		return fmt.Errorf("write model: the path holds a NUL byte")
	}
	// The source is mapped while the target is written.
	a, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
		return fmt.Errorf("write %s: it is the file to read; name another", to)
	}
	cfrom, cto := C.CString(from), C.CString(to)
	defer C.free(unsafe.Pointer(cfrom))
	defer C.free(unsafe.Pointer(cto))
	var cerr C.aigw_error
	if C.aigw_quantize(cfrom, cto, C.int32_t(t), C.int32_t(threads), &cerr) != C.AIGW_OK {
		return fmt.Errorf("write %s: %s", to, reason(&cerr))
	}
	return nil
}
