package docsearch_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/docsearch"
	"aigw/gateway/gatewaytest"
	"aigw/search"
	"aigw/search/source"
)

const path = "/v1/search/gitlab-docs"

var open = auth.Options{BypassExternal: true}

// index holds a few pages: one that answers, and 30 that share a word.
func index(t *testing.T) *search.Index {
	t.Helper()
	pages := fstest.MapFS{"user/forks.md": {Data: []byte("---\ntitle: Forks\n---\n\n## Create a fork\n\nTo fork a project, select **Fork**.\n")}}
	for i := range 30 {
		name := strconv.Itoa(i)
		pages["many/page"+name+".md"] = &fstest.MapFile{Data: []byte("# Page " + name + "\n\nEvery one mentions gitaly. " + strings.Repeat("And goes on. ", 200))}
	}
	x, err := search.BuildInMemory(t.Context(), []search.Collection{{Source: source.Files(pages, "test")}}, search.BuildOptions{VersionTag: "v17.8.0-ee"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.Close() })
	return x
}

func ask(query, more string) string {
	text, _ := json.Marshal(query) // a string is always JSON
	return `{"type":"search-docs","metadata":{"source":"GitLab EE","version":"17.8.0-ee"},"payload":{"query":` + string(text) + more + `}}`
}

type answer struct {
	Response struct {
		Results []struct {
			ID, Content string
			Metadata    map[string]string
		}
	}
	Metadata struct {
		Provider  string
		Timestamp int64
	}
}

func search200(t *testing.T, s *gatewaytest.Server, body string) answer {
	t.Helper()
	got := s.Do("POST", path, body)
	var a answer
	if err := json.Unmarshal([]byte(got.Text), &a); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%d %.300s (%v)", got.StatusCode, got.Text, err)
	}
	return a
}

func TestSearch(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: open, Docs: docsearch.Options{Searcher: index(t), GitLab: "https://gitlab.example.test"}})
	s.NoModel()
	a := search200(t, s, ask("How do I fork a project?", ""))
	if len(a.Response.Results) != 1 || a.Metadata.Provider == "" || a.Metadata.Timestamp < 1_700_000_000 {
		t.Fatalf("answer %+v", a)
	}
	r := a.Response.Results[0]
	if !regexp.MustCompile(`^[0-9a-z]+$`).MatchString(r.ID) || !strings.Contains(r.Content, "select **Fork**") {
		t.Errorf("result %+v", r)
	}
	for name, want := range map[string]string{
		"filename": "/user/forks.md", "title": "Forks", "source": "user/forks.md", "source_type": "doc", "version": "v17.8.0-ee",
		"source_url": "https://gitlab.example.test/help/user/forks#create-a-fork",
	} {
		if r.Metadata[name] != want {
			t.Errorf("%s is %q, want %q", name, r.Metadata[name], want)
		}
	}
	if !regexp.MustCompile(`^[0-9a-f]{32}$`).MatchString(r.Metadata["md5sum"]) {
		t.Errorf("md5sum %q", r.Metadata["md5sum"])
	}
	if strings.Contains(s.Log(), "How do I fork") {
		t.Error("the question is in the log")
	}
}

func TestPageSize(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: open, Docs: docsearch.Options{Searcher: index(t), Tokens: 1_000_000}})
	for more, want := range map[string]int{"": 4, `,"page_size":null`: 4, `,"page_size":1`: 1, `,"page_size":20`: 20, `,"page_size":"7"`: 7, `,"page_size":3.0`: 3} {
		if a := search200(t, s, ask("gitaly", more)); len(a.Response.Results) != want {
			t.Errorf("%q: %d results, want %d", more, len(a.Response.Results), want)
		}
	}
}

// Passages are whole as long as they fit the budget of tokens; only the first may be cut.
func TestBudget(t *testing.T) {
	x := index(t)
	for budget, want := range map[int]int{50: 1, 1000: 1, 2200: 2, 100_000: 4} {
		s := gatewaytest.Start(t, gateway.Options{Auth: open, Docs: docsearch.Options{Searcher: x, Tokens: budget}})
		a := search200(t, s, ask("gitaly", ""))
		words := 0
		for _, r := range a.Response.Results {
			words += len(strings.Fields(r.Content))
		}
		if len(a.Response.Results) != want || words*14/10 > budget || words == 0 {
			t.Errorf("budget %d: %d results with %d words, want %d results", budget, len(a.Response.Results), words, want)
		}
	}
}

