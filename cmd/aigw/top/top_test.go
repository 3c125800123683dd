package top

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
)

// page is one of a gateway with two models, after so many seconds.
func page(output string) string {
	return `# TYPE aigw_auth_bypass gauge
aigw_auth_bypass 0
# TYPE process_resident_memory_bytes gauge
process_resident_memory_bytes 2.147483648e+09
# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{handler="/v2/code/completions",method="POST",status="2xx",le="+Inf"} ` + output + `
http_request_duration_seconds_sum{handler="/v2/code/completions",method="POST",status="2xx"} 1
http_request_duration_seconds_count{handler="/v2/code/completions",method="POST",status="2xx"} ` + output + `
# TYPE aigw_requests_refused_total counter
aigw_requests_refused_total{reason="queue_full"} 4
# TYPE aigw_engine_requests_running gauge
aigw_engine_requests_running{class="chat",model_name="b"} 1
aigw_engine_requests_running{class="completion",model_name="b"} 2
aigw_engine_requests_running{class="completion",model_name="a"} 0
# TYPE aigw_engine_kv_cells gauge
aigw_engine_kv_cells{model_name="b"} 8192
# TYPE aigw_engine_kv_cells_used gauge
aigw_engine_kv_cells_used{model_name="b"} 2048
# TYPE aigw_engine_output_tokens_total counter
aigw_engine_output_tokens_total{model_name="b"} ` + output + `
# TYPE aigw_engine_prompt_tokens_total counter
aigw_engine_prompt_tokens_total{model_name="b"} ` + output + `
# TYPE aigw_engine_cached_tokens_total counter
aigw_engine_cached_tokens_total{model_name="b"} ` + output + `
# TYPE aigw_time_to_first_token_seconds histogram
aigw_time_to_first_token_seconds_bucket{class="chat",model_name="b",le="+Inf"} ` + output + `
aigw_time_to_first_token_seconds_sum{class="chat",model_name="b"} ` + output + `
aigw_time_to_first_token_seconds_count{class="chat",model_name="b"} ` + output + `
`
}

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func read(t *testing.T, output string, after time.Duration) Sample {
	t.Helper()
	s, err := Read(strings.NewReader(page(output)), start.Add(after))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestRates(t *testing.T) {
	r := Between(read(t, "100", 0), read(t, "150", 2*time.Second))
	if len(r.Models) != 2 || r.Models[0].Name != "a" {
		t.Fatalf("%+v", r)
	}
	b := r.Models[1]
	if r.Requests != 25 || r.Refused != 0 || b.Output != 25 || b.Running != 3 || b.Reused != 0.5 || b.FirstToken != 1 || b.Cells != 8192 {
		t.Errorf("%+v", r)
	}
	const want = "2026-01-02T03:04:07Z requests 25.0/s refused 0.0/s memory 2.0 GiB" +
		" | a running 0 waiting 0 output 0.0 tokens/s prompts 0.0 tokens/s reused 0% busy 0% cells 0%" +
		" | b running 3 waiting 0 output 25.0 tokens/s prompts 25.0 tokens/s reused 50% busy 0% cells 25%"
	if got := r.Line(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	// It was started again.
	if r := Between(read(t, "100", 0), read(t, "20", 2*time.Second)); r.Requests != 10 {
		t.Errorf("after a restart: %+v", r)
	}
	if r := Between(read(t, "100", 0), read(t, "200", 0)); r.Requests != 0 {
		t.Errorf("in no time: %+v", r)
	}
}

func TestOtherPages(t *testing.T) {
	for text, want := range map[string]string{"<html>": "no page of metrics", "up 1\n": "--metrics-listen"} {
		if _, err := Read(strings.NewReader(text), start); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The screen shows the latest numbers, says what is wrong, never is wider than the terminal, and ends with q.
func TestScreen(t *testing.T) {
	var s tea.Model = newScreen(t.Context(), nil, time.Second, "http://127.0.0.1:8082")
	show := func() string { return s.View().Content }
	if !strings.Contains(show(), "waiting for the second look") {
		t.Error(show())
	}
	s, _ = s.Update(sampled{sample: read(t, "100", 0)})
	s, next := s.Update(sampled{sample: read(t, "150", 2*time.Second)})
	if text := show(); next == nil || !strings.Contains(text, "requests 25.0/s") || !strings.Contains(text, "25.0      25.0    50%") || !strings.Contains(text, "█ at most 25.0") {
		t.Error(text)
	}
	s, _ = s.Update(tea.WindowSizeMsg{Width: 20, Height: 5})
	for line := range strings.Lines(show()) {
		if n := len([]rune(strings.NewReplacer("\x1b[1m", "", "\x1b[m", "").Replace(strings.TrimSuffix(line, "\n")))); n > 20 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	s, _ = s.Update(tea.WindowSizeMsg{Width: 80, Height: 25})
	s, _ = s.Update(sampled{err: errors.New("connection refused")})
	if text := show(); !strings.Contains(text, "connection refused") || strings.Contains(text, "requests") {
		t.Error(text)
	}
	for range 2 * chart {
		s, _ = s.Update(sampled{sample: read(t, "100", 0)})
	}
	if n := len(s.(screen).output); n != chart {
		t.Errorf("%d numbers are kept", n)
	}
	if _, quit := s.Update(tea.KeyPressMsg{Code: 'q', Text: "q"}); quit == nil {
		t.Error("q does not end it")
	} else if _, ok := quit().(tea.QuitMsg); !ok {
		t.Errorf("q is %T", quit())
	}
}

// The whole program on a terminal of 80 columns: it draws, without colours where NO_COLOR says so, and ends.
func TestShow(t *testing.T) {
	n := 0
	first := read(t, "100", 0)
	first.Bypassed = true
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in, typing := io.Pipe()
	source := func(context.Context) (Sample, error) {
		n++
		s := first
		s.At = s.At.Add(time.Duration(n) * time.Second)
		if n == 4 {
			go func() { _, _ = io.WriteString(typing, "q") }()
		}
		return s, nil
	}
	var out bytes.Buffer
	if err := Show(ctx, source, 30*time.Millisecond, "http://x", in, &out, []string{"TERM=xterm-256color", "NO_COLOR=1"}, tea.WithWindowSize(80, 25)); err != nil || ctx.Err() != nil {
		t.Fatal(err, ctx.Err())
	}
	if text := out.String(); !strings.Contains(text, "bypassed") || strings.Contains(text, "\x1b[31m") {
		t.Errorf("%q", text)
	}
}
