package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"strings"
	"unsafe"
)

// Meta returns an entry of the file's metadata as text. Arrays are not kept by llama.cpp.
//
//	int32_t llama_model_meta_val_str(const struct llama_model * model, const char * key, char * buf, size_t buf_size);
func (m *Model) Meta(key string) (string, bool) {
	if strings.IndexByte(key, 0) >= 0 || !m.acquire() {
		return "", false
	}
	defer m.release()
	ckey := C.CString(key)
	defer C.free(unsafe.Pointer(ckey))
	return readString(func(buf *C.char, size C.size_t) C.int32_t {
		return C.aigw_model_meta_value(m.h, ckey, buf, size)
	})
}

// MetaAll returns all metadata that is not an array; nil after Close.
//
//	int32_t llama_model_meta_count(const struct llama_model * model);
//	int32_t llama_model_meta_key_by_index(const struct llama_model * model, int32_t i, char * buf, size_t buf_size);
func (m *Model) MetaAll() map[string]string {
	if !m.acquire() {
		return nil
	}
	defer m.release()
	all := make(map[string]string)
	for i := range C.aigw_model_meta_count(m.h) {
		key, ok := readString(func(buf *C.char, size C.size_t) C.int32_t {
			return C.aigw_model_meta_key(m.h, i, buf, size)
		})
		if !ok {
			continue
		}
		if value, ok := m.Meta(key); ok {
			all[key] = value
		}
	}
	return all
}

// readString asks twice where the first buffer was too small for the text and its NUL.
func readString(read func(*C.char, C.size_t) C.int32_t) (string, bool) {
	buf := make([]byte, 256)
	for {
		n := int(read((*C.char)(unsafe.Pointer(unsafe.SliceData(buf))), C.size_t(len(buf))))
		if n < 0 {
			return "", false
		}
		if n < len(buf) {
			return string(buf[:n]), true
		}
		buf = make([]byte, n+1)
	}
}

// ChatTemplate returns the Jinja template of that name; an empty name means the default one.
//
//	const char * llama_model_chat_template(const struct llama_model * model, const char * name);
func (m *Model) ChatTemplate(name string) (string, bool) {
	if strings.IndexByte(name, 0) >= 0 || !m.acquire() {
		return "", false
	}
	defer m.release()
	var cname *C.char
	if name != "" {
		cname = C.CString(name)
		defer C.free(unsafe.Pointer(cname))
	}
	text := C.aigw_model_chat_template(m.h, cname)
	if text == nil {
		return "", false
	}
	return C.GoString(text), true
}
