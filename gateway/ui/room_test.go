package ui_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/docsearch"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
	"aigw/search"
)

// loopback is where the tests' own proxy is.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// keyed is a gateway with keys, one of them an administrator's.
type keyed struct {
	*gatewaytest.Server
	file         string
	admin, plain string
}

func newKey(t *testing.T, file, name string, admin bool) string {
	t.Helper()
	k, text, err := apikeys.New(apikeys.Key{Name: name, Admin: admin})
	if err != nil {
		t.Fatal(err)
	}
	if err := apikeys.Add(file, k); err != nil {
		t.Fatal(err)
	}
	return text
}

func reload(t *testing.T, r *apikeys.Ring) {
	t.Helper()
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, change func(*gateway.Options)) *keyed {
	t.Helper()
	k := &keyed{file: filepath.Join(t.TempDir(), apikeys.FileName)}
	k.plain = newKey(t, k.file, "editor", false)
	k.admin = newKey(t, k.file, "boss", true)
	o := gateway.Options{}
	var err error
	if o.APIKeys, err = apikeys.Open(k.file); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	k.Server = gatewaytest.Start(t, o)
	return k
}

// browser keeps cookies, as browsers do.
type browser struct {
	t      *testing.T
	server *keyed
	client *http.Client
	csrf   string
}

func (k *keyed) browser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &browser{t: t, server: k, client: &http.Client{Jar: jar, Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

func (b *browser) do(method, path, contentType, body string, headers ...string) gatewaytest.Answer {
	b.t.Helper()
	r, err := http.NewRequest(method, b.server.URL+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if m := csrfOf.FindStringSubmatch(string(text)); m != nil {
		b.csrf = m[1]
	}
	return gatewaytest.Answer{Response: response, Text: string(text)}
}

var csrfOf = regexp.MustCompile(`name="csrf" (?:content|value)="([^"]+)"`)

func (b *browser) get(path string) gatewaytest.Answer { b.t.Helper(); return b.do("GET", path, "", "") }

// post sends a form with the token of the last page.
func (b *browser) post(path string, fields ...string) gatewaytest.Answer {
	b.t.Helper()
	form := url.Values{"csrf": {b.csrf}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do("POST", path, "application/x-www-form-urlencoded", form.Encode())
}

// send sends what a script of the page would.
func (b *browser) send(path, body string) gatewaytest.Answer {
	b.t.Helper()
	return b.do("POST", path, "application/json", body, "X-Csrf-Token", b.csrf)
}

func (k *keyed) signedIn(t *testing.T) *browser {
	t.Helper()
	b := k.browser(t)
	b.get("/ui/signin")
	if got := b.post("/ui/signin", "key", k.admin); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/ui" {
		t.Fatalf("sign-in: %d %s", got.StatusCode, got.Text)
	}
	if got := b.get("/ui"); got.StatusCode != http.StatusOK {
		t.Fatalf("the page: %d %s", got.StatusCode, got.Text)
	}
	return b
}

func TestThePageIsOffWithoutAnAdminKey(t *testing.T) {
	paths := []string{"/ui", "/ui/", "/ui/signin", "/ui/assets/style.css", "/ui/live"}
	var ring *apikeys.Ring
	none := start(t, func(o *gateway.Options) { ring = o.APIKeys })
	if _, err := apikeys.Revoke(none.file, "boss"); err != nil {
		t.Fatal(err)
	}
	reload(t, ring)
	off := start(t, func(o *gateway.Options) { o.UI.Off = true })
	bypassed := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternal: true}})
	for _, path := range paths {
		for name, got := range map[string]gatewaytest.Answer{
			"no admin key": none.Do("GET", path, ""), "no admin key, with a key": none.Do("GET", path, "", "Authorization", "Bearer "+none.plain),
			"off": off.Do("GET", path, ""), "authentication bypassed": bypassed.Do("GET", path, ""),
		} {
			if got.StatusCode != http.StatusNotFound {
				t.Errorf("%s, %s: %d", path, name, got.StatusCode)
			}
		}
	}
	none.admin = newKey(t, none.file, "another boss", true)
	reload(t, ring)
	none.signedIn(t)
}

