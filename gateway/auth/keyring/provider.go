package keyring

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"aigw/gateway/outbound"
)

// Provider issues tokens and publishes its keys by OpenID Connect Discovery 1.0.
type Provider struct {
	Label string   // in log lines: "Gitlab" or "CustomersDot", as in the original
	URL   *url.URL // where it is, with or without a path and a slash at its end
}

// getter is what a provider needs of an HTTP client.
type getter interface {
	Get(ctx context.Context, u *url.URL, limit int64) ([]byte, error)
}

var _ getter = (*outbound.Client)(nil)

// load asks for the provider's keys.
func (p Provider) load(ctx context.Context, client getter) ([]Key, error) {
	where, err := p.discover(ctx, client)
	if err != nil {
		return nil, err
	}
	document, err := client.Get(ctx, where, maxDocument)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	keys, err := parseKeys(document, p.URL.String())
	if err != nil {
		return nil, fmt.Errorf("keys at %s: %w", where, err)
	}
	return keys, nil
}

const discoveryPath = "/.well-known/openid-configuration"

// discover returns where the keys are. A GitLab below a path of its own has the document there or,
// as the original assumes, at the root.
func (p Provider) discover(ctx context.Context, client getter) (*url.URL, error) {
	root := &url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host, Path: discoveryPath}
	places := []*url.URL{root}
	if base := strings.TrimRight(p.URL.Path, "/"); base != "" {
		below := *root
		below.Path = base + discoveryPath
		places = []*url.URL{&below, root}
	}
	var failure error
	for _, place := range places {
		where, err := p.discoverAt(ctx, client, place)
		if err == nil {
			return where, nil
		}
		failure = errors.Join(failure, err)
	}
	return nil, fmt.Errorf("discovery: %w", failure)
}

// discoverAt reads the document. GitLab writes its own external URL into it, which may be another
// name, scheme or port than the one by which it is reached from here. Only the configured origin is
// ever asked, so the keys are looked for there, under the same path.
func (p Provider) discoverAt(ctx context.Context, client getter, place *url.URL) (*url.URL, error) {
	document, err := client.Get(ctx, place, maxDocument)
	if err != nil {
		return nil, err
	}
	var found struct {
		KeysURI string `json:"jwks_uri"`
	}
	if err := json.Unmarshal(document, &found); err != nil {
		return nil, fmt.Errorf("%s is no discovery document: %w; is this URL a GitLab?", place, err)
	}
	where, err := place.Parse(found.KeysURI)
	if err != nil || found.KeysURI == "" || where.Path == "" {
		return nil, fmt.Errorf("%s names no usable jwks_uri (%q); is this URL a GitLab?", place, found.KeysURI)
	}
	return &url.URL{Scheme: p.URL.Scheme, Host: p.URL.Host, Path: where.Path, RawPath: where.RawPath, RawQuery: where.RawQuery}, nil
}
