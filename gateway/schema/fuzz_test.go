package schema_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"aigw/gateway/schema"
	"aigw/gateway/schema/oracle"
)

// The syntax check accepts what encoding/json accepts, and beyond it only NaN and Infinity, and
// what Python is more generous with; every refusal is JSON.
func FuzzParse(f *testing.F) {
	for _, c := range oracle.Read(f, "testdata/kinds.jsonl") {
		if len(c.Body) < 200 {
			f.Add(c.Body)
		}
	}
	kinds := []schema.Kind[any]{
		asAny(pairKind), kinds["version"], kinds["tagged"], holder(kinds["text-or-messages"]), holder(kinds["dict-3"]),
		holder(kinds["int1-20"]), holder(kinds["float0-1"]), holder(kinds["bool"]), holder(kinds["url30"]), holder(kinds["any"]),
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if json.Valid(body) && utf8.Valid(body) && !bytes.Contains(body, []byte{0}) && len(body) < 4000 {
			var syntax schema.Errors
			_, err := schema.Parse(asAny(schema.Any()), "", append([]byte(`{"v":`), append(body, '}')...))
			if errors.As(err, &syntax) || err != nil && bytes.Count(body, []byte("["))+bytes.Count(body, []byte("{")) < 800 {
				t.Errorf("valid JSON is refused: %v", err)
			}
		}
		for _, kind := range kinds {
			_, err := schema.Parse(kind, "", body)
			var refused schema.Errors
			if !errors.As(err, &refused) {
				if err != nil && !errors.Is(err, schema.ErrUnreadable) {
					t.Fatalf("unknown error %v", err)
				}
				continue
			}
			answer, err := json.Marshal(refused)
			if err != nil || !utf8.Valid(answer) || len(refused) == 0 || refused.Error() == "" {
				t.Fatalf("answer %q, %v", answer, err)
			}
		}
	})
}

func BenchmarkParse(b *testing.B) {
	body := []byte(`{"v":{"a":"x","b":7,"c":true},"text":"` + string(bytes.Repeat([]byte("def greet(name):\\n    return name\\n"), 1000)) + `"}`)
	kind := holder(asAny(pairKind))
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := schema.Parse(kind, "", body); err != nil {
			b.Fatal(err)
		}
	}
}