func TestNothingButASessionOpensThePage(t *testing.T) {
	k := start(t, func(o *gateway.Options) { o.Auth.BypassExternal = true })
	for _, path := range []string{"/ui", "/ui/", "/ui/connection", "/ui/docs", "/ui/playground"} {
		for name, headers := range map[string][]string{
			"nothing": nil, "an admin key as token": {"Authorization", "Bearer " + k.admin}, "a bypass": {"Bypass-Auth", "true"},
			"a made-up cookie": {"Cookie", "aigw-session=abc"},
		} {
			if got := k.Do("GET", path, "", headers...); got.StatusCode != http.StatusSeeOther || got.Header.Get("Location") != "/ui/signin" {
				t.Errorf("%s with %s: %d", path, name, got.StatusCode)
			}
		}
	}
	if got := k.Do("GET", "/ui/live", ""); got.StatusCode != http.StatusUnauthorized {
		t.Errorf("live: %d", got.StatusCode)
	}
	for _, path := range []string{"/ui/docs", "/ui/complete", "/ui/ask", "/ui/signout"} {
		if got := k.Do("POST", path, "", "Authorization", "Bearer "+k.admin); got.StatusCode != http.StatusUnauthorized {
			t.Errorf("POST %s: %d", path, got.StatusCode)
		}
	}
	response, err := http.Get(k.MetricsURL + "/ui")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || strings.Contains(string(text), "<html") {
		t.Errorf("the metrics' port has a page: %v %.100s", err, text)
	}
}

func TestSigningIn(t *testing.T) {
	k := start(t, func(o *gateway.Options) { o.TrustedProxies = loopback })
	b := k.browser(t)
	form := b.get("/ui/signin")
	if form.StatusCode != http.StatusOK || !strings.Contains(form.Text, `type="password"`) {
		t.Fatalf("%d %s", form.StatusCode, form.Text)
	}
	token := b.csrf
	for _, test := range []struct {
		name, csrf, key string
		status          int
	}{
		{"no token", "", k.admin, http.StatusForbidden},
		{"another's token", strings.Repeat("x", len(token)), k.admin, http.StatusForbidden},
		{"no key", token, "", http.StatusUnauthorized},
		{"no such key", token, apikeys.Prefix + "nothing", http.StatusUnauthorized},
		{"not an admin's", token, k.plain, http.StatusUnauthorized},
	} {
		got := b.post("/ui/signin", "csrf", test.csrf, "key", test.key)
		if got.StatusCode != test.status || !strings.Contains(got.Text, `role="alert"`) || len(got.Cookies()) > 0 {
			t.Errorf("%s: %d %v", test.name, got.StatusCode, got.Cookies())
		}
	}
	if got := k.browser(t).post("/ui/signin", "csrf", token, "key", k.admin); got.StatusCode != http.StatusForbidden {
		t.Errorf("with the token of another browser: %d", got.StatusCode)
	}

	got := b.do("POST", "/ui/signin", "application/x-www-form-urlencoded", url.Values{"csrf": {token}, "key": {" " + k.admin + "\n"}}.Encode(), "X-Forwarded-Proto", "https")
	if got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	for _, c := range got.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/ui" || !c.Secure {
			t.Errorf("cookie %s", c.Raw)
		}
	}
	if n := len(got.Cookies()); n != 2 || strings.Contains(k.Log(), k.admin) {
		t.Errorf("%d cookies; the key is logged: %v", n, strings.Contains(k.Log(), k.admin))
	}
	plain := k.browser(t)
	plain.get("/ui/signin")
	for _, c := range plain.post("/ui/signin", "key", k.admin).Cookies() {
		if c.Secure {
			t.Errorf("without TLS a browser would not send the cookie back: %s", c.Raw)
		}
	}
	if got := plain.get("/ui"); got.StatusCode != http.StatusOK {
		t.Fatalf("%d", got.StatusCode)
	}
	if got := plain.post("/ui/signout"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("signing out: %d", got.StatusCode)
	}
	if got := plain.get("/ui"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("after signing out: %d", got.StatusCode)
	}
}

func TestFailedSignInsAreLimited(t *testing.T) {
	k := start(t, func(o *gateway.Options) { o.TrustedProxies = loopback })
	b := k.browser(t)
	b.get("/ui/signin")
	try := func(key, from string) gatewaytest.Answer {
		return b.do("POST", "/ui/signin", "application/x-www-form-urlencoded", url.Values{"csrf": {b.csrf}, "key": {key}}.Encode(), "X-Forwarded-For", from)
	}
	for i := range 5 {
		if got := try("wrong", "192.0.2.1"); got.StatusCode != http.StatusUnauthorized {
			t.Fatalf("attempt %d: %d", i, got.StatusCode)
		}
	}
	if got := try(k.admin, "192.0.2.1"); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("after five that failed: %d", got.StatusCode)
	}
	if got := try(k.admin, "192.0.2.2"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("from elsewhere: %d", got.StatusCode)
	}
}

