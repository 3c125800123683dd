package codesuggestions_test

import (
	"context"
	"errors"
	"net/http"
	"regexp"
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
		{"less of the same file", "u", "u", path, path, typed("xy", project), typed("x", project), true, false},
		{"another text of the name", "u", "u", path, path, typed("x", project), typed("y", project), false, false},
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
			page := s.Metrics()
			if strings.Contains(page, `model_inferences_total{error="yes"`) {
				t.Error("it is counted as an error")
			}
			counted := regexp.MustCompile(`aigw_completions_superseded_total{[^}]*} 1\n`).MatchString(page) && strings.Contains(page, `end="superseded"`)
			if counted != test.supersedes {
				t.Errorf("counted as superseded: %v", counted)
			}
		})
	}
}

// Who types what was suggested is answered with the rest of it; everything else is asked anew.
func TestTypingThroughASuggestion(t *testing.T) {
	const user, project = "u", `"project_path":"a/b"`
	below := func(body string) string {
		return strings.Replace(body, `"content_below_cursor":"`, `"content_below_cursor":"x`, 1)
	}
	for _, test := range []struct {
		name, user, body string
		want             string // of the text; empty: the model is asked
	}{
		{"the same again", user, typed("def ", project), "hello(name)"},
		{"one character", user, typed("def h", project), "ello(name)"},
		{"some of it", user, typed("def hello(", project), "name)"},
		{"streamed", user, typed("def hello(", project+`,"stream":true`), "name)"},
		{"all of it", user, typed("def hello(name)", project), ""},
		{"something else", user, typed("def w", project), ""},
		{"deleted", user, typed("de", project), ""},
		{"changed above", user, typed("class hello(", project), ""},
		{"changed below", user, below(typed("def hello(", project)), ""},
		{"other files are known now", user, typed("def hello(", project+`,"context":[{"type":"file","name":"a","content":"b"}]`), ""},
		{"another person", "v", typed("def hello(", project), ""},
		{"nobody", "", typed("def hello(", project), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := &gatewaytest.Generator{Pieces: []string{"hello", "(name)"}}
			s := startChat(t, open, g)
			if got := s.Do("POST", path, typed("def ", project), "X-Gitlab-Global-User-Id", user); !strings.Contains(got.Text, `"text":"hello(name)"`) {
				t.Fatalf("first: %d %s", got.StatusCode, got.Text)
			}
			got := s.Do("POST", path, test.body, "X-Gitlab-Global-User-Id", test.user)
			asked := len(g.Requests()) == 2
			switch {
			case got.StatusCode != http.StatusOK:
				t.Errorf("%d %s", got.StatusCode, got.Text)
			case test.want == "" && !asked:
				t.Errorf("answered %s without asking the model", got.Text)
			case test.want != "" && asked:
				t.Error("the model was asked again")
			case strings.Contains(test.body, `"stream":true`) && got.Text != test.want:
				t.Errorf("streamed %q, want %q", got.Text, test.want)
			case test.want != "" && !strings.Contains(test.body, `"stream":true`) && !strings.Contains(got.Text, `"text":"`+test.want+`"`):
				t.Errorf("answered %s, want %q", got.Text, test.want)
			}
		})
	}
}

// languages matches the metrics when two requests were read.
var languages = regexp.MustCompile(`code_suggestions_prompt_language_total\{.*\} 2\n`)

// Two requests for the very same at one time, as impatient editors send, are one for the model.
func TestTheSameTwiceAtOnceIsComputedOnce(t *testing.T) {
	for _, test := range []struct {
		name   string
		fails  bool // the first generation
		asked  int
		status int // of the first
	}{
		{"both are answered", false, 1, http.StatusOK},
		{"the first fails", true, 2, http.StatusServiceUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			release := make(chan struct{})
			g := &gatewaytest.Generator{Pieces: []string{"text"}}
			var once sync.Once
			g.Wait = func(ctx context.Context, _ int) (err error) {
				once.Do(func() {
					<-release
					if test.fails {
						err = errors.New("broken")
					}
				})
				return err
			}
			s := startChat(t, open, g)
			ask := func() chan gatewaytest.Answer {
				done := make(chan gatewaytest.Answer, 1)
				go func() { done <- s.Do("POST", path, typed("x", ""), "X-Gitlab-Global-User-Id", "u") }()
				return done
			}
			first := ask()
			gatewaytest.Eventually(t, "the first request", func() bool { return g.Running() == 1 })
			second := ask()
			gatewaytest.Eventually(t, "the second request", func() bool { return languages.MatchString(s.Metrics()) })
			close(release)
			if got := <-first; got.StatusCode != test.status {
				t.Errorf("first: %d %s", got.StatusCode, got.Text)
			}
			if got := <-second; got.StatusCode != http.StatusOK || !strings.Contains(got.Text, `"text":"text"`) {
				t.Errorf("second: %d %s", got.StatusCode, got.Text)
			}
			if n := len(g.Requests()); n != test.asked {
				t.Errorf("the model was asked %d times, want %d", n, test.asked)
			}
		})
	}
}
