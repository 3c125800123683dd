package usertoken_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/usertoken"
)

const (
	path    = "/v1/code/user_access_token"
	service = "gitlab-ai-gateway"
)

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := selfsigned.Make()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// play starts a gateway with keys of its own and a GitLab, and returns what signs as that GitLab.
func play(t *testing.T) (*gatewaytest.Server, func(scopes ...string) string) {
	t.Helper()
	gitlab, own := newKey(t), newKey(t)
	local := append(selfsigned.Public(service, own, nil), keyring.Key{ID: "gitlab", Public: &gitlab.PublicKey})
	ring, err := keyring.New(keyring.Options{Local: local, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := gatewaytest.Start(t, gateway.Options{
		Auth:   auth.Options{Verifier: bearer.New(bearer.Options{Keys: ring, Audience: service})},
		Tokens: usertoken.Options{Key: own, Service: service},
	})
	s.NoModel()
	return s, func(scopes ...string) string {
		token, err := selfsigned.Sign(gitlab, "gitlab", selfsigned.Claims{
			Issuer: "https://gitlab.example.test", Subject: "instance-1", Audience: service, Realm: "self-managed", Scopes: scopes, Seats: "7",
		}.Stamp(time.Now(), time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
}

func headers(token string, more ...string) []string {
	return append([]string{
		"Authorization", "Bearer " + token, "X-Gitlab-Authentication-Type", "oidc",
		"X-Gitlab-Instance-Id", "instance-1", "X-Gitlab-Realm", "self-managed", "X-Gitlab-Global-User-Id", "user-1",
	}, more...)
}

func TestTheTokenIsTheContracts(t *testing.T) {
	s, sign := play(t)
	began := time.Now().Unix()
	answer := s.Do("POST", path, "", headers(sign("complete_code"))...)
	var got struct {
		Token     string `json:"token"`
		ExpiresAt int64  `json:"expires_at"`
	}
	if err := json.Unmarshal([]byte(answer.Text), &got); err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%d %s, %v", answer.StatusCode, answer.Text, err)
	}
	parts := strings.Split(got.Token, ".")
	part := func(i int) map[string]any {
		data, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]any{}
		if err := json.Unmarshal(data, &fields); err != nil {
			t.Fatal(err)
		}
		return fields
	}
	if head := part(0); len(head) != 2 || head["alg"] != "RS256" || head["typ"] != "JWT" {
		t.Errorf("header %v", head)
	}
	claims := part(1)
	for name, want := range map[string]any{
		"iss": service, "aud": service, "sub": "user-1", "gitlab_realm": "self-managed", "gitlab_instance_id": "instance-1",
		"duo_seat_count": "7", "exp": float64(got.ExpiresAt), "iat": float64(got.ExpiresAt - 3600), "nbf": float64(got.ExpiresAt - 3600),
	} {
		if claims[name] != want {
			t.Errorf("claim %s is %v, want %v", name, claims[name], want)
		}
	}
	if scopes, _ := json.Marshal(claims["scopes"]); string(scopes) != `["complete_code"]` {
		t.Errorf("scopes %s", scopes)
	}
	if id, _ := claims["jti"].(string); len(id) != 36 {
		t.Errorf("jti %v", claims["jti"])
	}
	if got.ExpiresAt < began+3600 || got.ExpiresAt > began+3610 {
		t.Errorf("expires in %d s", got.ExpiresAt-began)
	}

	// It opens completions and nothing else, for this person only. Without a model 503 is as far
	// as one gets.
	for _, test := range []struct {
		path, user string
		status     int
		text       string
	}{
		{"/v2/code/completions", "user-1", http.StatusServiceUnavailable, ""},
		{"/v2/code/completions", "user-2", http.StatusUnauthorized, "Header mismatch 'X-Gitlab-Global-User-Id'"},
		{"/v2/code/generations", "user-1", http.StatusForbidden, "Unauthorized to access code generations"},
		{"/v3/code/completions", "user-1", http.StatusForbidden, "Unauthorized to access code suggestions"},
		{"/v4/code/suggestions", "user-1", http.StatusForbidden, "Unauthorized to access code suggestions"},
		{path, "user-1", http.StatusForbidden, "Unauthorized to create user access token for code suggestions"},
	} {
		body := `{"prompt_version":1,"current_file":{"file_name":"a.rb","content_above_cursor":"x","content_below_cursor":""}}`
		if strings.HasPrefix(test.path, "/v3") || strings.HasPrefix(test.path, "/v4") {
			body = `{"prompt_components":[{"type":"code_editor_completion","payload":{"file_name":"a.rb","content_above_cursor":"x","content_below_cursor":""}}]}`
		}
		h := headers(got.Token)
		h[len(h)-1] = test.user
		if a := s.Do("POST", test.path, body, h...); a.StatusCode != test.status || !strings.Contains(a.Text, test.text) {
			t.Errorf("%s of %s: %d %s, want %d %s", test.path, test.user, a.StatusCode, a.Text, test.status, test.text)
		}
	}
}

func TestRefusals(t *testing.T) {
	s, sign := play(t)
	without := func(name string) []string {
		h := headers(sign("complete_code"))
		for i := 0; i < len(h); i += 2 {
			if h[i] == name {
				h = append(h[:i], h[i+2:]...)
			}
		}
		return h
	}
	for _, test := range []struct {
		name    string
		headers []string
		status  int
		body    string
	}{
		{"old name of the right", headers(sign("code_suggestions")), 200, ""},
		{"no right", headers(sign("duo_chat")), 403, `{"detail":"Unauthorized to create user access token for code suggestions"}`},
		{"no user", without("X-Gitlab-Global-User-Id"), 400, `{"detail":"Missing X-Gitlab-Global-User-Id header"}`},
		{"no realm", without("X-Gitlab-Realm"), 401, `{"error":"Header mismatch 'X-Gitlab-Realm'"}`},
		{"no token", nil, 401, `{"error":"No authorization header presented"}`},
		{"forged", headers("a.b.c"), 401, `{"error":"Forbidden by auth provider"}`},
	} {
		if a := s.Do("POST", path, "", test.headers...); a.StatusCode != test.status || test.body != "" && a.Text != test.body {
			t.Errorf("%s: %d %s, want %d %s", test.name, a.StatusCode, a.Text, test.status, test.body)
		}
	}
	open := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{BypassExternal: true}})
	open.NoModel()
	all := []string{"X-Gitlab-Global-User-Id", "u", "X-Gitlab-Instance-Id", "i", "X-Gitlab-Realm", "r"}
	for i, want := range []string{"Missing X-Gitlab-Global-User-Id header", "Missing X-Gitlab-Instance-Id header", "Missing X-Gitlab-Realm header"} {
		if a := open.Do("POST", path, "", all[:2*i]...); a.StatusCode != 400 || a.Text != `{"detail":"`+want+`"}` {
			t.Errorf("%d headers: %d %s", i, a.StatusCode, a.Text)
		}
	}
	if a := open.Do("POST", path, "", all...); a.StatusCode != 500 || a.Text != `{"detail":"Failed to generate JWT"}` {
		t.Errorf("without a key: %d %s", a.StatusCode, a.Text)
	}
}
