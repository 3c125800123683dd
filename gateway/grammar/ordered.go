package grammar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// node is a JSON value whose members keep their order: a model is to write an object's properties in
// the order in which its schema has them.
type node struct {
	value any // bool, json.Number, string, nil; []node for an array, []member for an object
}

type member struct {
	name  string
	value node
}

const (
	maxSchemaBytes = 64 << 10
	maxSchemaDepth = 48
)

// decode reads one JSON value and nothing behind it.
func decode(text []byte) (node, error) {
	if len(text) > maxSchemaBytes {
		return node{}, fmt.Errorf("%d bytes, at most %d", len(text), maxSchemaBytes)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	n, err := decodeNode(d, 0)
	if err != nil {
		return node{}, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return node{}, errors.New("something follows the JSON value")
	}
	return n, nil
}

func decodeNode(d *json.Decoder, depth int) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	if depth > maxSchemaDepth {
		return node{}, fmt.Errorf("nested deeper than %d", maxSchemaDepth)
	}
	switch token {
	case json.Delim('{'):
		members := []member{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return node{}, err
			}
			value, err := decodeNode(d, depth+1)
			if err != nil {
				return node{}, err
			}
			members = append(members, member{name.(string), value})
		}
		_, err := d.Token()
		return node{value: members}, err
	case json.Delim('['):
		items := []node{}
		for d.More() {
			item, err := decodeNode(d, depth+1)
			if err != nil {
				return node{}, err
			}
			items = append(items, item)
		}
		_, err := d.Token()
		return node{value: items}, err
	}
	return node{value: token}, nil
}

// get returns a member by name; of several the last, as most readers of JSON do.
func (n node) get(name string) (node, bool) {
	members, _ := n.value.([]member)
	for i := len(members) - 1; i >= 0; i-- {
		if members[i].name == name {
			return members[i].value, true
		}
	}
	return node{}, false
}

// encode writes the value as compact JSON.
func (n node) encode() string {
	var b bytes.Buffer
	n.write(&b)
	return b.String()
}

func (n node) write(b *bytes.Buffer) {
	switch v := n.value.(type) {
	case []member:
		b.WriteByte('{')
		for i, m := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(quote(m.name) + ": ")
			m.value.write(b)
		}
		b.WriteByte('}')
	case []node:
		b.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			item.write(b)
		}
		b.WriteByte(']')
	case string:
		b.WriteString(quote(v))
	case nil:
		b.WriteString("null")
	default:
		fmt.Fprint(b, v)
	}
}

// quote writes a string as JSON, without the escapes that only HTML needs.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a string can always be written
	return string(bytes.TrimRight(b.Bytes(), "\n"))
}
