package main

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"strings"
	"time"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/featureflags"
	"aigw/gateway/outbound"
	"aigw/gateway/usertoken"

	"github.com/urfave/cli/v2"
)

// GitLab's own variables (section 13 of the wire contract).
const (
	gitlabURLVar     = "AIGW_GITLAB_URL"
	portalURLVar     = "AIGW_CUSTOMER_PORTAL_URL"
	signingKeyVar    = "AIGW_SELF_SIGNED_JWT__SIGNING_KEY"
	validationKeyVar = "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY"
)

// imageVar is set in the container images: there, a port is published by who starts the container.
const imageVar = "AIGW_CONTAINER_IMAGE"

func authFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "gitlab-url", Usage: "`URL` of the GitLab whose tokens are accepted", EnvVars: []string{gitlabURLVar}},
		&cli.StringFlag{Name: "jwks-file", Usage: "`FILE` with GitLab's keys (its /oauth/discovery/keys): nothing is asked over the network then", EnvVars: []string{"AIGW_JWKS_FILE"}, TakesFile: true},
		&cli.DurationFlag{Name: "jwks-max-age", Value: 7 * 24 * time.Hour, Usage: "how long GitLab's last known keys are used while it does not answer", EnvVars: []string{"AIGW_JWKS_MAX_AGE"}},
		&cli.StringSliceFlag{Name: "ca-file", Usage: "`FILE` of certificates to trust when GitLab is asked, beside the system's", EnvVars: []string{"AIGW_CA_FILE"}, TakesFile: true},
		&cli.BoolFlag{Name: "insecure-bypass", Usage: "let the bypass variables open a port that other machines can reach", EnvVars: []string{"AIGW_INSECURE_BYPASS"}},
		&cli.BoolFlag{Name: "forbid-bypass", Usage: "do not start with a bypass variable set", EnvVars: []string{"AIGW_FORBID_BYPASS"}},
		stateFlag(),
	}
}

// authOptions sets who may ask, and returns the ring of keys, which has to run.
func authOptions(c *cli.Context, log *slog.Logger, o *gateway.Options) (*keyring.Ring, error) {
	bypass, err := bypassOptions(c)
	if err != nil {
		return nil, err
	}
	bypass.ServiceName = textEnv("CLOUD_CONNECTOR_SERVICE_NAME", auth.DefaultServiceName)
	o.Auth = bypass
	if o.DisallowedFlags, err = disallowedFlags(); err != nil {
		return nil, err
	}

	signing, validation := ownKeys(c, log)
	ring, err := openKeyring(c, log, selfsigned.Public(bypass.ServiceName, signing, validation))
	if err != nil {
		return nil, err
	}
	o.Tokens = usertoken.Options{Key: signing, Service: bypass.ServiceName}
	o.Auth.Verifier = bearer.New(bearer.Options{Keys: ring, Audience: bypass.ServiceName, SkipSignature: bypass.BypassSignature})
	return ring, nil
}

// bypassOptions reads the variables that switch authentication off, which GitLab's page has for
// finding faults, and refuses them where they would open the door to strangers.
func bypassOptions(c *cli.Context) (auth.Options, error) {
	var o auth.Options
	for _, s := range []struct {
		name string
		set  *bool
	}{
		{"AIGW_AUTH__BYPASS_EXTERNAL", &o.BypassExternal},
		{"AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", &o.BypassExternalWithHeader},
		{"AIGW_AUTH__BYPASS_JWT_SIGNATURE", &o.BypassSignature},
	} {
		on, err := boolEnv(s.name)
		if err != nil {
			return o, err
		}
		if on && c.Bool("forbid-bypass") {
			return o, fmt.Errorf("%s is set, and --forbid-bypass forbids it; unset one of them", s.name)
		}
		inImage, err := boolEnv(imageVar)
		if err != nil {
			return o, err
		}
		if on && !c.Bool("insecure-bypass") && !inImage && !isLoopback(apiAddress(c)) {
			return o, fmt.Errorf("%s is set and %s can be reached from other machines: everybody there could use the models; "+
				"listen on 127.0.0.1, or say --insecure-bypass if that is meant", s.name, apiAddress(c))
		}
		*s.set = on
	}
	return o, nil
}

// disallowedFlags reads which feature flags GitLab may not switch on.
func disallowedFlags() (featureflags.Disallowed, error) {
	const name = "AIGW_FEATURE_FLAGS__DISALLOWED_FLAGS"
	text := textEnv(name, "{}")
	var flags featureflags.Disallowed
	if err := json.Unmarshal([]byte(text), &flags); err != nil {
		return nil, fmt.Errorf(`%s=%q: lists of names by realm are expected, such as {"self-managed":["expanded_ai_logging"]}: %w`, name, text, err)
	}
	return flags, nil
}