func TestRevokingAKeyEndsItsSessions(t *testing.T) {
	var ring *apikeys.Ring
	k := start(t, func(o *gateway.Options) { ring = o.APIKeys })
	newKey(t, k.file, "another", true) // so that the page stays
	b := k.signedIn(t)
	if _, err := apikeys.Revoke(k.file, "boss"); err != nil {
		t.Fatal(err)
	}
	reload(t, ring)
	if got := b.get("/ui"); got.StatusCode != http.StatusSeeOther {
		t.Errorf("%d", got.StatusCode)
	}
}

func TestHeadersOfThePage(t *testing.T) {
	k := start(t, nil)
	b := k.signedIn(t)
	for _, path := range []string{"/ui", "/ui/", "/ui/connection", "/ui/docs", "/ui/playground", "/ui/live", "/ui/signin", "/ui/assets/style.css", "/ui/assets/none", "/ui/none"} {
		got := b.do("GET", path, "", "", "Origin", "https://elsewhere.example.test")
		policy := got.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
			if !strings.Contains(policy, part) {
				t.Errorf("%s: the policy lacks %s", path, part)
			}
		}
		if h := got.Header; strings.Contains(policy, "unsafe") || h.Get("X-Frame-Options") != "DENY" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Referrer-Policy") != "no-referrer" || h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, h)
		}
		if strings.Contains(path, "assets/style") != (got.Header.Get("Cache-Control") == "no-cache") {
			t.Errorf("%s may be kept: %s", path, got.Header.Get("Cache-Control"))
		}
		if inline.MatchString(got.Text) {
			t.Errorf("%s has a script, a style or an address that the policy forbids: %s", path, inline.FindString(got.Text))
		}
	}
	again := b.get("/ui/assets/style.css")
	if got := b.do("GET", "/ui/assets/style.css", "", "", "If-None-Match", again.Header.Get("ETag")); got.StatusCode != http.StatusNotModified {
		t.Errorf("unchanged: %d", got.StatusCode)
	}
	if got := b.do("PUT", "/ui", "", ""); got.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("PUT: %d", got.StatusCode)
	}
}

// inline is what a browser would refuse under the policy, or ask of another host.
var inline = regexp.MustCompile(`<script>|<style| style="| on[a-z]+="|javascript:|(?:src|href|action)="(?:https?:)?//`)

func TestPostsNeedTheToken(t *testing.T) {
	k := start(t, nil)
	b := k.signedIn(t)
	token := b.csrf
	for _, path := range []string{"/ui/docs", "/ui/complete", "/ui/ask", "/ui/signout"} {
		for _, wrong := range []string{"", "x", token[1:] + "A"} {
			if got := b.do("POST", path, "application/x-www-form-urlencoded", "question=q&csrf="+wrong); got.StatusCode != http.StatusForbidden {
				t.Errorf("%s with token %q: %d", path, wrong, got.StatusCode)
			}
		}
		if got := b.do("POST", path, "application/x-www-form-urlencoded", "question=q&csrf="+token, "Sec-Fetch-Site", "cross-site"); got.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site: %d", path, got.StatusCode)
		}
	}
	if got := b.get("/ui"); got.StatusCode != http.StatusOK {
		t.Errorf("the session is gone: %d", got.StatusCode)
	}
	if got := b.post("/ui/docs", "question", strings.Repeat("x", 1<<20)); got.StatusCode < 400 {
		t.Errorf("a form of a megabyte: %d", got.StatusCode)
	}
}

// busy is a generator that says what it does.
type busy struct {
	*gatewaytest.Generator
	look engine.Look
}

func (b *busy) Look() engine.Look { return b.look }

func (b *busy) State() engine.State {
	s := engine.State{Running: 1, Waiting: 1, Cells: 4096, CellsUsed: 1024, Shared: 77, Parallel: 8, ParkedTokens: 1}
	s.EvictedTokens, s.OutputTokens = 12345, 99
	s.DecodeSteps.Counts[3], s.DecodeSteps.Sum = 100, 700*time.Millisecond
	return s
}

func (b *busy) Plan() engine.Plan {
	return engine.Plan{Model: "llama 1B Q4_0", Device: "CPU", Threads: 2, WeightBytes: 100 << 20, CacheBytes: 50 << 20, ComputeBytes: 25 << 20, FlashAttention: "on", ParkBytes: 1 << 30}
}

