package auth_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"aigw/gateway/auth"
	"aigw/gateway/requestlog"
)

// verifier knows the tokens that are its keys.
type verifier map[string]auth.Claims

func (v verifier) Verify(_ context.Context, token string) (auth.Claims, error) {
	claims, ok := v[token]
	if !ok {
		return auth.Claims{}, errors.New("signature is wrong")
	}
	return claims, nil
}

var tokens = verifier{
	"rails":       {Issuer: "https://gitlab.example.test", Subject: "instance-1", Realm: "self-managed", Scopes: []string{"complete_code"}},
	"rails-id":    {Issuer: "https://gitlab.example.test", InstanceID: "instance-1", Subject: "instance-2"},
	"bare":        {Issuer: "https://gitlab.example.test"},
	"self-signed": {Issuer: "gitlab-ai-gateway", Subject: "user-1", Scopes: []string{"complete_code"}},
	"seats":       {Issuer: "https://gitlab.example.test", DuoSeatCount: "7"},
}

func TestAuthenticate(t *testing.T) {
	oidc := func(token string, more ...string) []string {
		return append([]string{"Authorization", "Bearer " + token, "X-Gitlab-Authentication-Type", "oidc"}, more...)
	}
	verified := auth.Options{Verifier: tokens}
	for _, test := range []struct {
		name    string
		options auth.Options
		headers []string
		refusal string // "" if authenticated
	}{
		{"no header", verified, nil, "No authorization header presented"},
		{"empty header", verified, []string{"Authorization", ""}, "Invalid authorization header"},
		{"another scheme", verified, []string{"Authorization", "Basic abc"}, "Invalid authorization header"},
		{"scheme alone", verified, []string{"Authorization", "Bearer"}, "Invalid authorization header"},
		{"three words", verified, []string{"Authorization", "Bearer a b"}, "Invalid authorization header"},
		{"no type", verified, []string{"Authorization", "Bearer rails"}, "Invalid authentication token type - only OIDC is supported"},
		{"type in capitals", verified, []string{"Authorization", "Bearer rails", "X-Gitlab-Authentication-Type", "OIDC"}, "Invalid authentication token type - only OIDC is supported"},
		{"no verifier", auth.Options{}, oidc("rails"), "Forbidden by auth provider"},
		{"wrong token", verified, oidc("forged"), "Forbidden by auth provider"},
		{"right", verified, oidc("rails", "X-Gitlab-Realm", "self-managed", "X-Gitlab-Instance-Id", "instance-1"), ""},
		{"scheme in small letters", verified, []string{"Authorization", "bearer bare", "X-Gitlab-Authentication-Type", "oidc"}, ""},
		{"realm differs", verified, oidc("rails", "X-Gitlab-Realm", "saas", "X-Gitlab-Instance-Id", "instance-1"), "Header mismatch 'X-Gitlab-Realm'"},
		{"realm missing", verified, oidc("rails", "X-Gitlab-Instance-Id", "instance-1"), "Header mismatch 'X-Gitlab-Realm'"},
		{"subject differs", verified, oidc("rails", "X-Gitlab-Realm", "self-managed", "X-Gitlab-Instance-Id", "instance-2"), "Header mismatch 'X-Gitlab-Instance-Id'"},
		{"instance claim differs", verified, oidc("rails-id", "X-Gitlab-Instance-Id", "instance-2"), "Header mismatch 'X-Gitlab-Instance-Id'"},
		{"a token that claims nothing", verified, oidc("bare", "X-Gitlab-Realm", "saas"), ""},
		{"self-signed", verified, oidc("self-signed", "X-Gitlab-Global-User-Id", "user-1"), ""},
		{"self-signed, another user", verified, oidc("self-signed", "X-Gitlab-Global-User-Id", "user-2"), "Header mismatch 'X-Gitlab-Global-User-Id'"},
		{"seat count never refuses", verified, oidc("seats", "X-Gitlab-Duo-Seat-Count", "8"), ""},
		{"bypass", auth.Options{BypassExternal: true}, nil, ""},
		{"bypass by header", auth.Options{BypassExternalWithHeader: true}, []string{"Bypass-Auth", "true"}, ""},
		{"bypass by header, other value", auth.Options{BypassExternalWithHeader: true}, []string{"Bypass-Auth", "True"}, "No authorization header presented"},
		{"bypass by header, not allowed", verified, []string{"Bypass-Auth", "true"}, "No authorization header presented"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/v2/code/completions", nil)
			ctx, record := requestlog.With(r.Context(), "id")
			r = r.WithContext(ctx)
			for i := 0; i < len(test.headers); i += 2 {
				r.Header.Set(test.headers[i], test.headers[i+1])
			}
			p, err := auth.New(test.options).Authenticate(r)
			var refusal *auth.Refusal
			got := ""
			if errors.As(err, &refusal) {
				got = refusal.Text
			}
			if got != test.refusal || (err == nil) != (p != nil) {
				t.Errorf("refusal %q, principal %v, want refusal %q", got, p, test.refusal)
			}
			logged := ""
			for _, attr := range record.Attrs() {
				logged += attr.String() + "\n"
			}
			if test.refusal != "" && !strings.Contains(logged, "auth_error_details="+test.refusal) {
				t.Errorf("the log does not have the refusal: %s", logged)
			}
			if strings.Contains(logged, "forged") {
				t.Errorf("the log has the token: %s", logged)
			}
		})
	}
}

func TestRights(t *testing.T) {
	const generate = auth.UnitPrimitive("generate_code")
	rails := &auth.Principal{Claims: auth.Claims{Scopes: []string{"code_suggestions"}}}
	self := &auth.Principal{Claims: auth.Claims{Scopes: []string{"complete_code"}}, SelfSigned: true}
	debug := &auth.Principal{Debug: true, SelfSigned: true}
	for _, test := range []struct {
		name      string
		principal *auth.Principal
		right     auth.UnitPrimitive
		can       bool
		canGitLab bool
	}{
		{"scope", rails, auth.CodeSuggestions, true, true},
		{"other scope", rails, auth.CompleteCode, false, false},
		{"self-signed", self, auth.CompleteCode, true, false},
		{"debug", debug, generate, true, true},
		{"nobody", auth.From(context.Background()), auth.CompleteCode, false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.principal.Can(test.right); got != test.can {
				t.Errorf("Can is %v, want %v", got, test.can)
			}
			if got := test.principal.CanFromGitLab(test.right); got != test.canGitLab {
				t.Errorf("CanFromGitLab is %v, want %v", got, test.canGitLab)
			}
		})
	}
	if !rails.Can(auth.CompleteCode, auth.CodeSuggestions) {
		t.Error("one of several names of a right is enough")
	}
}

func TestDebugUserKeepsTheUserID(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Gitlab-Global-User-Id", "user-1")
	p, err := auth.New(auth.Options{BypassExternal: true}).Authenticate(r)
	if err != nil || p.GlobalUserID != "user-1" || !p.Debug {
		t.Errorf("principal %+v, error %v", p, err)
	}
}
