package bearer

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aigw/gateway/auth/keyring"
)

const audience = "gitlab-ai-gateway"

var now = time.Unix(1735732800, 0)

func newKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// ring is a keyring that a test fills.
type ring struct {
	set       *keyring.Set
	next      *keyring.Set // after a refresh; nil: none is possible
	refreshed atomic.Int32
}

func (r *ring) Keys() *keyring.Set { return r.set }

func (r *ring) Refresh(context.Context, string) bool {
	r.refreshed.Add(1)
	if r.next == nil {
		return false
	}
	r.set = r.next
	return true
}

func keys(version uint64, byID map[string]*rsa.PrivateKey) *keyring.Set {
	s := &keyring.Set{Version: version}
	for id, k := range byID {
		s.Keys = append(s.Keys, keyring.Key{ID: id, Public: &k.PublicKey, From: "https://gitlab.example.test"})
	}
	return s
}

type fields = map[string]any

// claimed is a good payload with changes; nil takes a claim away.
func claimed(changes fields) fields {
	c := fields{
		"iss": "https://gitlab.example.test", "sub": "instance-1", "aud": audience, "jti": "1",
		"iat": now.Unix(), "nbf": now.Unix() - 5, "exp": now.Unix() + 3600,
		"gitlab_realm": "self-managed", "scopes": []string{"complete_code"},
	}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func sign(t testing.TB, algorithm jose.SignatureAlgorithm, key any, keyID string, payload any) string {
	t.Helper()
	text, ok := payload.([]byte)
	if !ok {
		var err error
		if text, err = json.Marshal(payload); err != nil {
			t.Fatal(err)
		}
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func encode(parts ...string) string {
	for i, p := range parts {
		parts[i] = base64.RawURLEncoding.EncodeToString([]byte(p))
	}
	return strings.Join(parts, ".")
}

func newVerifier(r Keys) *Verifier {
	return New(Options{Keys: r, Audience: audience, now: func() time.Time { return now }})
}

func TestVerify(t *testing.T) {
	good, other := newKey(t), newKey(t)
	r := &ring{set: keys(1, map[string]*rsa.PrivateKey{"a": good, "b": newKey(t)})}
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&good.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claimed(nil))
	if err != nil {
		t.Fatal(err)
	}
	rs := func(changes fields) string { return sign(t, jose.RS256, good, "a", claimed(changes)) }
	whole := rs(nil)
	for _, test := range []struct {
		name, token string
		refusal     string // a part of it; "" if it is good
	}{
		{"good", whole, ""},
		{"key id of another key", sign(t, jose.RS256, good, "b", claimed(nil)), ""},
		{"unknown key id, known key", sign(t, jose.RS256, good, "zzz", claimed(nil)), ""},
		{"no key id", sign(t, jose.RS256, good, "", claimed(nil)), ""},
		{"audience in a list", rs(fields{"aud": []string{"x", audience}}), ""},
		{"no scopes", rs(fields{"scopes": nil}), ""},
		{"ends in a second", rs(fields{"exp": now.Unix() + 1}), ""},
		{"begins a little later", rs(fields{"nbf": now.Unix() + 20}), ""},
		{"times as fractions", rs(fields{"exp": float64(now.Unix()) + 10.5}), ""},

		{"empty", "", "no JSON Web Token"},
		{"garbage", "garbage", "no JSON Web Token"},
		{"two parts", "a.b", "no JSON Web Token"},
		{"huge", strings.Repeat("a", maxToken+1), "at most 16384"},
		{"another key", sign(t, jose.RS256, other, "a", claimed(nil)), "no known key has made its signature"},
		{"none", encode(`{"alg":"none"}`, string(payload), ""), "RS256"},
		{"none, in capitals", encode(`{"alg":"NONE","kid":"a"}`, string(payload), "x"), "RS256"},
		{"HS256 with the public key", sign(t, jose.HS256, der, "a", claimed(nil)), "RS256"},
		{"RS512", sign(t, jose.RS512, good, "a", claimed(nil)), "RS256"},
		{"PS256", sign(t, jose.PS256, good, "a", claimed(nil)), "RS256"},
		{"ES256", sign(t, jose.ES256, elliptic, "a", claimed(nil)), "RS256"},
		{"changed payload", whole[:strings.Index(whole, ".")+1] + encode(`{"iss":"x"}`) + whole[strings.LastIndex(whole, "."):], "no known key"},
		{"cut signature", whole[:len(whole)-4], "no known key"},
		{"expired", rs(fields{"exp": now.Unix() - 60}), "expired 1m0s ago"},
		{"expires now", rs(fields{"exp": now.Unix()}), "expired 0s ago"},
		{"no end", rs(fields{"exp": nil}), `"exp" is missing`},
		{"end is text", rs(fields{"exp": "tomorrow"}), `"exp" is no time`},
		{"end is beyond all times", rs(fields{"exp": 1e300}), `"exp" is no time`},
		{"not yet", rs(fields{"nbf": now.Unix() + 60}), "begins in 1m0s"},
		{"odd time of issue", rs(fields{"iat": "x"}), `"iat" is no time`},
		{"another audience", rs(fields{"aud": "x"}), "CLOUD_CONNECTOR_SERVICE_NAME"},
		{"no audience", rs(fields{"aud": nil}), "CLOUD_CONNECTOR_SERVICE_NAME"},
		{"subject is a number", rs(fields{"sub": 7}), `"sub" is no text`},
		{"a list for a payload", sign(t, jose.RS256, good, "a", []byte(`[1]`)), "no JSON object"},
		{"the portal's", sign(t, jose.RS256, other, "x", claimed(fields{"iss": "https://customers.gitlab.com"})), "CLOUD_CONNECTOR_SELF_SIGN_TOKENS=1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			v := newVerifier(r)
			for _, again := range []string{"", " again"} {
				claims, err := v.Verify(t.Context(), test.token)
				switch {
				case (err == nil) != (test.refusal == ""):
					t.Fatalf("error%s: %v, want %q", again, err, test.refusal)
				case err != nil && !strings.Contains(err.Error(), test.refusal):
					t.Errorf("error%s %q, want %q in it", again, err, test.refusal)
				case err == nil && (claims.Issuer != "https://gitlab.example.test" || claims.Subject != "instance-1" || claims.Realm != "self-managed"):
					t.Errorf("claims%s %+v", again, claims)
				}
				if err == nil {
					continue
				}
				for _, part := range strings.Split(test.token, ".") {
					if len(part) > 10 && strings.Contains(err.Error(), part) {
						t.Errorf("the error shows a part of the token: %s", err)
					}
				}
			}
		})
	}
}

func TestClaims(t *testing.T) {
	key := newKey(t)
	v := newVerifier(&ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key})})
	for _, test := range []struct {
		changes         fields
		scopes          string
		instance, seats string
	}{
		{fields{"scopes": []any{"a", 7, "b"}}, "[a b]", "", ""},
		{fields{"scopes": "complete_code"}, "[]", "", ""},
		{fields{"gitlab_instance_id": "i", "duo_seat_count": 12}, "[complete_code]", "i", "12"},
		{fields{"duo_seat_count": " 3 "}, "[complete_code]", "", "3"},
	} {
		got, err := v.Verify(t.Context(), sign(t, jose.RS256, key, "a", claimed(test.changes)))
		if err != nil || fmt.Sprint(got.Scopes) != test.scopes || got.InstanceID != test.instance || got.DuoSeatCount != test.seats {
			t.Errorf("%v: %+v, %v", test.changes, got, err)
		}
	}
}

