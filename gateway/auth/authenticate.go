package auth

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"aigw/gateway/requestlog"
)

// Verifier checks a bearer token's signature, audience and times. It may be used concurrently.
type Verifier interface {
	// Verify returns the token's claims. The error is logged, so it must not contain the token.
	Verify(ctx context.Context, token string) (Claims, error)
}

// DefaultServiceName is how tokens name this gateway, as audience and as issuer.
const DefaultServiceName = "gitlab-ai-gateway"

// Options says how requests are authenticated. With its zero value every request is refused.
type Options struct {
	// Verifier checks tokens; nil refuses every token.
	Verifier Verifier
	// ServiceName is the issuer in tokens of this gateway's own; empty is DefaultServiceName.
	ServiceName string
	// BypassExternal lets everybody do everything.
	BypassExternal bool
	// BypassExternalWithHeader lets requests with "Bypass-Auth: true" do everything.
	BypassExternalWithHeader bool
	// BypassSignature says that Verifier does not check signatures; it is only for the warning.
	BypassSignature bool
}

// BypassWarning says what is not checked, or "" if everything is.
func (o Options) BypassWarning() string {
	switch {
	case o.BypassExternal:
		return "authentication is bypassed: everybody who reaches this port may use the models"
	case o.BypassExternalWithHeader:
		return "authentication is bypassed for requests with the header Bypass-Auth: true"
	case o.BypassSignature:
		return "signatures of tokens are not checked: everybody who can write a token may use the models"
	}
	return ""
}

// Authenticator authenticates requests. It may be used concurrently.
type Authenticator struct{ options Options }

// New returns an authenticator.
func New(o Options) *Authenticator {
	if o.ServiceName == "" {
		o.ServiceName = DefaultServiceName
	}
	return &Authenticator{o}
}

// Refusal is why a request is not authenticated, in the words of the original. The answer is 401.
type Refusal struct {
	Text  string
	cause error
}

func (r *Refusal) Error() string { return r.Text }
func (r *Refusal) Unwrap() error { return r.cause }

// Skips reports whether a path needs no authentication. The original compares exactly.
func Skips(path string) bool {
	return path == "/monitoring/healthz" || path == "/monitoring/ready" || path == "/metrics"
}

// Authenticate returns who sent the request, or *Refusal. It adds its fields to the request's log
// line.
func (a *Authenticator) Authenticate(r *http.Request) (*Principal, error) {
	start := time.Now()
	p, err := a.principal(r)
	fields := []slog.Attr{slog.Float64("auth_duration_s", time.Since(start).Seconds())}
	var refusal *Refusal
	if errors.As(err, &refusal) {
		details := refusal.Text
		if refusal.cause != nil {
			details += ": " + refusal.cause.Error()
		}
		fields = append(fields, slog.String("auth_error_details", details))
	} else if p.Claims.Issuer != "" {
		fields = append(fields, slog.String("token_issuer", p.Claims.Issuer))
	}
	requestlog.Add(r.Context(), fields...)
	return p, err
}

func (a *Authenticator) principal(r *http.Request) (*Principal, error) {
	o, h := a.options, r.Header
	if o.BypassExternal || o.BypassExternalWithHeader && h.Get("Bypass-Auth") == "true" {
		return &Principal{Debug: true, GlobalUserID: h.Get("X-Gitlab-Global-User-Id")}, nil
	}
	token, err := bearerToken(h)
	if err != nil {
		return nil, err
	}
	if h.Get("X-Gitlab-Authentication-Type") != "oidc" {
		return nil, &Refusal{Text: "Invalid authentication token type - only OIDC is supported"}
	}
	if o.Verifier == nil {
		return nil, &Refusal{Text: "Forbidden by auth provider", cause: errors.New("no issuer of tokens is configured")}
	}
	claims, err := o.Verifier.Verify(r.Context(), token)
	if err != nil {
		return nil, &Refusal{Text: "Forbidden by auth provider", cause: err}
	}
	p := &Principal{Claims: claims, GlobalUserID: h.Get("X-Gitlab-Global-User-Id"), SelfSigned: claims.Issuer == o.ServiceName}
	if err := matchHeaders(r.Context(), h, p); err != nil {
		return nil, err
	}
	return p, nil
}

func bearerToken(h http.Header) (string, error) {
	values, present := h["Authorization"]
	if !present {
		return "", &Refusal{Text: "No authorization header presented"}
	}
	parts := strings.Fields(values[0])
	if len(parts) != 2 || !strings.EqualFold(parts[0], "bearer") {
		return "", &Refusal{Text: "Invalid authorization header"}
	}
	return parts[1], nil
}

// matchHeaders compares what the token says with what the headers say. A token that says nothing
// of realm or instance is not compared in it.
func matchHeaders(ctx context.Context, h http.Header, p *Principal) error {
	subject := "X-Gitlab-Instance-Id"
	if p.SelfSigned {
		subject = "X-Gitlab-Global-User-Id"
	}
	for _, rule := range []struct {
		claim, header string
		always        bool
	}{
		{claim: p.Claims.Realm, header: "X-Gitlab-Realm"},
		{claim: p.Claims.InstanceID, header: "X-Gitlab-Instance-Id"},
		{claim: p.Claims.Subject, header: subject, always: p.SelfSigned},
	} {
		if (rule.claim != "" || rule.always) && h.Get(rule.header) != rule.claim {
			return &Refusal{Text: "Header mismatch '" + rule.header + "'"}
		}
	}
	// The seat count never refuses.
	if want, got := p.Claims.DuoSeatCount, h.Get("X-Gitlab-Duo-Seat-Count"); want != "" && got != want {
		text := "Header mismatch 'X-Gitlab-Duo-Seat-Count'"
		if got == "" {
			text = "Header is missing: 'X-Gitlab-Duo-Seat-Count'"
		}
		requestlog.Add(ctx, slog.String("auth_error_details", text))
	}
	return nil
}
