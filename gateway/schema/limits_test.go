package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"aigw/gateway/schema"
)

// refuse parses a body that must be refused, and returns the answer.
func refuse[T any](t *testing.T, kind schema.Kind[T], body string) (schema.Errors, string) {
	t.Helper()
	_, err := schema.Parse(kind, "", []byte(body))
	var refused schema.Errors
	if !errors.As(err, &refused) {
		t.Fatalf("error %v for %.100q", err, body)
	}
	answer, err := json.Marshal(refused)
	if err != nil || !utf8.Valid(answer) {
		t.Fatalf("answer is no JSON (%v): %.200q", err, answer)
	}
	return refused, string(answer)
}

func TestAnswersAreBounded(t *testing.T) {
	number := holder(asAny(schema.Int()))
	numbers := holder(asAny(schema.List(schema.Int())))
	huge := strings.Repeat("x", 5<<20)
	for _, test := range []struct {
		name string
		kind schema.Kind[any]
		body string
		want string // part of the answer
	}{
		{"long string", number, `{"v":"` + huge + `"}`, `"input":"` + strings.Repeat("x", 1024) + `…"`},
		{"long string of escapes", number, `{"v":"` + strings.Repeat(`\ud83d\ude00`, 500_000) + `"}`, strings.Repeat("😀", 1024) + `…"`},
		{"string at the limit", number, `{"v":"` + strings.Repeat("é", 1024) + `"}`, `"input":"` + strings.Repeat("é", 1024) + `"`},
		{"long list", number, `{"v":[` + strings.Repeat("1,", 1<<20) + `1]}`, `1,1,"…"]`},
		{"long object", number, `{"a":{},"b":"` + huge + `"}`, `{"a":{},"b":"` + strings.Repeat("x", 1024) + `…"}`},
		{"many members", asAny(pairKind), manyMembers(100_000), `"…":"…"}`},
		{"deep nesting", number, `{"v":` + strings.Repeat("[", 800) + strings.Repeat("]", 800) + `}`, strings.Repeat("[", 33) + `"…"` + strings.Repeat("]", 33)},
		{"many errors", numbers, `{"v":["x"` + strings.Repeat(`,"x"`, 1<<20) + `]}`, `"loc":["body","v",999]`},
		{"many long errors", numbers, `{"v":["` + strings.Repeat("x", 2000) + `"` + strings.Repeat(`,"`+strings.Repeat("x", 2000)+`"`, 2000) + `]}`, `"input":null}`},
		{"long tag", kinds["version"], `{"version":"` + huge + `"}`, strings.Repeat("x", 1024) + `…' found using`},
		{"long list as tag", kinds["version"], `{"version":[` + strings.Repeat("1,", 1<<20) + `1]}`, `, 1, …]' found using`},
		{"deep tag", kinds["version"], `{"version":` + strings.Repeat("[", 800) + strings.Repeat("]", 800) + `}`, strings.Repeat("[", 33) + "…" + strings.Repeat("]", 33)},
	} {
		t.Run(test.name, func(t *testing.T) {
			refused, answer := refuse(t, test.kind, test.body)
			if len(answer) > 300<<10 || len(refused) > 1000 {
				t.Errorf("%d bytes in %d errors", len(answer), len(refused))
			}
			if !strings.Contains(answer, test.want) {
				t.Errorf("answer %.300q lacks %.100q", answer, test.want)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	b.WriteString(`{"b":1`)
	for i := range n {
		fmt.Fprintf(&b, `,"member-with-a-long-name-%d":%d`, i, i)
	}
	return b.String() + `}`
}

func TestKeysAreNotRepeated(t *testing.T) {
	for _, test := range []struct{ name, body string }{
		{"member of the refused object", `{"model_api_key":"sesame"}`},
		{"deep inside", `{"x":[{"y":{"API_KEY":["sesame"]}}]}`},
		{"given twice", `{"api_key":"sesame","api_key":"sesame2"}`},
		{"escaped name", `{"api_ke\u0079":"sesame"}`},
		{"JSON as a text", `{"v":"{\"api_key\":\"sesame\"}"}`},
		{"other names", `{"Authorization":"sesame","password":"sesame","token":"sesame"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, answer := refuse(t, holder(asAny(schema.Int())), test.body); strings.Contains(answer, "sesame") {
				t.Errorf("answer %s", answer)
			}
			if _, answer := refuse(t, kinds["version"], `{"version":`+test.body+`}`); strings.Contains(answer, "sesame") {
				t.Errorf("answer to a tag: %s", answer)
			}
			_, err := schema.Parse(kinds["any"], "text/plain", []byte(test.body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = schema.Parse(holder(kinds["any"]), "text/plain", []byte(test.body))
			if answer, _ := json.Marshal(err); test.name != "escaped name" && test.name != "other names" && strings.Contains(string(answer), "sesame") {
				t.Errorf("answer to a plain text: %s", answer)
			}
		})
	}
	type secret struct{ Key string }
	kind := schema.Object(schema.Required("model_api_key", schema.String().Max(3), func(s *secret) *string { return &s.Key }))
	for _, body := range []string{`{"model_api_key":"sesame"}`, `{"model_api_key":["sesame"]}`, `{"model_api_key":12345678}`} {
		refused, answer := refuse(t, kind, body)
		if !strings.Contains(answer, `"input":"**********"`) || strings.Contains(refused.Error(), "sesame") || strings.Contains(answer, "12345678") {
			t.Errorf("answer %s", answer)
		}
	}
}

// A body costs a small multiple of its own size, whatever is in it.
func TestMemoryIsBounded(t *testing.T) {
	const size = 8 << 20
	for name, body := range map[string]string{
		"nothing but brackets": `{"v":1,"x":[` + strings.Repeat("[],", size/3) + `1]}`,
		"members":              `{"v":1,"x":{` + strings.Repeat(`"a":1,`, size/6) + `"b":1}}`,
		"top-level members":    `{` + strings.Repeat(`"a":1,`, size/6) + `"v":1}`,
		"a string of escapes":  `{"v":1,"x":"` + strings.Repeat(`\u0041`, size/6) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			bytes := []byte(body)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			if _, err := schema.Parse(holder(asAny(schema.Int())), "", bytes); err != nil {
				t.Fatal(err)
			}
			runtime.ReadMemStats(&after)
			if used := after.TotalAlloc - before.TotalAlloc; used > 3*size {
				t.Errorf("%d MiB for a body of %d", used>>20, size>>20)
			}
		})
	}
}

func TestDepth(t *testing.T) {
	nested := func(n int) []byte {
		return []byte(`{"v":1,"x":` + strings.Repeat("[", n) + strings.Repeat("]", n) + `}`)
	}
	if _, err := schema.Parse(holder(asAny(schema.Int())), "", nested(899)); err != nil {
		t.Errorf("899 lists in an object: %v", err)
	}
	for _, n := range []int{900, 100_000} {
		if _, err := schema.Parse(holder(asAny(schema.Int())), "", nested(n)); !errors.Is(err, schema.ErrUnreadable) {
			t.Errorf("%d lists in an object: %v", n, err)
		}
	}
}

func TestRuleSeesTheMembersBefore(t *testing.T) {
	type interval struct{ Low, High int64 }
	kind := schema.Object(
		schema.Required("low", schema.Int(), func(r *interval) *int64 { return &r.Low }),
		schema.Optional("high", schema.Int(), func(r *interval) *int64 { return &r.High }).Check(func(r *interval, high int64) error {
			if high < r.Low {
				return fmt.Errorf("high is below %d", r.Low)
			}
			return nil
		}),
	)
	if got, err := schema.Parse(kind, "", []byte(`{"high":7,"low":3}`)); err != nil || got != (interval{3, 7}) {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := schema.Parse(kind, "", []byte(`{"low":3}`)); err != nil || got != (interval{3, 0}) {
		t.Errorf("an absent member: %+v, %v", got, err)
	}
	want := `[{"type":"value_error","loc":["body","high"],"msg":"Value error, high is below 3","input":2,"ctx":{"error":{}}}]`
	if refused, answer := refuse(t, kind, `{"low":3,"high":2}`); answer != want || refused.Error() != "body.high: Value error, high is below 3" {
		t.Errorf("answer %s", answer)
	}
}
