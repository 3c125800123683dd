package xray_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/gatewaytest"
)

// verifier takes a token for a comma-separated list of scopes; one with "self" was issued by the gateway.
type verifier struct{}

func (verifier) Verify(_ context.Context, token string) (auth.Claims, error) {
	claims := auth.Claims{Issuer: "https://gitlab.example.test", Scopes: strings.Split(token, ",")}
	if strings.Contains(token, "self") {
		claims.Issuer, claims.Subject = auth.DefaultServiceName, "user"
	}
	return claims, nil
}

func body(more string) string {
	return fmt.Sprintf(`{"prompt_components":[{"type":"x_ray_package_file_prompt","payload":{"prompt":"List: gem 'rack'","provider":"anthropic","model":"claude-2.1"}%s}]}`, more)
}

func TestLibraries(t *testing.T) {
	g := &gatewaytest.Generator{Pieces: []string{"[", "]"}}
	s := gatewaytest.Start(t, gateway.Options{Auth: auth.Options{Verifier: verifier{}}})
	m := gatewaytest.Model(g)
	m.Chat = &gatewaytest.Chat{}
	s.Ready(m)
	pairs := make([]string, 11)
	for i := range pairs {
		pairs[i] = fmt.Sprintf(`"k%d":"v"`, i)
	}
	for _, test := range []struct {
		name, scopes, body string
		status             int
		text               string
	}{
		{"answer", "generate_code", body(`,"metadata":{"scannerVersion":"0.0.1"}`), 200, `{"response":"[]"}`},
		{"right of before 17.6", "code_suggestions", body(""), 200, `{"response":"[]"}`},
		{"no right", "duo_chat", body(""), 403, `{"detail":"Unauthorized to access X Ray"}`},
		{"an editor's token", "generate_code,self", body(""), 403, `{"detail":"Unauthorized to access X Ray"}`},
		{"eleven pairs", "generate_code", body(`,"metadata":{` + strings.Join(pairs, ",") + `}`), 422, "metadata"},
		{"another model", "generate_code", strings.Replace(body(""), "claude-2.1", "gpt", 1), 422, `"type":"literal_error","loc":["body","prompt_components",0,"payload","model"],"msg":"Input should be <KindAnthropicModel.CLAUDE_2_1: 'claude-2.1'>"`},
		{"another type", "generate_code", strings.Replace(body(""), "x_ray_package_file_prompt", "x", 1), 422, `"msg":"Input should be 'x_ray_package_file_prompt'"`},
	} {
		got := s.Do("POST", "/v1/x-ray/libraries", test.body, "Authorization", "Bearer "+test.scopes, "X-Gitlab-Authentication-Type", "oidc", "X-Gitlab-Global-User-Id", "user")
		if got.StatusCode != test.status || !strings.Contains(got.Text, test.text) {
			t.Errorf("%s: %d %s", test.name, got.StatusCode, got.Text)
		}
	}
	if asked := g.Requests()[0]; asked.Class != engine.Background || gatewaytest.PromptText(asked.Prompt) != "<user>List: gem 'rack'</>" {
		t.Errorf("%+v", asked)
	}
}
