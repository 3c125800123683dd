// Package doctor runs checks one after the other and reports what was found, what was expected and
// what to do.
package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// Status is how a check ended.
type Status string

const (
	OK      Status = "ok"
	Warning Status = "warning" // works, and deserves a look
	Failed  Status = "failed"
	Skipped Status = "skipped" // what it needs is not there, or not asked for
)

// Result is what a check found.
type Result struct {
	Name     string `json:"name"`
	Status   Status `json:"status"`
	Found    string `json:"found"`
	Expected string `json:"expected,omitempty"`
	Do       string `json:"do,omitempty"`
	Millis   int64  `json:"duration_ms"`
}

// Check is one question. Its Run leaves the name and the duration to Run below.
type Check struct {
	Name string
	Run  func(context.Context) Result
}

// Run asks all questions in their order and hands each result to show as soon as it is there. A
// check that panics has failed.
func Run(ctx context.Context, checks []Check, show func(Result)) []Result {
	var out []Result
	for _, c := range checks {
		began := time.Now()
		r := one(ctx, c)
		r.Name, r.Millis = c.Name, time.Since(began).Milliseconds()
		out = append(out, r)
		show(r)
	}
	return out
}

func one(ctx context.Context, c Check) (r Result) {
	defer func() {
		if p := recover(); p != nil {
			r = Result{Status: Failed, Found: fmt.Sprintf("the check itself failed: %v", p), Do: "report this, with the output of aigw version"}
		}
	}()
	return c.Run(ctx)
}

// Fine, Off, Suspect and Bad make results.
func Fine(format string, args ...any) Result {
	return Result{Status: OK, Found: fmt.Sprintf(format, args...)}
}

// Off says why a check was not made.
func Off(why string) Result { return Result{Status: Skipped, Found: why} }

// Suspect is a warning.
func Suspect(found, expected, do string) Result {
	return Result{Status: Warning, Found: found, Expected: expected, Do: do}
}

// Bad is a failure.
func Bad(found, expected, do string) Result {
	return Result{Status: Failed, Found: found, Expected: expected, Do: do}
}

// Failures counts what has failed.
func Failures(results []Result) int {
	n := 0
	for _, r := range results {
		if r.Status == Failed {
			n++
		}
	}
	return n
}

// Print writes one result for people.
func Print(w io.Writer, r Result) {
	fmt.Fprintf(w, "%-8s %-16s %s\n", r.Status, r.Name, r.Found)
	for _, line := range []struct{ what, text string }{{"expected", r.Expected}, {"do", r.Do}} {
		if line.text != "" && r.Status != OK {
			fmt.Fprintf(w, "%25s %s: %s\n", "", line.what, line.text)
		}
	}
}

// PrintJSON writes all results as one object: {"ok": bool, "checks": [...]}.
func PrintJSON(w io.Writer, results []Result) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(struct {
		OK     bool     `json:"ok"`
		Checks []Result `json:"checks"`
	}{Failures(results) == 0, results})
}