// isLoopback reports whether an address to listen on can be reached from this machine only. A
// name is looked up.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	ips, err := net.LookupIP(host)
	if err != nil || host == "" {
		return false
	}
	for _, ip := range ips {
		if !ip.IsLoopback() {
			return false
		}
	}
	return true
}

// ownKeys are the keys of this gateway's own tokens: the configured pair, else one of its own. As
// in the original, a pair of which one half cannot be read counts as none.
func ownKeys(c *cli.Context, log *slog.Logger) (signing, validation *rsa.PrivateKey) {
	pair := [2]*rsa.PrivateKey{}
	for i, name := range []string{signingKeyVar, validationKeyVar} {
		text := textEnv(name, "")
		if strings.TrimSpace(text) == "" {
			continue
		}
		key, err := selfsigned.ParseKey(text)
		if err != nil {
			log.Error("editors get no tokens until the key is corrected", "variable", name, "error", err)
			return nil, nil
		}
		pair[i] = key
	}
	if pair[0] != nil {
		return pair[0], pair[1]
	}
	dir := stateDir(c)
	if dir == "" {
		dir = os.DevNull // cannot be a folder
	}
	key, err := selfsigned.LoadOrMake(dir)
	switch {
	case key == nil:
		log.Error("editors get no tokens", "error", err)
	case err != nil:
		log.Warn("the key for editors' tokens is kept in memory only: they end when this process does, and other replicas refuse them; "+
			"make the state folder writable (--state-dir) or set "+signingKeyVar, "error", hinted(err))
	}
	return key, pair[1]
}

// openKeyring collects the keys that tokens may be signed with.
func openKeyring(c *cli.Context, log *slog.Logger, local []keyring.Key) (*keyring.Ring, error) {
	o := keyring.Options{Local: local, File: c.String("jwks-file"), Dir: stateDir(c), MaxAge: c.Duration("jwks-max-age"), Logger: log}
	if o.File != "" { // nothing is asked over the network
		return keyring.New(o)
	}
	var err error
	if o.Providers, err = providers(c); err != nil {
		return nil, err
	}
	client, err := outboundClient(c, o.Providers)
	if err != nil {
		return nil, err
	}
	o.Client = client
	return keyring.New(o)
}

// providers are who may issue tokens and is asked for keys.
func providers(c *cli.Context) ([]keyring.Provider, error) {
	var out []keyring.Provider
	for _, p := range []struct{ label, name, text string }{
		{"Gitlab", gitlabURLVar, orText(c.String("gitlab-url"), textEnv(gitlabURLVar, ""))},
		{"CustomersDot", portalURLVar, textEnv(portalURLVar, "")},
	} {
		if p.text == "" {
			continue
		}
		u, err := parseBaseURL(p.name, p.text)
		if err != nil {
			return nil, err
		}
		out = append(out, keyring.Provider{Label: p.label, URL: u})
	}
	return out, nil
}

// outboundClient is the only client that connects to other machines.
func outboundClient(c *cli.Context, providers []keyring.Provider) (*outbound.Client, error) {
	var origins []*url.URL
	for _, p := range providers {
		origins = append(origins, p.URL)
	}
	return outbound.New(outbound.Options{Origins: origins, CAFiles: caFiles(c)})
}

func orText(v, otherwise string) string {
	if v == "" {
		return otherwise
	}
	return v
}

// parseBaseURL reads the URL of a GitLab, and notices what was left over of an example.
func parseBaseURL(name, text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if strings.ContainsAny(text, "<>") {
		return nil, fmt.Errorf("%s=%q is a placeholder; write the URL of your GitLab, such as https://gitlab.example.com", name, text)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s=%q: %w", name, text, err)
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("%s=%q has no scheme; write https://%s", name, text, strings.TrimPrefix(text, "//"))
	case u.Hostname() == "":
		return nil, fmt.Errorf("%s=%q names no host", name, text)
	case u.User != nil:
		return nil, fmt.Errorf("%s holds a user name or password; leave it out: GitLab's keys are public, and a collector's belongs into OTEL_EXPORTER_OTLP_HEADERS", name)
	}
	u.RawQuery, u.Fragment = "", ""
	return u, nil
}

// noIssuer says that nobody's tokens are accepted yet.
func noIssuer(c *cli.Context) bool {
	return c.String("jwks-file") == "" && orText(c.String("gitlab-url"), textEnv(gitlabURLVar, "")) == "" && textEnv(portalURLVar, "") == ""
}

// runKeys keeps the keys fresh until ctx ends, if there is anybody to ask.
func runKeys(ctx context.Context, c *cli.Context, ring *keyring.Ring) {
	if !noIssuer(c) {
		go ring.Run(ctx)
	}
}