// A key that is unknown is asked for; one that was withdrawn is no longer good, also for tokens
// that were seen before.
func TestRotation(t *testing.T) {
	first, second := newKey(t), newKey(t)
	r := &ring{
		set:  keys(1, map[string]*rsa.PrivateKey{"1": first}),
		next: keys(2, map[string]*rsa.PrivateKey{"2": second}),
	}
	v := newVerifier(r)
	old, fresh := sign(t, jose.RS256, first, "1", claimed(nil)), sign(t, jose.RS256, second, "2", claimed(nil))
	if _, err := v.Verify(t.Context(), old); err != nil || r.refreshed.Load() != 0 {
		t.Fatalf("%v, asked %d times", err, r.refreshed.Load())
	}
	if _, err := v.Verify(t.Context(), fresh); err != nil || r.refreshed.Load() != 1 {
		t.Fatalf("%v, asked %d times", err, r.refreshed.Load())
	}
	if _, err := v.Verify(t.Context(), old); err == nil {
		t.Error("a token of a withdrawn key is good")
	}
}

// A forged signature under a known id asks nobody.
func TestForgedTokensAskNobody(t *testing.T) {
	r := &ring{set: keys(1, map[string]*rsa.PrivateKey{"1": newKey(t)})}
	forged := sign(t, jose.RS256, newKey(t), "1", claimed(nil))
	if _, err := newVerifier(r).Verify(t.Context(), forged); err == nil || r.refreshed.Load() != 0 {
		t.Errorf("%v, asked %d times", err, r.refreshed.Load())
	}
}

