package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"fmt"
	"io"
	"strings"
	"unsafe"
)

// maxTemplateBytes bounds the source of a template; the largest in use have 25 kB.
const maxTemplateBytes = 128 << 10

// Message is one turn of a conversation, for a template.
type Message struct{ Role, Content string }

// Template is the chat template of a model file, a program in the language Jinja, run by llama.cpp's own
// engine. A run is bounded: a second, 4 MB of text. It may be used concurrently.
type Template struct {
	refs
	h *C.aigw_template
	// Tools and ToolCalls say whether the template knows a list of tools and calls of the assistant,
	// SystemRole whether it takes messages of the system. They were found out by running it.
	Tools, ToolCalls, SystemRole bool
	parts                        bool // it takes a content as a list of parts only
}

// ParseTemplate reads a template. bos and eos are the texts of the tokens that it may write as
// bos_token and eos_token.
func ParseTemplate(source, bos, eos string) (*Template, error) {
	if len(source) > maxTemplateBytes {
		return nil, fmt.Errorf("%w: it has %d bytes, at most %d", ErrTemplate, len(source), maxTemplateBytes)
	}
	if strings.IndexByte(bos+eos, 0) >= 0 {
		return nil, fmt.Errorf("%w: a special token has a NUL in its text", ErrTemplate)
	}
	cbos, ceos := C.CString(bos), C.CString(eos)
	defer C.free(unsafe.Pointer(cbos))
	defer C.free(unsafe.Pointer(ceos))
	var (
		h    *C.aigw_template
		caps C.aigw_template_caps
		cerr C.aigw_error
	)
	code := C.aigw_template_new((*C.char)(unsafe.Pointer(unsafe.StringData(source))), C.int32_t(len(source)), cbos, ceos, &h, &caps, &cerr)
	if err := failure(code, &cerr); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	t := &Template{h: h, Tools: bool(caps.tools), ToolCalls: bool(caps.tool_calls), SystemRole: bool(caps.system_role), parts: bool(caps.parts)}
	t.refs.init(func() { C.aigw_template_free(t.h) })
	return t, nil
}

// Render writes messages and the beginning of the assistant's answer.
func (t *Template) Render(messages []Message) (string, error) {
	return t.render(appendMessages(messages, t.parts))
}

// RenderTree is Render for what a text of messages cannot say: variables is a JSON object of what the
// template is given, such as messages and tools, whose members keep their order. text, unless nil, changes each
// string in it.
func (t *Template) RenderTree(variables []byte, text func(string) string) (string, error) {
	tree, err := appendTree(variables, text)
	if err != nil {
		return "", fmt.Errorf("render: %w", err)
	}
	return t.render(tree)
}

// render runs the template on variables that template_tree.go has written.
func (t *Template) render(tree []byte) (string, error) {
	if len(tree) > MaxTextBytes {
		return "", fmt.Errorf("render: %w: %d bytes, at most %d", ErrTextTooLong, len(tree), MaxTextBytes)
	}
	if !t.acquire() {
		return "", fmt.Errorf("render: %w", ErrClosed)
	}
	defer t.release()
	var (
		text *C.char
		n    C.int32_t
		cerr C.aigw_error
	)
	code := C.aigw_template_render(t.h, (*C.char)(unsafe.Pointer(unsafe.SliceData(tree))), &text, &n, &cerr)
	if err := failure(code, &cerr); err != nil {
		return "", fmt.Errorf("%w: %w", ErrTemplate, err)
	}
	defer C.aigw_free(unsafe.Pointer(text))
	return C.GoStringN(text, n), nil
}

// Close frees the template. It may be called twice.
func (t *Template) Close() error {
	t.refs.close()
	return nil
}

var _ io.Closer = (*Template)(nil)
