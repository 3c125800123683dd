package gatewaytest

import (
	"context"
	"strings"

	"aigw/gateway/auth"
)

// Scopes is an auth.Verifier that takes a token for a comma-separated list of scopes, as GitLab would sign them.
type Scopes struct{}

// Verify implements auth.Verifier.
func (Scopes) Verify(_ context.Context, token string) (auth.Claims, error) {
	return auth.Claims{Issuer: "https://gitlab.example.test", Scopes: strings.Split(token, ",")}, nil
}

var _ auth.Verifier = Scopes{}
