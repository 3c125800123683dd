package outbound_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"aigw/gateway/outbound"
)

func parse(t *testing.T, text string) *url.URL {
	t.Helper()
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestOnlyNamedOriginsAreReached(t *testing.T) {
	asked := 0
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer other.Close()
	named := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/same":
			http.Redirect(w, r, "/there", http.StatusFound)
		case "/other":
			http.Redirect(w, r, other.URL, http.StatusFound)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		default:
			fmt.Fprint(w, "here")
		}
	}))
	defer named.Close()
	c, err := outbound.New(outbound.Options{Origins: []*url.URL{parse(t, named.URL)}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, test := range []struct{ url, want, refusal string }{
		{named.URL, "here", ""},
		{named.URL + "/same", "here", ""},
		{named.URL + "/other", "", "another origin"},
		{named.URL + "/round", "", "too many redirects"},
		{other.URL, "", "not among the hosts"},
		{strings.Replace(named.URL, "http://", "https://", 1), "", "not among the hosts"},
		{strings.Replace(named.URL, "127.0.0.1", "localhost", 1), "", "not among the hosts"},
	} {
		body, err := c.Get(t.Context(), parse(t, test.url), 100)
		if string(body) != test.want || (err == nil) != (test.refusal == "") || err != nil && !strings.Contains(err.Error(), test.refusal) {
			t.Errorf("%s: %q, %v", test.url, body, err)
		}
	}
	if asked > 0 {
		t.Errorf("another origin was asked %d times", asked)
	}
}

// A client for streams follows no redirect, not even to the same host.
func TestStreamsAreNotRedirected(t *testing.T) {
	named := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/there" {
			http.Redirect(w, r, "/there", http.StatusTemporaryRedirect)
		}
	}))
	defer named.Close()
	c, err := outbound.New(outbound.Options{Origins: []*url.URL{parse(t, named.URL)}, Streams: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answer, err := c.HTTP().Post(named.URL, "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusTemporaryRedirect {
		t.Errorf("%s", answer.Status)
	}
}

func TestOrigin(t *testing.T) {
	for text, want := range map[string]string{
		"https://GitLab.Example.test/x":   "https://gitlab.example.test:443",
		"https://gitlab.example.test:443": "https://gitlab.example.test:443",
		"http://gitlab.example.test":      "http://gitlab.example.test:80",
		"http://[::1]:8080/":              "http://[::1]:8080",
	} {
		if got := outbound.Origin(parse(t, text)); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
