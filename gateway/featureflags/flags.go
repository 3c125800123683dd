// Package featureflags reads which of GitLab's feature flags are on for a request (section 3.9 of
// the wire contract).
package featureflags

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// Header lists the flags, separated by commas.
const Header = "X-Gitlab-Enabled-Feature-Flags"

// most bounds how many flags of a request count; GitLab sends a handful.
const most = 64

// Disallowed are the flags that the operator does not let an instance of a realm ("saas",
// "self-managed") switch on.
type Disallowed map[string][]string

// Enabled returns the flags of a request that are on, sorted, each once.
func (d Disallowed) Enabled(h http.Header) []string {
	forbidden := d[h.Get("X-Gitlab-Realm")]
	flags := []string{}
	for name := range strings.SplitSeq(strings.Join(h.Values(Header), ","), ",") {
		name = strings.TrimSpace(name)
		if name != "" && len(flags) < most && !slices.Contains(forbidden, name) {
			flags = append(flags, name)
		}
	}
	slices.Sort(flags)
	return slices.Compact(flags)
}

type contextKey struct{}

// With returns a context that carries the flags of a request.
func With(ctx context.Context, flags []string) context.Context {
	return context.WithValue(ctx, contextKey{}, flags)
}

// From returns the flags that are on for a request. They are not to be changed.
func From(ctx context.Context) []string {
	flags, _ := ctx.Value(contextKey{}).([]string)
	return flags
}
