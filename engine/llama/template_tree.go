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

// appendTree writes a JSON object as the shim reads it: a letter for the kind of a value, then its
// number, its length and bytes, or what is in it up to the closing bracket. Names in objects have a
// comma before them.
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
		w.out = append(w.out, 's')
		w.string(v)
	case json.Delim:
		w.out = append(w.out, byte(v))
		for w.d.More() {
			if v == '{' {
				name, err := w.d.Token()
				if err != nil {
					return err
				}
				w.out = append(w.out, ',')
				w.string(name.(string)) // the decoder takes nothing else
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

func (w *treeWriter) string(s string) {
	s = w.text(s)
	w.out = binary.NativeEndian.AppendUint32(w.out, uint32(len(s)))
	w.out = append(w.out, s...)
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
