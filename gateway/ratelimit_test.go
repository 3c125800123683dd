package gateway_test

import (
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/limits"
)

// One person's many requests are refused with 429, which GitLab's clients understand, and nobody
// else's are. A header that claims to be somebody else does not help.
func TestLimitsOfPeople(t *testing.T) {
	s := gatewaytest.Start(t, gateway.Options{
		Auth: auth.Options{Verifier: people{}}, Limits: limits.Options{User: limits.Limit{PerMinute: 1}, Instance: limits.Limit{PerMinute: 4}},
	})
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	ask := func(token, user string, more ...string) gatewaytest.Answer {
		t.Helper()
		return s.Do("POST", completions, rightBody, append([]string{"Authorization", "Bearer " + token, "X-Gitlab-Authentication-Type", "oidc",
			"X-Gitlab-Instance-Id", "one", "X-Gitlab-Global-User-Id", user}, more...)...)
	}
	for _, step := range []struct {
		token, user string
		more        []string
		status      int
	}{
		{"editor-1", "1", nil, 200},
		{"editor-1", "1", nil, 429},
		{"editor-1", "1", []string{"X-Forwarded-For", "192.0.2.1"}, 429},
		{"editor-1", "2", nil, 401}, // somebody else's token
		{"gitlab", "1", nil, 429},   // the same person through GitLab
		{"gitlab", "2", nil, 200},
		{"gitlab", "3", nil, 200},
		{"gitlab", "4", nil, 200},
		{"gitlab", "5", nil, 429}, // the whole instance
	} {
		got := ask(step.token, step.user, step.more...)
		if got.StatusCode != step.status {
			t.Errorf("%+v: %d %s", step, got.StatusCode, got.Text)
		}
		if step.status == http.StatusTooManyRequests && (got.Header.Get("Retry-After") == "" || !strings.Contains(got.Text, `"detail"`)) {
			t.Errorf("%+v: %v %s", step, got.Header, got.Text)
		}
	}
	if m := s.Metrics(); !strings.Contains(m, `aigw_requests_refused_total{reason="user_rate"} 3`) || !strings.Contains(m, `aigw_requests_refused_total{reason="instance_rate"} 1`) {
		t.Error("refusals are not counted")
	}
	s.SetLimits(limits.Options{})
	if got := ask("gitlab", "5"); got.StatusCode != http.StatusOK {
		t.Errorf("without limits: %d %s", got.StatusCode, got.Text)
	}
}

// people is a verifier that knows an editor and a GitLab.
type people struct{}

func (people) Verify(_ context.Context, token string) (auth.Claims, error) {
	scopes := []string{"complete_code"}
	switch token {
	case "editor-1":
		return auth.Claims{Issuer: auth.DefaultServiceName, Subject: "1", InstanceID: "one", Scopes: scopes}, nil
	case "gitlab":
		return auth.Claims{Issuer: "https://gitlab.example.test", Subject: "one", Scopes: scopes}, nil
	}
	return auth.Claims{}, errors.New("unknown token")
}

// Refusals beyond their pace wait, and only they: a flood of bad tokens or keys is as fast as its connections
// are many. Requests with a good one do not use the pace up. It is one pace for both doors.
func TestStrangersWait(t *testing.T) {
	ring, key := oneKey(t)
	s := gatewaytest.Start(t, gateway.Options{APIKeys: ring, Auth: auth.Options{Verifier: people{}}, Limits: limits.Options{Strangers: 1}})
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	gitlab := func(token string) int {
		t.Helper()
		return s.Do("POST", completions, rightBody, "Authorization", "Bearer "+token, "X-Gitlab-Authentication-Type", "oidc", "X-Gitlab-Instance-Id", "one", "X-Gitlab-Global-User-Id", "1").StatusCode
	}
	models := func(key string) int {
		t.Helper()
		return s.Do("GET", "/v1/models", "", "Authorization", key).StatusCode
	}
	began := time.Now()
	for _, got := range []int{gitlab("forged"), models("Bearer sk-aigw-x"), models("")} {
		if got != http.StatusUnauthorized {
			t.Errorf("a stranger: %d", got)
		}
	}
	// At least, whatever the machine: each one's turn is a second after that of the one before.
	if took := time.Since(began); took < 2*time.Second-50*time.Millisecond {
		t.Errorf("three refusals took %s", took)
	}
	if gitlab, models := gitlab("editor-1"), models("Bearer "+key); gitlab != http.StatusOK || models != http.StatusOK {
		t.Errorf("good: %d, %d", gitlab, models)
	}
}

// oneKey returns a ring with a key, and its text.
func oneKey(t *testing.T) (*apikeys.Ring, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), apikeys.FileName)
	made, text, err := apikeys.New(apikeys.Key{Name: "alice"})
	if err == nil {
		err = apikeys.Add(path, made)
	}
	if err != nil {
		t.Fatal(err)
	}
	ring, err := apikeys.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return ring, text
}
