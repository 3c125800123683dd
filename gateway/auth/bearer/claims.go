package bearer

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"aigw/gateway/auth"
)

// skew is how far a token's beginning may lie ahead: clocks differ. Its end is taken by the second.
const skew = 30 * time.Second

// maxScopes bounds the list of rights; GitLab sends some twenty.
const maxScopes = 1024

// claims is a token's payload.
type claims struct {
	issuer, subject, id string
	audience            []string
	expires, notBefore  time.Time // zero: not claimed
	scopes              []string
	realm, instance     string
	seats               string
}

// payloadOf returns the middle of header.payload.signature.
func payloadOf(token string) ([]byte, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("no JSON Web Token: three parts separated by dots are expected")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, fmt.Errorf("no JSON Web Token: %w", err)
	}
	return payload, nil
}

// parseClaims reads a payload. What it could read is returned also with an error.
func parseClaims(payload []byte) (claims, error) {
	var c claims
	raw := map[string]any{}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if err := d.Decode(&raw); err != nil {
		return c, fmt.Errorf("the claims are no JSON object: %w", err)
	}
	var failure error
	text := func(name string) string {
		v, present := raw[name]
		s, ok := v.(string)
		if present && v != nil && !ok {
			failure = errors.Join(failure, fmt.Errorf("claim %q is no text", name))
		}
		return s
	}
	c.issuer, c.subject, c.id = text("iss"), text("sub"), text("jti")
	c.realm, c.instance = text("gitlab_realm"), text("gitlab_instance_id")
	if v := raw["duo_seat_count"]; v != nil {
		c.seats = strings.TrimSpace(fmt.Sprint(v))
	}
	switch v := raw["aud"].(type) {
	case string:
		c.audience = []string{v}
	case []any:
		c.audience = texts(v)
	}
	if v, ok := raw["scopes"].([]any); ok {
		c.scopes = texts(v[:min(len(v), maxScopes)])
	}
	moment := func(name string) time.Time {
		v, present := raw[name]
		if !present || v == nil {
			return time.Time{}
		}
		n, ok := v.(json.Number)
		seconds, err := n.Float64()
		if !ok || err != nil || math.Abs(seconds) > 1e11 {
			failure = errors.Join(failure, fmt.Errorf("claim %q is no time in seconds", name))
			return time.Time{}
		}
		return time.Unix(int64(seconds), 0)
	}
	c.expires, c.notBefore = moment("exp"), moment("nbf")
	moment("iat")
	return c, failure
}

// texts returns the texts of a list and leaves out what is none.
func texts(list []any) []string {
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

func (c claims) check(now time.Time, audience string) error {
	if !slices.Contains(c.audience, audience) {
		return fmt.Errorf("the token is for %q, not for %q; CLOUD_CONNECTOR_SERVICE_NAME has to be the same here and in GitLab", c.audience, audience)
	}
	return c.checkTimes(now)
}

func (c claims) checkTimes(now time.Time) error {
	switch {
	case c.expires.IsZero():
		return errors.New(`claim "exp" is missing: a token has to end`)
	case !now.Before(c.expires):
		return fmt.Errorf("it expired %s ago; if that is odd, compare the clocks of both machines", now.Sub(c.expires).Round(time.Second))
	case c.notBefore.After(now.Add(skew)):
		return fmt.Errorf("it begins in %s; compare the clocks of both machines", c.notBefore.Sub(now).Round(time.Second))
	}
	return nil
}

func (c claims) principal() auth.Claims {
	return auth.Claims{
		Issuer: c.issuer, Subject: c.subject, Scopes: c.scopes,
		Realm: c.realm, InstanceID: c.instance, DuoSeatCount: c.seats,
	}
}
