package schema

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// URLKind reads absolute URLs. Max sets a limit while the schema is built.
type URLKind struct {
	max int // bytes of the text as it was sent; -1 is no limit
}

// URL accepts strings that are an absolute URL by the rules of browsers, which pydantic follows
// through the Rust crate url (https://url.spec.whatwg.org/#url-parsing). The value is the text as
// it was sent.
func URL() URLKind { return URLKind{max: -1} }

// Max limits the length in bytes.
func (k URLKind) Max(n int) URLKind { k.max = n; return k }

func (k URLKind) read(c *checker, v Value) (string, bool) {
	if v.kind() != text {
		c.fail(v, "url_type", "URL input should be a string or URL")
		return "", false
	}
	s, ok := c.unicode(v)
	if !ok {
		return "", false
	}
	if k.max >= 0 && len(s) > k.max {
		c.fail(v, "url_too_long", "URL should have at most "+count(k.max, "character"), Detail{"max_length", k.max})
		return "", false
	}
	if err := checkURL(s); err != nil {
		c.fail(v, "url_parsing", "Input should be a valid URL, "+err.Error(), Detail{"error", err.Error()})
		return "", false
	}
	return s, true
}

// Reasons of the url crate.
var (
	errURLEmpty     = errors.New("input is empty") // pydantic's own
	errURLRelative  = errors.New("relative URL without a base")
	errURLHost      = errors.New("empty host")
	errURLPort      = errors.New("invalid port number")
	errURLIPv4      = errors.New("invalid IPv4 address")
	errURLIPv6      = errors.New("invalid IPv6 address")
	errURLCharacter = errors.New("invalid domain character")
	errURLName      = errors.New("invalid international domain name")
)

// checkURL finds what makes a URL unparsable: its scheme, its host or its port. Everything after
// them is allowed and would be percent-encoded.
func checkURL(s string) error {
	if s == "" {
		return errURLEmpty
	}
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok || !isScheme(scheme) {
		return errURLRelative
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "ws", "wss", "ftp":
		// Any number of slashes, of both kinds, may stand before the host.
		return checkAuthority(strings.TrimLeft(rest, `/\`), `/\?#`, true)
	case "file":
		return checkFileHost(rest)
	}
	if authority, ok := strings.CutPrefix(rest, "//"); ok {
		return checkAuthority(authority, "/?#", false)
	}
	return nil
}

func isScheme(s string) bool {
	for i, r := range s {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || !(r >= '0' && r <= '9') && r != '+' && r != '-' && r != '.') {
			return false
		}
	}
	return s != ""
}

// checkAuthority checks user, host and port, which go up to one of the ends. Schemes of the web
// need a host.
func checkAuthority(s, ends string, web bool) error {
	if i := strings.IndexAny(s, ends); i >= 0 {
		s = s[:i]
	}
	at := strings.LastIndexByte(s, '@')
	host, port := splitPort(s[at+1:])
	if host == "" {
		if web || at > 0 || port != "" {
			return errURLHost
		}
		return nil
	}
	if err := checkHost(host, web); err != nil {
		return err
	}
	if port == "" || port == ":" {
		return nil
	}
	if n, err := strconv.ParseUint(port[1:], 10, 64); err != nil || n > 65535 {
		return errURLPort
	}
	return nil
}

// splitPort cuts at the first colon outside brackets; port begins with it.
func splitPort(s string) (host, port string) {
	inside := false
	for i := range len(s) {
		switch s[i] {
		case '[':
			inside = true
		case ']':
			inside = false
		case ':':
			if !inside {
				return s[:i], s[i:]
			}
		}
	}
	return s, ""
}

// checkFileHost checks the host of a file URL, which has one only between two and three slashes.
func checkFileHost(rest string) error {
	rest = strings.ReplaceAll(rest, `\`, "/")
	host, ok := strings.CutPrefix(rest, "//")
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host = host[:i]
	}
	isDrive := len(host) == 2 && isScheme(host[:1]) && (host[1] == ':' || host[1] == '|')
	if !ok || host == "" || isDrive {
		return nil
	}
	return checkHost(host, true)
}

// checkHost checks a name or an address. The name of a scheme unknown to the web is opaque.
func checkHost(host string, web bool) error {
	if strings.HasPrefix(host, "[") {
		inner, ok := strings.CutSuffix(host[1:], "]")
		address, err := netip.ParseAddr(inner)
		if !ok || err != nil || !address.Is6() || address.Zone() != "" {
			return errURLIPv6
		}
		return nil
	}
	if !web {
		if strings.ContainsAny(host, "\x00\t\n\r #/:<>?@[\\]^|") {
			return errURLCharacter
		}
		return nil
	}
	decoded := percentDecode(host)
	ascii, err := hostProfile.ToASCII(decoded)
	if err != nil {
		return errURLName
	}
	if ascii == "" {
		return errURLHost
	}
	for i := range len(ascii) {
		if ascii[i] <= ' ' || ascii[i] == 0x7F || strings.IndexByte("%#/:<>?@[\\]^|", ascii[i]) >= 0 {
			return errURLCharacter
		}
	}
	return checkIPv4(ascii)
}

// hostProfile maps names as UTS #46 does for the web: without the rules for host names of DNS.
var hostProfile = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(false), idna.BidiRule(), idna.CheckJoiners(false))

// percentDecode replaces what is encoded and leaves a stray percent sign alone.
func percentDecode(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if i+2 < len(s) {
			if decoded, err := url.PathUnescape(s[i : i+3]); s[i] == '%' && err == nil {
				b.WriteString(decoded)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// checkIPv4 refuses a name whose last label is a number unless all of it is an IPv4 address, of
// up to four parts in decimal, octal or hexadecimal.
func checkIPv4(host string) error {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	_, lastIsNumber := ipv4Part(last)
	if !lastIsNumber && (last == "" || skipDigits(last, 0) < len(last)) {
		return nil
	}
	if len(labels) > 4 {
		return errURLIPv4
	}
	for i, label := range labels {
		n, ok := ipv4Part(label)
		limit := uint64(255)
		if i == len(labels)-1 {
			limit = 1<<(8*(5-len(labels))) - 1
		}
		if !ok || n > limit {
			return errURLIPv4
		}
	}
	return nil
}

func ipv4Part(s string) (uint64, bool) {
	base := 10
	switch {
	case s == "":
		return 0, false
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
		if s == "" {
			return 0, true
		}
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	for i := range len(s) {
		if _, ok := hexValue(s[i]); !ok {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, base, 64)
	if errors.Is(err, strconv.ErrRange) {
		return ^uint64(0), true
	}
	return n, err == nil
}
