package keyring_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aigw/gateway/auth/keyring"
	"aigw/gateway/outbound"
)

var (
	rsaKey     = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
	anotherKey = sync.OnceValue(func() *rsa.PrivateKey { return makeRSA(2048) })
)

func makeRSA(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// issuer plays a GitLab.
type issuer struct {
	*httptest.Server
	prefix    string // path of the install
	keys      atomic.Pointer[[]jose.JSONWebKey]
	override  atomic.Pointer[http.HandlerFunc] // for the keys
	discovery atomic.Pointer[http.HandlerFunc]
	asked     atomic.Int32
}

func key(id string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: &rsaKey().PublicKey, KeyID: id, Algorithm: "RS256", Use: "sig"}
}

func startIssuer(t *testing.T, prefix string, tls bool) *issuer {
	t.Helper()
	i := &issuer{prefix: prefix}
	i.publish(key("a"))
	mux := http.NewServeMux()
	mux.HandleFunc(prefix+"/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		if f := i.discovery.Load(); f != nil {
			(*f)(w, r)
			return
		}
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.URL+prefix, i.URL+prefix+"/oauth/discovery/keys")
	})
	mux.HandleFunc(prefix+"/oauth/discovery/keys", func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		if f := i.override.Load(); f != nil {
			(*f)(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: *i.keys.Load()})
	})
	if tls {
		i.Server = httptest.NewTLSServer(mux)
	} else {
		i.Server = httptest.NewServer(mux)
	}
	i.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(keys ...jose.JSONWebKey) { i.keys.Store(&keys) }

func (i *issuer) answerKeys(f http.HandlerFunc) { i.override.Store(&f) }

// options asks the issuers.
func options(t *testing.T, urls ...string) keyring.Options {
	t.Helper()
	o := keyring.Options{Logger: slog.New(slog.DiscardHandler), Retry: time.Hour}
	var origins []*url.URL
	for _, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		origins = append(origins, u)
		o.Providers = append(o.Providers, keyring.Provider{Label: "Gitlab", URL: u})
	}
	client, err := outbound.New(outbound.Options{Origins: origins})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	o.Client = client
	return o
}

func open(t *testing.T, o keyring.Options) *keyring.Ring {
	t.Helper()
	r, err := keyring.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ids are the keys that a ring has after asking once.
func ids(t *testing.T, r *keyring.Ring) string {
	t.Helper()
	r.Refresh(t.Context(), "nobody has this")
	return known(r)
}

func known(r *keyring.Ring) string {
	var out []string
	for _, k := range r.Keys().Keys {
		out = append(out, k.ID)
	}
	return strings.Join(out, " ")
}

func TestDiscovery(t *testing.T) {
	plain, below := startIssuer(t, "", false), startIssuer(t, "/git/lab", false)
	for name, u := range map[string]string{
		"at the root":                    plain.URL,
		"with a slash":                   plain.URL + "/",
		"with a path, document at root":  plain.URL + "/sub",
		"below a path":                   below.URL + "/git/lab",
		"below a path, with two slashes": below.URL + "/git/lab//",
	} {
		if got := ids(t, open(t, options(t, u))); got != "a" {
			t.Errorf("%s: keys %q", name, got)
		}
	}
}

func TestWhatAnIssuerMayAnswer(t *testing.T) {
	small := makeRSA(1024)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(k jose.JSONWebKey, change func(*jose.JSONWebKey)) jose.JSONWebKey { change(&k); return k }
	i := startIssuer(t, "", false)
	i.publish(
		key("good"),
		with(key("bare"), func(k *jose.JSONWebKey) { k.Use, k.Algorithm = "", "" }),
		with(key("for encryption"), func(k *jose.JSONWebKey) { k.Use = "enc" }),
		with(key("for RS512"), func(k *jose.JSONWebKey) { k.Algorithm = "RS512" }),
		jose.JSONWebKey{Key: &small.PublicKey, KeyID: "short"},
		jose.JSONWebKey{Key: &curve.PublicKey, KeyID: "curve"},
	)
	if got := ids(t, open(t, options(t, i.URL))); got != "good bare" {
		t.Errorf("keys %q", got)
	}
}

func TestTroubleIsNamed(t *testing.T) {
	elsewhere := startIssuer(t, "", false)
	answer := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
	}
	for _, test := range []struct {
		name            string
		discovery, keys http.HandlerFunc
		want            string
	}{
		{name: "keys are garbage", keys: answer("<html>"), want: "no JSON Web Key Set"},
		{name: "no keys", keys: answer(`{"keys":[]}`), want: "no key for RS256"},
		{name: "a key is garbage", keys: answer(`{"keys":[{"kty":"RSA","n":"AQ"}]}`), want: "cannot be read"},
		{name: "keys without end", keys: func(w http.ResponseWriter, _ *http.Request) {
			for range 3 {
				fmt.Fprint(w, strings.Repeat(" ", 1<<20))
			}
		}, want: "more than 1048576 bytes"},
		{name: "too many keys", keys: answer(`{"keys":[` + strings.Repeat(`{},`, 40) + `{}]}`), want: "at most 32"},
		{name: "an error", keys: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, want: "answers 502"},
		{name: "cut off", keys: func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, want: "EOF"},
		{name: "discovery is garbage", discovery: answer("<html>"), want: "is this URL a GitLab?"},
		{name: "discovery says nothing", discovery: answer("{}"), want: "is this URL a GitLab?"},
		{name: "discovery is missing", discovery: http.NotFound, want: "answers 404"},
		{name: "keys elsewhere", discovery: answer(`{"jwks_uri":"` + elsewhere.URL + `/other/keys"}`), want: "/other/keys answers 404"},
		{name: "redirected elsewhere", keys: func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL+"/oauth/discovery/keys", http.StatusFound)
		}, want: "another origin"},
	} {
		t.Run(test.name, func(t *testing.T) {
			i := startIssuer(t, "", false)
			if test.keys != nil {
				i.answerKeys(test.keys)
			}
			if test.discovery != nil {
				i.discovery.Store(&test.discovery)
			}
			r := open(t, options(t, i.URL))
			if got := ids(t, r); got != "" {
				t.Errorf("keys %q", got)
			}
			if text := r.Keys().Describe(); !strings.Contains(text, test.want) || !strings.Contains(text, i.URL) {
				t.Errorf("%q does not name %q and the issuer", text, test.want)
			}
		})
	}
	if n := elsewhere.asked.Load(); n != 0 {
		t.Errorf("another origin was asked %d times", n)
	}
}

