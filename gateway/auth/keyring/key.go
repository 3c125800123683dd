// Package keyring knows the keys that tokens are signed with, and where they come from: this
// gateway itself, GitLab and the customer portal by OpenID discovery, or a file.
package keyring

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Key checks signatures made with RS256, the only algorithm there is.
type Key struct {
	ID     string // may be empty
	Public *rsa.PublicKey
	From   string // who uses it, for messages
}

const (
	// maxKeys bounds a source. GitLab publishes two or three.
	maxKeys = 32
	// minBits and maxBits bound a key: shorter ones are broken, longer ones take long to check.
	minBits, maxBits = 2048, 8192
	// maxDocument bounds what a source may answer, in bytes.
	maxDocument = 1 << 20
)

// parseKeys reads a JSON Web Key Set (RFC 7517) and returns the keys that RS256 signatures can be
// checked with. Others are left out; a set without any is an error that says why.
func parseKeys(document []byte, from string) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(document, &set); err != nil {
		return nil, fmt.Errorf("no JSON Web Key Set: %w", err)
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("%d keys, at most %d are taken", len(set.Keys), maxKeys)
	}
	var keys []Key
	var left []string
	for i, raw := range set.Keys {
		var one jose.JSONWebKey
		if err := json.Unmarshal(raw, &one); err != nil {
			left = append(left, fmt.Sprintf("key %d cannot be read (%v)", i+1, err))
			continue
		}
		public, reason := usable(one)
		if reason != "" {
			left = append(left, fmt.Sprintf("key %q %s", one.KeyID, reason))
			continue
		}
		keys = append(keys, Key{ID: one.KeyID, Public: public, From: from})
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("no key for RS256 among %d: %s", len(set.Keys), strings.Join(left, "; "))
	}
	return keys, nil
}

func usable(k jose.JSONWebKey) (*rsa.PublicKey, string) {
	public, isRSA := k.Public().Key.(*rsa.PublicKey)
	switch {
	case !isRSA:
		return nil, "is no RSA key"
	case k.Use != "" && k.Use != "sig":
		return nil, fmt.Sprintf("is for %q, not for signatures", k.Use)
	case k.Algorithm != "" && k.Algorithm != string(jose.RS256):
		return nil, fmt.Sprintf("is for %s, not for RS256", k.Algorithm)
	case public.N.BitLen() < minBits || public.N.BitLen() > maxBits:
		return nil, fmt.Sprintf("has %d bits, %d to %d are taken", public.N.BitLen(), minBits, maxBits)
	}
	return public, ""
}

// Marshal writes keys as a JSON Web Key Set.
func Marshal(keys []Key) ([]byte, error) {
	var set jose.JSONWebKeySet
	for _, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public, KeyID: k.ID, Algorithm: string(jose.RS256), Use: "sig"})
	}
	return json.Marshal(set)
}
