package llama

// #include "shim.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"unsafe"
)

// FileType is the number format of most of a file's weights; numbered as enum llama_ftype.
type FileType int32

// File types. Full precision is for tests that compare logits: it leaves out the noise that
// rounding activations to eight bits makes.
const (
	FileF32 FileType = 0
	FileF16 FileType = 1
)

// Quantize writes the model in from to the file to with weights of type t. Weights that are
// quantised already are expanded first, so precision that is lost stays lost.
//
//	uint32_t llama_model_quantize(const char * fname_inp, const char * fname_out, const llama_model_quantize_params * params);
func Quantize(from, to string, t FileType, threads int) error {
	if err := checkFile(from); err != nil {
		return err
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
