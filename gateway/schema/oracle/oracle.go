// Package oracle reads the answers of the real FastAPI and pydantic that testdata/oracle.py wrote
// down, for tests to compare with.
package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Case is one body and the answer to it.
type Case struct {
	Line        int
	Schema      string
	ContentType string
	Body        []byte
	Status      int
	Answer      any // the "detail" list of 422, the parsed value of 200; nil if it was too long to keep
}

// Read returns the cases of a file. AIGW_ORACLE names another one, for a larger comparison.
func Read(t testing.TB, name string) []Case {
	t.Helper()
	if other := os.Getenv("AIGW_ORACLE"); other != "" {
		name = other
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var cases []Case
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var schema string
		var contentType *string
		var body json.RawMessage
		var status int
		var answer any
		d := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		d.UseNumber()
		if err := d.Decode(&[]any{&schema, &contentType, &body, &status, &answer}); err != nil {
			t.Fatalf("%s:%d: %v", name, len(cases)+1, err)
		}
		c := Case{Line: len(cases) + 1, Schema: schema, Body: expand(t, body), Status: status, Answer: answer}
		if contentType != nil {
			c.ContentType = *contentType
		}
		cases = append(cases, c)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(cases) == 0 {
		t.Fatalf("%s has no cases", name)
	}
	return cases
}

var repetition = regexp.MustCompile(`(?s)<<(.+?)\*(\d+)>>`)

func expand(t testing.TB, body json.RawMessage) []byte {
	t.Helper()
	var encoded struct{ Base64 []byte }
	if err := json.Unmarshal(body, &encoded); err == nil {
		return encoded.Base64
	}
	var s string
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	return []byte(repetition.ReplaceAllStringFunc(s, func(m string) string {
		parts := repetition.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(parts[1], n)
	}))
}

// Diff compares an answer with what was expected and returns "" if they agree. Numbers are
// compared as they are written. An expected error without "input" agrees with any.
func Diff(t testing.TB, got []byte, want any) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(got))
	d.UseNumber()
	var answer any
	if err := d.Decode(&answer); err != nil {
		return "not JSON: " + err.Error() + ": " + string(got)
	}
	if list, ok := want.([]any); ok {
		for i, one := range list {
			wanted, isError := one.(map[string]any)
			if _, kept := wanted["input"]; !isError || kept || wanted["type"] == nil {
				continue
			}
			if gotList, ok := answer.([]any); ok && i < len(gotList) {
				delete(gotList[i].(map[string]any), "input")
			}
		}
	}
	a, b := canonical(answer), canonical(want)
	if a == b {
		return ""
	}
	return "got  " + a + "\nwant " + b
}

func canonical(x any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(x) // made of what was decoded
	return strings.TrimSpace(b.String())
}