func TestUntrustedCertificate(t *testing.T) {
	i := startIssuer(t, "", true)
	o := options(t, i.URL)
	r := open(t, o)
	ids(t, r)
	if text := r.Keys().Describe(); !strings.Contains(text, "--ca-file") || !strings.Contains(text, "Acme Co") {
		t.Errorf("%q names neither the certificate's issuer nor the way out", text)
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Options{Origins: []*url.URL{o.Providers[0].URL}, CAFiles: []string{ca}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	o.Client = client
	if got := ids(t, open(t, o)); got != "a" {
		t.Errorf("keys %q with the CA's certificate", got)
	}
}

// Keys are replaced by the next ones, and stay while the issuer is away.
func TestRotationAndOutage(t *testing.T) {
	i := startIssuer(t, "", false)
	o := options(t, i.URL)
	o.Retry = time.Nanosecond
	r := open(t, o)
	if got := ids(t, r); got != "a" {
		t.Fatalf("keys %q", got)
	}
	version := r.Keys().Version
	i.publish(jose.JSONWebKey{Key: &anotherKey().PublicKey, KeyID: "b", Use: "sig"})
	if got := ids(t, r); got != "b" || r.Keys().Version == version {
		t.Fatalf("keys %q, version %d, before %d", got, r.Keys().Version, version)
	}
	version = r.Keys().Version
	i.answerKeys(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	if got := ids(t, r); got != "b" || r.Keys().Version != version {
		t.Errorf("keys %q after an outage, version %d, before %d", got, r.Keys().Version, version)
	}
}

// However many tokens name unknown keys, the issuer is asked a few times, then once in a while.
func TestAskingIsLimited(t *testing.T) {
	const burst = 4
	i := startIssuer(t, "", false)
	r := open(t, options(t, i.URL))
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() { r.Refresh(t.Context(), "x") })
	}
	group.Wait()
	for range burst {
		r.Refresh(t.Context(), "y")
	}
	for range 50 {
		if r.Refresh(t.Context(), "z") {
			t.Fatal("asked again at once")
		}
	}
	if n := i.asked.Load(); n != burst {
		t.Errorf("asked %d times", n)
	}
}

// A key that appears right after the keys were fetched is found: that asking was nobody's fault.
func TestRotationRightAfterTheStart(t *testing.T) {
	i := startIssuer(t, "", false)
	r := open(t, options(t, i.URL))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	for known(r) != "a" {
		time.Sleep(time.Millisecond)
	}
	i.publish(key("b"))
	if got := ids(t, r); got != "b" {
		t.Errorf("keys %q", got)
	}
	cancel()
	<-ended
}

// An asking under way that has this provider's answer already, from before the rotation, is not the
// last word on a new key.
func TestRotationDuringAnAsking(t *testing.T) {
	i, slow := startIssuer(t, "", false), startIssuer(t, "", false)
	release := make(chan struct{})
	slow.answerKeys(func(w http.ResponseWriter, _ *http.Request) { <-release; http.Error(w, "no", http.StatusTeapot) })
	r := open(t, options(t, i.URL, slow.URL))
	r.Reload()
	for known(r) != "a" {
		time.Sleep(time.Millisecond)
	}
	i.publish(key("b"))
	asked := make(chan bool)
	go func() { asked <- r.Refresh(t.Context(), "b") }()
	time.AfterFunc(50*time.Millisecond, func() { close(release) })
	if !<-asked || known(r) != "b" {
		t.Errorf("keys %q", known(r))
	}
}

// A GitLab calls itself by its external URL; it is asked only where it was configured.
func TestKeysAreTakenFromTheConfiguredOrigin(t *testing.T) {
	i := startIssuer(t, "", false)
	for _, uri := range []string{"https://gitlab.example.test/oauth/discovery/keys", "/oauth/discovery/keys"} {
		discovery := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintf(w, `{"jwks_uri":%q}`, uri) })
		i.discovery.Store(&discovery)
		if got := ids(t, open(t, options(t, i.URL))); got != "a" {
			t.Errorf("%s: keys %q", uri, got)
		}
	}
}