func TestATokenThatWasGoodExpires(t *testing.T) {
	key := newKey(t)
	at := now
	v := New(Options{Keys: &ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key})}, Audience: audience, now: func() time.Time { return at }})
	token := sign(t, jose.RS256, key, "a", claimed(nil))
	for _, step := range []struct {
		after time.Duration
		good  bool
	}{{0, true}, {59 * time.Minute, true}, {time.Hour, false}, {2 * time.Hour, false}} {
		at = now.Add(step.after)
		if _, err := v.Verify(t.Context(), token); (err == nil) != step.good {
			t.Errorf("after %s: %v", step.after, err)
		}
	}
}

func TestSkipSignature(t *testing.T) {
	v := New(Options{Keys: &ring{set: &keyring.Set{}}, Audience: audience, SkipSignature: true, now: func() time.Time { return now }})
	for name, test := range map[string]struct {
		token string
		good  bool
	}{
		"any key":       {sign(t, jose.RS256, newKey(t), "x", claimed(nil)), true},
		"any algorithm": {sign(t, jose.HS256, []byte(strings.Repeat("s", 32)), "x", claimed(nil)), true},
		"expired":       {sign(t, jose.RS256, newKey(t), "x", claimed(fields{"exp": now.Unix() - 1})), false},
		"audience":      {sign(t, jose.RS256, newKey(t), "x", claimed(fields{"aud": "x"})), false},
		"garbage":       {"a.%.c", false},
		"one part":      {"a", false},
	} {
		if _, err := v.Verify(t.Context(), test.token); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f)
	r := &ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key})}
	good := sign(f, jose.RS256, key, "a", claimed(nil))
	for _, token := range []string{good, "", "a.b.c", encode(`{"alg":"RS256"}`, `{"exp":1e400}`, "x"), encode(`{"alg":"RS256","crit":["x"]}`, `{}`, "x"), `{"payload":"e30","signatures":[]}`} {
		f.Add(token)
	}
	signed, skipping := newVerifier(r), New(Options{Keys: r, Audience: audience, SkipSignature: true, now: func() time.Time { return now }})
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := signed.Verify(t.Context(), token); err == nil && token != good {
			t.Errorf("%q is good", token)
		}
		_, _ = skipping.Verify(t.Context(), token)
	})
}

func BenchmarkVerify(b *testing.B) {
	key := newKey(b)
	r := &ring{set: keys(1, map[string]*rsa.PrivateKey{"a": key, "b": newKey(b), "c": newKey(b)})}
	v := newVerifier(r)
	token := sign(b, jose.RS256, key, "a", claimed(nil))
	forged := sign(b, jose.RS256, newKey(b), "a", claimed(nil))
	b.Run("known token", func(b *testing.B) {
		for b.Loop() {
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("new token", func(b *testing.B) {
		for b.Loop() {
			v.good.Purge()
			if _, err := v.Verify(b.Context(), token); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("forged token", func(b *testing.B) {
		for b.Loop() {
			if _, err := v.Verify(b.Context(), forged); err == nil {
				b.Fatal("good")
			}
		}
	})
}