func TestTheStatusPage(t *testing.T) {
	k := start(t, nil)
	k.NoModel()
	b := k.signedIn(t)
	if got := b.get("/ui"); !strings.Contains(got.Text, "Nobody asks anything") || !strings.Contains(got.Text, "No model is loaded") {
		t.Errorf("without a model: %s", got.Text)
	}
	g := &busy{Generator: &gatewaytest.Generator{
		Pieces: []string{"secret answer"},
		Result: engine.Result{Finish: engine.FinishStop, PromptTokens: 10, OutputTokens: 11, Queue: 5 * time.Millisecond, Prefill: 120 * time.Millisecond, Decode: 200 * time.Millisecond},
	}}
	g.look = engine.Look{
		Requests: []engine.RequestLook{
			{Class: engine.Chat, Phase: engine.Writes, Age: 7 * time.Second, PromptTokens: 1357, CachedTokens: 246, OutputTokens: 31, MaxOutputTokens: 2048},
			{Class: engine.Completion, Phase: engine.Waits, Age: 300 * time.Millisecond, PromptTokens: 40, MaxOutputTokens: 128},
		},
		People: 2, Held: []engine.Held{{Cells: 333, Users: 4, Visits: 9, Kept: true}}, StepTime: 100 * time.Millisecond,
	}
	k.Ready(&serving.Model{Name: "busy", Family: "bytes", Codec: &gatewaytest.Codec{}, Chat: &gatewaytest.Chat{}, Generator: g, ContextSize: 1 << 20})
	if got := b.send("/ui/complete", `{"prompt_version":1,"project_path":"p","project_id":1,"current_file":{"file_name":"a.py","content_above_cursor":"secret prompt","content_below_cursor":""}}`); got.StatusCode != http.StatusOK {
		t.Fatalf("%d %s", got.StatusCode, got.Text)
	}
	gatewaytest.Eventually(t, "a look that is fresh", func() bool {
		return strings.Contains(b.get("/ui").Text, "busy")
	})
	page, live := b.get("/ui?class=completion"), b.get("/ui/live?class=completion")
	for name, text := range map[string]string{"page": page.Text, "live": live.Text} {
		for _, want := range []string{
			"llama 1B Q4_0", "100 MiB", "50 MiB", "25 MiB", "CPU", // where memory went
			"1,357", "246", "2,048", "7.0 s", "writes", "waits", "chat", // requests
			"12,345", "77", "333", // prefix tree
			"7.0 ms", "10.0 ms", "12 KiB of at most 1024 MiB", // steps: mean, and what most are within
			"125.0", "20.0", // the last hour: to the first token, from token to token
			"Nothing of this was chosen by measuring",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s lacks %q", name, want)
			}
		}
		for _, never := range []string{"secret", "key\x00", k.admin} {
			if strings.Contains(text, never) {
				t.Errorf("%s shows %q", name, never)
			}
		}
	}
	if t.Failed() {
		t.Log(live.Text)
	}
	if strings.Contains(k.Log(), "secret") {
		t.Error("the log has text of a prompt")
	}
}

func TestLooksAreNoLinesOfTheLog(t *testing.T) {
	k := start(t, nil)
	b := k.signedIn(t)
	id := b.get("/ui/live").Header.Get("X-Request-Id")
	if line := k.LogLine(id); line["level"] != "DEBUG" {
		t.Errorf("%v", line)
	}
}

// index finds one passage, and remembers what it was asked.
type index struct {
	mu    sync.Mutex
	asked []string
}

func (x *index) Search(_ context.Context, question string, n int) ([]search.Passage, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.asked = append(x.asked, fmt.Sprint(n, " ", question))
	if question == "nothing" {
		return nil, nil
	}
	return []search.Passage{
		{Title: "Protected <b>branches</b>", Page: "user/protect.md", URL: "/help/user/protect", Headings: []string{"Who may push"}, Content: "Maintainers may push. <script>alert(1)</script>"},
		{Title: "Elsewhere", Page: "other.md", URL: "javascript:alert(1)", Content: strings.Repeat("More. ", 50)},
	}, nil
}

func (x *index) Manifest() *search.Manifest {
	return &search.Manifest{Pages: 1234, Passages: 5678, VersionTag: "v17.8", Collections: []search.CollectionInfo{{Name: "gitlab", Pages: 1234, Licence: "CC BY-SA"}}}
}

