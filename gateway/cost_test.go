package gateway_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/gatewaytest"
	"aigw/models"
)

// instantCodec takes no time for a prompt.
type instantCodec struct{ models.Codec }

func (instantCodec) Completion(models.Code, int) (models.Prompt, error) {
	return models.Prompt{Tokens: []models.Token{1}, PrefixTokens: 2000, SuffixTokens: 500}, nil
}

// What the gateway costs for a body of about 10 kB, without the network; go run ./bench/gatewaycost
// measures it with.
//
//	go test ./gateway -run '^$' -bench Completion -cpuprofile cpu.prof
func BenchmarkCompletion(b *testing.B) {
	o := open
	o.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) //nolint:sloglint // writing the lines is a part of the cost
	s := gateway.New(o)
	m := gatewaytest.Model(&gatewaytest.Generator{
		Pieces: strings.SplitAfter(strings.Repeat("total = add(total, 1)\n    count += total\n    ", 4), " "),
		Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 2500, OutputTokens: 30},
	})
	m.Codec = instantCodec{m.Codec}
	s.Ready(m)
	for name, stream := range map[string]bool{"whole": false, "stream": true} {
		file := map[string]string{
			"file_name": "lib/worker.py", "content_above_cursor": strings.Repeat("    result = compute(values, index) + offset\n", 180),
			"content_below_cursor": "\n" + strings.Repeat("    return result\n", 100),
		}
		body, err := json.Marshal(map[string]any{"prompt_version": 1, "current_file": file, "stream": stream})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				r := httptest.NewRequest(http.MethodPost, completions, strings.NewReader(string(body)))
				r.Host = "localhost"
				w := httptest.NewRecorder()
				s.ServeHTTP(w, r)
				if w.Code != http.StatusOK || w.Body.Len() == 0 {
					b.Fatalf("%d %s", w.Code, w.Body)
				}
			}
		})
	}
	if err := s.Shutdown(b.Context()); err != nil {
		b.Error(err)
	}
}
