package codesuggestions_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"aigw/gateway/gatewaytest"
)

func typed(above, more string) string {
	return strings.Replace(body(more), `"content_above_cursor":"def x\n  "`, `"content_above_cursor":"`+above+`"`, 1)
}

// Who types on no longer needs what was asked for before; nobody else is touched.
func TestANewerCompletionSupersedes(t *testing.T) {
	const project = `"project_path":"a/b"`
	for _, test := range []struct {
		name             string
		user, nextUser   string
		first, next      string // paths
		body, nextBody   string
		supersedes, text bool
	}{
		{"the same file", "u", "u", path, path, typed("x", project), typed("xy", project), true, false},
		{"the same file, streamed", "u", "u", path, path, typed("x", project+`,"stream":true`), typed("xy", project), true, true},
		{"another user", "u", "v", path, path, typed("x", project), typed("xy", project), false, false},
		{"no user", "", "", path, path, typed("x", project), typed("xy", project), false, false},
		{"another project", "u", "u", path, path, typed("x", project), typed("xy", `"project_path":"a/c"`), false, false},
		{"another file", "u", "u", path, path, typed("x", project), strings.Replace(typed("xy", project), "greeter.rb", "other.rb", 1), false, false},
		{"a generation", "u", "u", generationsPath, generationsPath, typed("x", project+`,"prompt":""`), typed("xy", project+`,"prompt":""`), false, false},
		{"a completion after a generation", "u", "u", generationsPath, path, typed("x", project+`,"prompt":""`), typed("xy", project), false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			release := make(chan struct{})
			g := &gatewaytest.Generator{Pieces: []string{"text"}}
			var once sync.Once
			g.Wait = func(ctx context.Context, emitted int) error {
				first := false
				once.Do(func() { first = true })
				if !first {
					return nil
				}
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-release:
					return nil
				}
			}
			s := startChat(t, open, g)
			done := make(chan gatewaytest.Answer)
			go func() { done <- s.Do("POST", test.first, test.body, "X-Gitlab-Global-User-Id", test.user) }()
			gatewaytest.Eventually(t, "the first request", func() bool { return g.Running() == 1 })
			if got := s.Do("POST", test.next, test.nextBody, "X-Gitlab-Global-User-Id", test.nextUser); got.StatusCode != http.StatusOK || !strings.Contains(got.Text, "text") {
				t.Errorf("next: %d %s", got.StatusCode, got.Text)
			}
			if !test.supersedes {
				close(release)
			}
			got := <-done
			want := got.StatusCode == http.StatusOK && strings.Contains(got.Text, `"text":"`)
			switch {
			case test.supersedes && test.text:
				want = got.StatusCode == http.StatusOK && got.Text == ""
			case test.supersedes:
				want = got.StatusCode == http.StatusOK && strings.Contains(got.Text, `"choices":[]`)
			}
			if !want {
				t.Errorf("first: %d %s", got.StatusCode, got.Text)
			}
			if strings.Contains(s.Metrics(), `model_inferences_total{error="yes"`) {
				t.Error("it is counted as an error")
			}
		})
	}
}
