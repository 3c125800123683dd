package gateway_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/outbound"
	"aigw/gateway/usertoken"
)

// gitlab plays a GitLab that signs tokens and publishes its keys.
type gitlab struct {
	*httptest.Server
	keys atomic.Pointer[jose.JSONWebKeySet]
}

func startGitLab() *gitlab {
	g := &gitlab{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/.well-known/openid-configuration":
			fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, g.URL, g.URL+"/oauth/discovery/keys")
		case "/oauth/discovery/keys":
			_ = json.NewEncoder(w).Encode(g.keys.Load())
		default:
			http.NotFound(w, r)
		}
	}))
	return g
}

func (g *gitlab) publish(keys ...jose.JSONWebKey) {
	set := &jose.JSONWebKeySet{}
	for _, k := range keys {
		set.Keys = append(set.Keys, k.Public())
	}
	g.keys.Store(set)
}

func signingKey(t *testing.T, id string) jose.JSONWebKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return jose.JSONWebKey{Key: k, KeyID: id, Algorithm: "RS256", Use: "sig"}
}

// sign makes a token of any kind.
func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	text, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Section 3 of the wire contract and table A.4, over HTTP, with keys found by discovery.
func TestAuthenticationContract(t *testing.T) {
	g := startGitLab()
	defer g.Close() // before the gateway ends, which then looks for goroutines
	first, second, own, strangers := signingKey(t, "first"), signingKey(t, "second"), signingKey(t, ""), signingKey(t, "first")
	g.publish(first)
	u, err := url.Parse(g.URL)
	if err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Options{Origins: []*url.URL{u}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ownKey := own.Key.(*rsa.PrivateKey)
	ring, err := keyring.New(keyring.Options{
		Logger: slog.New(slog.DiscardHandler),
		Client: client, Providers: []keyring.Provider{{Label: "Gitlab", URL: u}},
		Local: selfsigned.Public(auth.DefaultServiceName, ownKey, nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := gatewaytest.Start(t, gateway.Options{
		Auth:   auth.Options{Verifier: bearer.New(bearer.Options{Keys: ring, Audience: auth.DefaultServiceName})},
		Tokens: usertoken.Options{Key: ownKey, Service: auth.DefaultServiceName},
	})
	s.NoModel()

	const instance = "8f6e4c5a-1111-4b2b-9c3d-2f1e0d9c8b7a"
	claims := func(changes ...any) map[string]any {
		now := time.Now()
		c := map[string]any{
			"jti": "1", "aud": "gitlab-ai-gateway", "sub": instance, "iss": g.URL, "gitlab_realm": "self-managed",
			"iat": now.Unix(), "nbf": now.Unix() - 5, "exp": now.Unix() + 3600,
			"scopes": []string{"complete_code", "generate_code", "duo_chat"}, "extra": map[string]any{"ignored": true},
		}
		for i := 0; i < len(changes); i += 2 {
			if c[changes[i].(string)] = changes[i+1]; changes[i+1] == nil {
				delete(c, changes[i].(string))
			}
		}
		return c
	}
	rails := func(changes ...any) string { return sign(t, jose.RS256, first, claims(changes...)) }
	editors := func(changes ...any) string {
		return sign(t, jose.RS256, own, claims(append([]any{"iss", "gitlab-ai-gateway", "sub", "user-1", "scopes", []string{"complete_code"}}, changes...)...))
	}
	unsigned := func() string {
		parts := strings.Split(rails(), ".")
		return "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + "." // {"alg":"none","typ":"JWT"}
	}
	publicPEM := fmt.Appendf(nil, "%v", first.Key.(*rsa.PrivateKey).PublicKey)

	const (
		completions = "/v2/code/completions"
		generations = "/v2/code/generations"
		tokens      = "/v1/code/user_access_token"
		body        = `{"prompt_version":1,"current_file":{"file_name":"a.py","content_above_cursor":"x","content_below_cursor":""}}`
		generation  = `{"prompt_version":2,"prompt":"x","current_file":{"file_name":"a.py","content_above_cursor":"x","content_below_cursor":""}}`
		forbidden   = `401 {"error":"Forbidden by auth provider"}`
		passed      = "503" // there is no model
	)
	for _, test := range []struct {
		name, path, token string
		headers           []string // name, value: in place of the usual ones
		want              string   // beginning of status and body
	}{
		{"Rails", completions, rails(), nil, passed},
		{"list of audiences", completions, rails("aud", []string{"other", "gitlab-ai-gateway"}), nil, passed},
		{"another key of the issuer is in the header", completions, sign(t, jose.RS256, jose.JSONWebKey{Key: first.Key, KeyID: "nobody's"}, claims()), nil, passed},
		{"no key in the header", completions, sign(t, jose.RS256, first.Key, claims()), nil, passed},
		{"claims of realm and instance are empty", completions, rails("gitlab_realm", "", "sub", ""), []string{"X-Gitlab-Realm", "", "X-Gitlab-Instance-Id", ""}, passed},
		{"seat count differs", completions, rails("duo_seat_count", 5), []string{"X-Gitlab-Duo-Seat-Count", "6"}, passed},

		{"other audience", completions, rails("aud", "other"), nil, forbidden},
		{"no audience", completions, rails("aud", nil), nil, forbidden},
		{"empty list of audiences", completions, rails("aud", []string{}), nil, forbidden},
		{"expired", completions, rails("exp", time.Now().Unix()-1), nil, forbidden},
		{"without an end", completions, rails("exp", nil), nil, forbidden},
		{"the end is a text", completions, rails("exp", "tomorrow"), nil, forbidden},
		{"of tomorrow", completions, rails("nbf", time.Now().Unix()+3600), nil, forbidden},
		{"issued at no time", completions, rails("iat", "now"), nil, forbidden},
		{"subject is a number", completions, rails("sub", 5), nil, forbidden},
		{"id is a number", completions, rails("jti", 5), nil, forbidden},
		{"HS256 with the public key", completions, sign(t, jose.HS256, publicPEM, claims()), nil, forbidden},
		{"RS512", completions, sign(t, jose.RS512, first.Key, claims()), nil, forbidden},
		{"PS256", completions, sign(t, jose.PS256, first.Key, claims()), nil, forbidden},
		{"unsigned", completions, unsigned(), nil, forbidden},
		{"a stranger's key", completions, sign(t, jose.RS256, strangers, claims()), nil, forbidden},
		{"no token at all", completions, "x", nil, forbidden},
		{"huge", completions, rails("padding", strings.Repeat("x", 20<<10)), nil, forbidden},

		{"realm differs", completions, rails(), []string{"X-Gitlab-Realm", "saas"}, `401 {"error":"Header mismatch 'X-Gitlab-Realm'"}`},
		{"realm is missing", completions, rails(), []string{"X-Gitlab-Realm", ""}, `401 {"error":"Header mismatch 'X-Gitlab-Realm'"}`},
		{"instance claim differs", completions, rails("gitlab_instance_id", "x"), nil, `401 {"error":"Header mismatch 'X-Gitlab-Instance-Id'"}`},
		{"subject differs", completions, rails("sub", "x"), nil, `401 {"error":"Header mismatch 'X-Gitlab-Instance-Id'"}`},
		{"realm is compared first", completions, rails("sub", "x", "gitlab_realm", "saas"), nil, `401 {"error":"Header mismatch 'X-Gitlab-Realm'"}`},
		{"type is missing", completions, rails(), []string{"X-Gitlab-Authentication-Type", ""}, `401 {"error":"Invalid authentication token type - only OIDC is supported"}`},
		{"type comes before the token", completions, "x", []string{"X-Gitlab-Authentication-Type", "OIDC"}, `401 {"error":"Invalid authentication token type - only OIDC is supported"}`},
		{"another scheme", completions, "", []string{"Authorization", "Basic abc"}, `401 {"error":"Invalid authorization header"}`},
		{"unknown path", "/nope", rails(), nil, `404 {"detail":"Not Found"}`},

		{"no right to complete", completions, rails("scopes", []string{"duo_chat"}), nil, `403 {"detail":"Unauthorized to access code completions"}`},
		{"no scopes", completions, rails("scopes", nil), nil, `403 {"detail":"Unauthorized to access code completions"}`},
		{"the old name of both rights", completions, rails("scopes", []string{"code_suggestions"}), nil, passed},
		{"the old name of both rights, generation", generations, rails("scopes", []string{"code_suggestions"}), nil, passed},
		{"no right to generate", generations, rails("scopes", []string{"complete_code"}), nil, `403 {"detail":"Unauthorized to access code generations"}`},
		{"a bad body comes before a missing right", completions, rails("scopes", []string{"duo_chat"}), []string{"Content-Type", "text/plain"}, `422`},

		{"editor", completions, editors(), nil, passed},
		{"editor, old right", completions, editors("scopes", []string{"code_suggestions"}), nil, passed},
		{"another person's editor", completions, editors("sub", "user-2"), nil, `401 {"error":"Header mismatch 'X-Gitlab-Global-User-Id'"}`},
		{"editor, generation", generations, editors("scopes", []string{"complete_code", "generate_code"}), nil, `403 {"detail":"Unauthorized to access code generations"}`},
		{"editor, another token", tokens, editors(), nil, `403 {"detail":"Unauthorized to create user access token for code suggestions"}`},

		{"token", tokens, rails(), nil, `200 {"token":"ey`},
		{"token, no person", tokens, rails(), []string{"X-Gitlab-Global-User-Id", ""}, `400 {"detail":"Missing X-Gitlab-Global-User-Id header"}`},
		{"token, no instance", tokens, rails("sub", ""), []string{"X-Gitlab-Instance-Id", ""}, `400 {"detail":"Missing X-Gitlab-Instance-Id header"}`},
		{"token, no realm", tokens, rails("gitlab_realm", ""), []string{"X-Gitlab-Realm", ""}, `400 {"detail":"Missing X-Gitlab-Realm header"}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := map[string]string{
				"Authorization": "Bearer " + test.token, "X-Gitlab-Authentication-Type": "oidc", "Content-Type": "application/json",
				"X-Gitlab-Instance-Id": instance, "X-Gitlab-Realm": "self-managed", "X-Gitlab-Global-User-Id": "user-1",
			}
			for i := 0; i < len(test.headers); i += 2 {
				headers[test.headers[i]] = test.headers[i+1]
			}
			var list []string
			for name, value := range headers {
				if value != "" {
					list = append(list, name, value)
				}
			}
			text := body
			if test.path == generations {
				text = generation
			}
			got := s.Do("POST", test.path, text, list...)
			if all := fmt.Sprintf("%d %s", got.StatusCode, got.Text); !strings.HasPrefix(all, test.want) {
				t.Errorf("%s, want %s", all, test.want)
			}
			if got.Header.Get("X-Request-ID") == "" || got.Header.Get("X-Process-Time") == "" {
				t.Errorf("headers of every answer are missing in %v", got.Header)
			}
		})
	}

	// GitLab changes its key: the next token brings it here, and the old key is no longer good.
	g.publish(second)
	usual := []string{"X-Gitlab-Authentication-Type", "oidc", "X-Gitlab-Instance-Id", instance, "X-Gitlab-Realm", "self-managed"}
	if got := s.Do("POST", completions, body, append(usual, "Authorization", "bearer "+sign(t, jose.RS256, second, claims()))...); got.StatusCode != 503 {
		t.Errorf("with the new key: %d %s", got.StatusCode, got.Text)
	}
	if got := s.Do("POST", completions, body, append(usual, "Authorization", "Bearer "+rails())...); got.StatusCode != 401 {
		t.Errorf("with the old key: %d %s", got.StatusCode, got.Text)
	}
	if log := s.Log(); strings.Contains(log, rails()[:40]) {
		t.Error("tokens are in the log")
	}
}
