package llama

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
)

// maxTreeDepth bounds what a template is given: schemas of tools have some ten levels.
const maxTreeDepth = 64

// The variables of a template are written as the shim reads them: a letter for the kind of a value, then its
// number, its length and bytes, or what is in it up to the closing bracket. Names in objects have a
// comma before them.

// appendMessages writes the variable messages. parts makes a list of one part of each content.
func appendMessages(messages []Message, parts bool) []byte {
	out := append(appendName([]byte{'{'}, "messages"), '[')
	for _, m := range messages {
		out = appendText(appendName(append(out, '{'), "role"), m.Role)
		out = appendName(out, "content")
		if parts {
			out = appendText(appendName(append(out, '[', '{'), "type"), "text")
			out = appendName(out, "text")
		}
		out = appendText(out, m.Content)
		if parts {
			out = append(out, '}', ']')
		}
		out = append(out, '}')
	}
	return append(out, ']', '}')
}

func appendText(out []byte, s string) []byte { return appendString(append(out, 's'), s) }

func appendName(out []byte, name string) []byte { return appendString(append(out, ','), name) }

func appendString(out []byte, s string) []byte {
	return append(binary.NativeEndian.AppendUint32(out, uint32(len(s))), s...)
}

// appendTree writes a JSON object.
func appendTree(object []byte, text func(string) string) ([]byte, error) {
	if text == nil {
		text = func(s string) string { return s }
	}
	d := json.NewDecoder(bytes.NewReader(object))
	d.UseNumber()
	w := treeWriter{d: d, text: text}
	if err := w.value(0); err != nil {
		return nil, err
	}
	if w.out[0] != '{' || d.More() {
		return nil, errors.New("the variables of a template are an object")
	}
	return w.out, nil
}

type treeWriter struct {
	d    *json.Decoder
	text func(string) string
	out  []byte
}

func (w *treeWriter) value(depth int) error {
	if depth > maxTreeDepth {
		return fmt.Errorf("what a template is given is nested deeper than %d", maxTreeDepth)
	}
	token, err := w.d.Token()
	if err != nil {
		return err
	}
	switch v := token.(type) {
	case nil:
		w.out = append(w.out, 'n')
	case bool:
		letter := byte('f')
		if v {
			letter = 't'
		}
		w.out = append(w.out, letter)
	case json.Number:
		w.number(v)
	case string:
		w.out = appendText(w.out, w.text(v))
	case json.Delim:
		w.out = append(w.out, byte(v))
		for w.d.More() {
			if v == '{' {
				name, err := w.d.Token()
				if err != nil {
					return err
				}
				w.out = appendName(w.out, w.text(name.(string))) // the decoder takes nothing else
			}
			if err := w.value(depth + 1); err != nil {
				return err
			}
		}
		end, err := w.d.Token()
		if err != nil {
			return err
		}
		w.out = append(w.out, byte(end.(json.Delim)))
	}
	return nil
}

func (w *treeWriter) number(n json.Number) {
	if whole, err := n.Int64(); err == nil {
		w.out = binary.NativeEndian.AppendUint64(append(w.out, 'i'), uint64(whole))
		return
	}
	v, err := n.Float64()
	if err != nil { // too large
		v = math.MaxFloat64
	}
	w.out = binary.NativeEndian.AppendUint64(append(w.out, 'd'), math.Float64bits(v))
}