func TestTheDocumentationPage(t *testing.T) {
	x := &index{}
	k := start(t, func(o *gateway.Options) {
		o.Docs = docsearch.Options{Searcher: x, GitLab: "https://gitlab.example.test"}
	})
	b := k.signedIn(t)
	if got := b.get("/ui/docs"); !strings.Contains(got.Text, "1,234 pages") || !strings.Contains(got.Text, "v17.8") || !strings.Contains(got.Text, "CC BY-SA") {
		t.Errorf("%s", got.Text)
	}
	got := b.post("/ui/docs", "question", "who may push to a <protected> branch")
	for _, want := range []string{`href="https://gitlab.example.test/help/user/protect"`, "Protected &lt;b&gt;branches", "Who may push", "Maintainers may push.", `value="who may push to a &lt;protected&gt; branch"`} {
		if !strings.Contains(got.Text, want) {
			t.Errorf("no %q in %s", want, got.Text)
		}
	}
	if strings.Contains(got.Text, "<script>") || strings.Contains(got.Text, "javascript:") {
		t.Errorf("what was found is run: %s", got.Text)
	}
	if got := b.post("/ui/docs", "question", "nothing"); !strings.Contains(got.Text, "Nothing fits") {
		t.Errorf("%s", got.Text)
	}
	for _, wrong := range []string{"", "  ", "\xff", strings.Repeat("x", 2001)} {
		if got := b.post("/ui/docs", "question", wrong); got.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%.10q: %d", wrong, got.StatusCode)
		}
	}
	if strings.Contains(k.Log(), "protected") {
		t.Error("a question is in the log")
	}
}

func TestThePlayground(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"return ", "1"}, Result: engine.Result{Finish: engine.FinishStop}}
	k := start(t, func(o *gateway.Options) {
		o.Docs.Searcher = &index{}
		o.Limits.User.PerMinute = 4
	})
	codec := &gatewaytest.Codec{}
	b := k.signedIn(t)
	if got := b.post("/ui/ask", "question", "q"); got.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("before there is a model: %d %s", got.StatusCode, got.Text)
	}
	k.Ready(&serving.Model{Name: "m", Family: "bytes", Codec: codec, FillsIn: true, Chat: &gatewaytest.Chat{}, Generator: g, ContextSize: 1 << 20})
	got := b.send("/ui/complete", `{"prompt_version":1,"project_path":"p","project_id":1,"stream":true,"current_file":{"file_name":"a.py","content_above_cursor":"def f():\n    ","content_below_cursor":"\n\nf()"}}`)
	if got.StatusCode != http.StatusOK || got.Text != "return 1" {
		t.Errorf("%d %q", got.StatusCode, got.Text)
	}
	if codes := codec.Codes(); len(codes) != 1 || codes[0].Prefix != "def f():\n    " || codes[0].Suffix != "\n\nf()" || codes[0].FileName != "a.py" {
		t.Errorf("laid out %+v", codes)
	}
	got = b.post("/ui/ask", "question", "Who may push?")
	want := []string{`"title": "Protected <b>branches</b>"`, `{"text": "return "}`, `{"text": "1"}`, `{"end": true}`}
	for _, part := range want {
		if !strings.Contains(got.Text, part) {
			t.Errorf("no %s in %s", part, got.Text)
		}
	}
	requests := g.Requests()
	if len(requests) < 2 {
		t.Fatalf("%d requests", len(requests))
	}
	asked := requests[len(requests)-1]
	prompt := gatewaytest.PromptText(asked.Prompt)
	if !strings.Contains(prompt, "Maintainers may push") || !strings.Contains(prompt, "Who may push?") || asked.Class != engine.Chat || !strings.HasPrefix(asked.Owner, "key\x00") {
		t.Errorf("%q %+v", prompt, asked)
	}
	for range 4 { // the key's requests are counted like a person's
		got = b.post("/ui/ask", "question", "again")
	}
	if got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") == "" {
		t.Errorf("%d", got.StatusCode)
	}
}

// A question with more excerpts than fit is asked with fewer.
func TestExcerptsThatFit(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"yes"}}
	k := start(t, func(o *gateway.Options) { o.Docs.Searcher = &index{} })
	k.Ready(&serving.Model{Name: "m", Family: "bytes", Chat: &gatewaytest.Chat{}, Generator: g, ContextSize: 700})
	b := k.signedIn(t)
	got := b.post("/ui/ask", "question", "Who?")
	prompt := gatewaytest.PromptText(g.Requests()[0].Prompt)
	if !strings.Contains(prompt, "Maintainers") || strings.Contains(prompt, "Elsewhere") || strings.Contains(got.Text, "Elsewhere") {
		t.Errorf("%q %s", prompt, got.Text)
	}
}
