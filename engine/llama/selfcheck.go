package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import "unsafe"

// Tests cannot use cgo themselves; what they need of C beyond the package's own functions is here.

// layout returns a size, an offset or an enum value of llama.h as the shim was compiled with it,
// and -1 if the shim does not list that name.
func layout(name string) int64 {
	cname := C.CString(name)
	defer C.free(unsafe.Pointer(cname))
	return int64(C.aigw_layout(cname))
}

// logThrough logs as llama.cpp does, through the callback that Init has set.
func logThrough(level int, text string) {
	ctext := C.CString(text)
	defer C.free(unsafe.Pointer(ctext))
	C.aigw_log_test(C.int32_t(level), ctext)
}

// abortProcess ends the process as a failed assertion in llama.cpp does.
func abortProcess(text string) {
	ctext := C.CString(text)
	C.aigw_abort_test(ctext)
}