// One provider that never answers does not keep the keys of another waiting.
func TestASlowProviderHoldsUpNobody(t *testing.T) {
	slow, fast := startIssuer(t, "", false), startIssuer(t, "", false)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	slow.answerKeys(func(http.ResponseWriter, *http.Request) { <-release })
	r := open(t, options(t, slow.URL, fast.URL))
	began := time.Now()
	if !r.Refresh(t.Context(), "a") || known(r) != "a" {
		t.Fatalf("keys %q", known(r))
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("waited %s", took)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if r.Refresh(ctx, "unknown") {
		t.Error("somebody who no longer waits was told that all have answered")
	}
}

// A start without GitLab goes on with its last keys, unless they are too old.
func TestRestartWithoutGitLab(t *testing.T) {
	i := startIssuer(t, "", false)
	o := options(t, i.URL)
	o.Dir = filepath.Join(t.TempDir(), "state")
	if got := ids(t, open(t, o)); got != "a" {
		t.Fatalf("keys %q", got)
	}
	i.Close()
	files, err := filepath.Glob(filepath.Join(o.Dir, "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("kept %v, %v", files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kept with mode %v, %v", info.Mode(), err)
	}
	if got := known(open(t, o)); got != "a" {
		t.Errorf("keys %q after a restart", got)
	}
	tooOld := o
	tooOld.MaxAge = time.Nanosecond
	r := open(t, tooOld)
	if got := known(r); got != "" {
		t.Errorf("keys %q though they are too old", got)
	}
	if text := r.Keys().Describe(); !strings.Contains(text, "days old") {
		t.Errorf("%q does not say that keys are too old", text)
	}
	other := options(t, strings.Replace(i.URL, "127.0.0.1", "localhost", 1))
	other.Dir = o.Dir
	if got := known(open(t, other)); got != "" {
		t.Errorf("keys %q of another issuer", got)
	}
	if err := os.WriteFile(files[0], []byte(`{"url":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := known(open(t, o)); got != "" {
		t.Errorf("keys %q from a damaged file", got)
	}
}

func TestJWKSFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "jwks.json")
	write := func(keys ...jose.JSONWebKey) {
		t.Helper()
		data, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
		if err == nil {
			err = os.WriteFile(path, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	o := keyring.Options{File: path, Logger: slog.New(slog.DiscardHandler), Retry: time.Nanosecond, MaxAge: time.Nanosecond,
		Local: []keyring.Key{{ID: "own", Public: &anotherKey().PublicKey}}}
	if _, err := keyring.New(o); err == nil {
		t.Error("a file that is missing is accepted")
	}
	write()
	if _, err := keyring.New(o); err == nil || !strings.Contains(err.Error(), "/oauth/discovery/keys") {
		t.Errorf("a file without keys: %v", err)
	}
	write(key("f"))
	r := open(t, o)
	if got := known(r); got != "own f" {
		t.Errorf("keys %q", got)
	}
	write(key("g"), key("h")) // a new one is read when a token asks for it
	if got := ids(t, r); got != "own g h" {
		t.Errorf("keys %q after the file was replaced", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if got := ids(t, r); got != "own g h" {
		t.Errorf("keys %q after the file was lost", got)
	}
}

func TestRunAsksAgainUntilItIsAnswered(t *testing.T) {
	i := startIssuer(t, "", false)
	fails := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	i.override.Store(&fails)
	o := options(t, i.URL)
	o.Retry = 10 * time.Millisecond
	r := open(t, o)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	for i.asked.Load() < 3 {
		time.Sleep(time.Millisecond)
	}
	i.override.Store(nil)
	for known(r) != "a" {
		time.Sleep(time.Millisecond)
	}
	cancel()
	<-ended
}

func FuzzKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"EC"}]}`))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, document []byte) {
		path := filepath.Join(dir, "jwks.json")
		if err := os.WriteFile(path, document, 0o600); err != nil {
			t.Fatal(err)
		}
		if keys, err := keyring.ReadFile(path); err == nil && len(keys) == 0 {
			t.Error("neither keys nor an error")
		}
	})
}
