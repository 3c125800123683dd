package selfsigned

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/uuid"
)

// Lifetime is how long a token for an editor is good.
const Lifetime = time.Hour

// Claims is what a token says. Empty ones are left out, but for the scopes.
type Claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub,omitempty"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"` // Unix seconds, as all times
	NotBefore int64    `json:"nbf"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`
	Realm     string   `json:"gitlab_realm,omitempty"`
	Instance  string   `json:"gitlab_instance_id,omitempty"`
	Scopes    []string `json:"scopes"`
	Seats     string   `json:"duo_seat_count,omitempty"`
}

// Stamp sets the times and the id.
func (c Claims) Stamp(now time.Time, lifetime time.Duration) Claims {
	c.IssuedAt, c.NotBefore, c.Expires = now.Unix(), now.Unix(), now.Add(lifetime).Unix()
	c.ID = uuid.NewString()
	return c
}

// Sign makes a token with RS256. An empty key id is left out.
func Sign(key *rsa.PrivateKey, keyID string, c Claims) (string, error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	o := (&jose.SignerOptions{}).WithType("JWT")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, o)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed.CompactSerialize()
}
