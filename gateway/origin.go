package gateway

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"aigw/gateway/auth"
)

// Where authentication is bypassed, whoever reaches the port may use the models. A browser on the
// same machine reaches it too, and runs pages of strangers. checkBrowser refuses those:
//
//  1. A request whose Origin is not the host that it asks: GitLab is never a browser elsewhere.
//  2. On a loopback address, a request for a host that is not loopback: a name of the stranger's
//     that was made to point here after the page was loaded (DNS rebinding).
//
// It returns what is wrong and what to do, or "".
func checkBrowser(r *http.Request, p *auth.Principal) string {
	if !p.Debug {
		return ""
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
		return "Pages of another origin may not use a gateway without authentication; configure AIGW_GITLAB_URL and remove the bypass"
	}
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && isLoopback(local.String()) && !isLoopback(r.Host) {
		return "Without authentication this address answers only to loopback names such as localhost; configure AIGW_GITLAB_URL and remove the bypass, or have the proxy send Host: localhost"
	}
	return ""
}

// sameHost reports whether an origin is the host, default ports left out or not.
func sameHost(origin, host string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" { // "null", for example
		return false
	}
	port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]
	return strings.EqualFold(strings.TrimSuffix(u.Host, port), strings.TrimSuffix(host, port))
}

// isLoopback reports whether a host, with or without a port, can only be this machine.
func isLoopback(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") { // RFC 6761, section 6.3
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