// Whatever is asked is answered: the original fails on these.
func TestQuestionsThatBreakOthers(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: open, Docs: docsearch.Options{Searcher: index(t)}})
	for name, query := range map[string]string{
		"empty": "", "blank": "  ", "punctuation": "?!-*\"'()", "emoji": "🦊", "operators": "AND OR NOT NEAR",
		"long": strings.Repeat("why does gitaly fail ", 5000), "longest": strings.Repeat("a ", 200_000),
	} {
		a := search200(t, s, ask(query, ""))
		if found := len(a.Response.Results) > 0; found != (name == "long") {
			t.Errorf("%s: %d results", name, len(a.Response.Results))
		}
	}
}

type broken struct{}

func (broken) Search(context.Context, string, int) ([]search.Passage, error) {
	return nil, errors.New("the index cannot be read")
}

// Without an index, or with one that fails, nothing is found, and the log says why.
func TestWithoutDocuments(t *testing.T) {
	for name, searcher := range map[string]search.Searcher{"none": nil, "broken": broken{}, "empty library": &search.Library{}} {
		s := gatewaytest.Start(t, gateway.Options{Auth: open, Docs: docsearch.Options{Searcher: searcher}})
		got := s.Do("POST", path, ask("fork", ""), "X-Request-ID", "x")
		if got.StatusCode != http.StatusOK || !strings.Contains(got.Text, `"results":[]`) {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
		}
		if line := s.LogLine("x"); name == "broken" && line["exception_message"] != "the index cannot be read" {
			t.Errorf("log line %v", line)
		}
	}
}

func TestRefusedBodies(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{Auth: open})
	for name, tt := range map[string]struct{ body, want string }{
		"empty object": {`{}`, `{"detail":[{"type":"missing","loc":["body","type"],"msg":"Field required","input":{}},{"type":"missing","loc":["body","metadata"],"msg":"Field required","input":{}},{"type":"missing","loc":["body","payload"],"msg":"Field required","input":{}}]}`},
		"too small":    {ask("x", `,"page_size":0`), `{"detail":[{"type":"greater_than_equal","loc":["body","payload","page_size"],"msg":"Input should be greater than or equal to 1","input":0,"ctx":{"ge":1}}]}`},
		"too large":    {ask("x", `,"page_size":21`), `{"detail":[{"type":"less_than_equal","loc":["body","payload","page_size"],"msg":"Input should be less than or equal to 20","input":21,"ctx":{"le":20}}]}`},
	} {
		if got := s.Do("POST", path, tt.body); got.StatusCode != http.StatusUnprocessableEntity || got.Text != tt.want {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
		}
	}
	if got := s.Do("POST", path, ask(strings.Repeat("x", 400_001), "")); got.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(got.Text, "at most 400000 characters") {
		t.Errorf("query too long: %d %.200s", got.StatusCode, got.Text)
	}
	if got := s.Do("GET", path, ""); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", got.StatusCode)
	}
}

// Who has not the right is refused, but only after the body was checked.
func TestRights(t *testing.T) {
	const service = "gitlab-ai-gateway"
	key, err := selfsigned.Make()
	if err != nil {
		t.Fatal(err)
	}
	ring, err := keyring.New(keyring.Options{Local: []keyring.Key{{ID: "gitlab", Public: &key.PublicKey}}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := gatewaytest.Start(t, gateway.Options{
		Auth: auth.Options{Verifier: bearer.New(bearer.Options{Keys: ring, Audience: service})},
		Docs: docsearch.Options{Searcher: index(t)},
	})
	s.NoModel()
	headers := func(scope string) []string {
		token, err := selfsigned.Sign(key, "gitlab", selfsigned.Claims{
			Issuer: "https://gitlab.example.test", Subject: "instance-1", Audience: service, Realm: "self-managed", Scopes: []string{scope}, Seats: "7",
		}.Stamp(time.Now(), time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return []string{
			"Authorization", "Bearer " + token, "X-Gitlab-Authentication-Type", "oidc",
			"X-Gitlab-Instance-Id", "instance-1", "X-Gitlab-Realm", "self-managed", "X-Gitlab-Global-User-Id", "user-1",
		}
	}
	for name, tt := range map[string]struct {
		body    string
		headers []string
		status  int
		text    string
	}{
		"stranger":         {ask("fork", ""), nil, http.StatusUnauthorized, `{"error":"No authorization header presented"}`},
		"other right":      {ask("fork", ""), headers("complete_code"), http.StatusForbidden, `{"detail":"Unauthorized to search documentations"}`},
		"body comes first": {ask("fork", `,"page_size":0`), headers("complete_code"), http.StatusUnprocessableEntity, "greater_than_equal"},
		"right":            {ask("fork", ""), headers("documentation_search"), http.StatusOK, `"title":"Forks"`},
	} {
		if got := s.Do("POST", path, tt.body, tt.headers...); got.StatusCode != tt.status || !strings.Contains(got.Text, tt.text) {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.Text)
		}
	}
}
