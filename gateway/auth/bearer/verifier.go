// Package bearer verifies the tokens that requests carry: JSON Web Tokens (RFC 7519) signed with
// RS256 by GitLab, the customer portal or this gateway (section 3.3 of the wire contract).
package bearer

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	lru "github.com/hashicorp/golang-lru/v2"

	"aigw/gateway/auth"
	"aigw/gateway/auth/keyring"
)

const (
	// maxToken bounds a token, in bytes. GitLab's have about 1 kB.
	maxToken = 16 << 10
	// verifiedKept bounds how many tokens are remembered as good: checking a signature takes
	// some 30 microseconds, and an instance sends the same token for an hour.
	verifiedKept = 4096
	// refreshWait is how long a token with an unknown key waits for keys to be asked for.
	refreshWait = 10 * time.Second
)

// Options says what a good token is.
type Options struct {
	Keys Keys
	// Audience is what tokens must be meant for, the service name.
	Audience string
	// SkipSignature accepts any signature (AIGW_AUTH__BYPASS_JWT_SIGNATURE).
	SkipSignature bool

	now func() time.Time // for tests; nil is time.Now
}

// Keys is what the verifier needs of a keyring.
type Keys interface {
	Keys() *keyring.Set
	Refresh(ctx context.Context, id string) bool
}

// Verifier implements auth.Verifier. It may be used concurrently.
type Verifier struct {
	options   Options
	good      *lru.Cache[[sha256.Size]byte, good]
	strangers *strangers
}

var _ auth.Verifier = (*Verifier)(nil)

// good is a token that was verified with the keys of a version of the set.
type good struct {
	claims  claims
	version uint64
}

// New returns a verifier.
func New(o Options) *Verifier {
	if o.now == nil {
		o.now = time.Now
	}
	cache, err := lru.New[[sha256.Size]byte, good](verifiedKept)
	if err != nil {
		panic(err) // only a size below one
	}
	return &Verifier{options: o, good: cache, strangers: newStrangers()}
}

// Verify returns what a token claims. Its error says which token it was by issuer, key and times,
// which keys are known, and what to do, but has nothing that could be used as a token.
func (v *Verifier) Verify(ctx context.Context, token string) (auth.Claims, error) {
	if len(token) > maxToken {
		return auth.Claims{}, fmt.Errorf("the token has %d bytes, at most %d are taken", len(token), maxToken)
	}
	id := sha256.Sum256([]byte(token))
	if g, ok := v.good.Get(id); ok && g.version == v.options.Keys.Keys().Version {
		if err := g.claims.checkTimes(v.options.now()); err != nil {
			v.good.Remove(id)
			return auth.Claims{}, v.explain(g.claims, "", err)
		}
		return g.claims.principal(), nil
	}
	if v.options.SkipSignature {
		return v.unsigned(token)
	}
	version := v.options.Keys.Keys().Version
	if err := v.strangers.known(id, version, v.options.now()); err != nil {
		return auth.Claims{}, err
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return auth.Claims{}, fmt.Errorf("no JSON Web Token with algorithm RS256: %w", err)
	}
	keyID := signed.Signatures[0].Header.KeyID
	set, payload, err := v.check(ctx, signed, keyID)
	if err != nil {
		c, _ := parseClaims(signed.UnsafePayloadWithoutVerification()) // only for the message
		err = v.explain(c, keyID, err)
		if len(set.ByID(keyID)) > 0 && ctx.Err() == nil {
			v.strangers.remember(id, set.Version, v.options.now(), err)
		}
		return auth.Claims{}, err
	}
	c, err := parseClaims(payload)
	if err == nil {
		err = c.check(v.options.now(), v.options.Audience)
	}
	if err != nil {
		return auth.Claims{}, v.explain(c, keyID, err)
	}
	v.good.Add(id, good{c, set.Version})
	return c.principal(), nil
}

// check tries the known keys and, if the token's is not among them, asks for new ones. Its error is
// errSignature, or that of ctx.
func (v *Verifier) check(ctx context.Context, signed *jose.JSONWebSignature, keyID string) (*keyring.Set, []byte, error) {
	set := v.options.Keys.Keys()
	payload, err := v.try(ctx, set, signed, keyID)
	if err == nil || len(set.ByID(keyID)) > 0 {
		return set, payload, err
	}
	ctx, cancel := context.WithTimeout(ctx, refreshWait)
	defer cancel()
	if !v.options.Keys.Refresh(ctx, keyID) {
		return set, nil, err
	}
	set = v.options.Keys.Keys()
	payload, err = v.try(ctx, set, signed, keyID)
	return set, payload, err
}

// try is tryAll when it has its turn.
func (v *Verifier) try(ctx context.Context, set *keyring.Set, signed *jose.JSONWebSignature, keyID string) ([]byte, error) {
	done, err := v.strangers.turn(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if payload, ok := tryAll(set, signed, keyID); ok {
		return payload, nil
	}
	return nil, errSignature
}

// tryAll tries the keys with the token's id, then all others: an id need not match.
func tryAll(set *keyring.Set, signed *jose.JSONWebSignature, keyID string) ([]byte, bool) {
	for _, named := range []bool{true, false} {
		for _, k := range set.Keys {
			if (k.ID == keyID) != named {
				continue
			}
			if payload, err := signed.Verify(k.Public); err == nil {
				return payload, true
			}
		}
	}
	return nil, false
}

// unsigned reads a token whatever its signature and algorithm are.
func (v *Verifier) unsigned(token string) (auth.Claims, error) {
	payload, err := payloadOf(token)
	if err != nil {
		return auth.Claims{}, err
	}
	c, err := parseClaims(payload)
	if err == nil {
		err = c.check(v.options.now(), v.options.Audience)
	}
	if err != nil {
		return auth.Claims{}, v.explain(c, "", err)
	}
	return c.principal(), nil
}
