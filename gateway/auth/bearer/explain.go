package bearer

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

var errSignature = errors.New("no known key has made its signature")

// explain says which token was refused, why, and what to do. c is not to be trusted.
func (v *Verifier) explain(c claims, keyID string, reason error) error {
	text := fmt.Sprintf("token of issuer %s, key %s", shown(c.issuer), shown(keyID))
	if !c.expires.IsZero() {
		text += ", until " + c.expires.UTC().Format(time.RFC3339)
	}
	if !errors.Is(reason, errSignature) {
		return fmt.Errorf("%s: %w", text, reason)
	}
	return fmt.Errorf("%s: %w; %s; %s", text, reason, v.options.Keys.Keys().Describe(), hint(c.issuer))
}

// hint is what helps most often.
func hint(issuer string) string {
	u, err := url.Parse(issuer)
	switch {
	case err == nil && (u.Hostname() == "customers.gitlab.com" || u.Hostname() == "customers.staging.gitlab.com"):
		return "the customer portal has made this token; start GitLab with CLOUD_CONNECTOR_SELF_SIGN_TOKENS=1, so that it signs its own"
	case issuer == "":
		return "GitLab's tokens name their issuer; this one comes from somewhere else"
	}
	return "AIGW_GITLAB_URL has to be the URL of the GitLab that sends the requests, and its keys have to be reachable from here or given with --jwks-file"
}

// shown quotes what a stranger wrote, at most so much of it that a log line stays readable.
func shown(s string) string {
	const most = 200
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return fmt.Sprintf("%q", s)
}
