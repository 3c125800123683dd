// Package outbound holds the only HTTP client that connects to other machines. It reaches the
// origins that the operator named, and nothing that a request, a document or a redirect names.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// Timeout bounds one exchange, connecting included.
const Timeout = 10 * time.Second

// maxRedirects are followed, all within one origin.
const maxRedirects = 5

// Options says what may be reached, and how.
type Options struct {
	// Origins are URLs of which scheme, host and port count.
	Origins []*url.URL
	// CAFiles hold certificates, in PEM, that are trusted beside the system's.
	CAFiles []string
	// Streams is for answers that are read while they are written, that many at once for each host: their
	// whole time has no bound but the caller's context, and no redirect is followed. 0 is none of this.
	Streams int
}

// Client is an HTTP client for some origins. It may be used concurrently.
type Client struct {
	http    *http.Client
	origins []string
	dials   map[string]bool // host:port of origins and of their proxies
}

// New returns a client. It fails when a file of certificates cannot be used.
func New(o Options) (*Client, error) {
	roots, err := trusted(o.CAFiles)
	if err != nil {
		return nil, err
	}
	c := &Client{dials: map[string]bool{}}
	for _, u := range o.Origins {
		c.origins = append(c.origins, Origin(u))
		c.dials[hostPort(u)] = true
		if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err != nil {
			return nil, fmt.Errorf("the proxy for %s: %w; correct HTTP_PROXY or HTTPS_PROXY", Origin(u), err)
		} else if proxy != nil {
			c.dials[hostPort(proxy)] = true
		}
	}
	dialer := net.Dialer{Timeout: Timeout}
	c.http = &http.Client{
		Timeout: Timeout,
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				if !c.dials[address] {
					return nil, fmt.Errorf("%s is not among the hosts that the operator named", address)
				}
				return dialer.DialContext(ctx, network, address)
			},
			TLSClientConfig:        &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    Timeout,
			MaxConnsPerHost:        4,
			MaxIdleConns:           8,
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			from, to := Origin(via[0].URL), Origin(r.URL)
			switch {
			case o.Streams > 0:
				return http.ErrUseLastResponse
			case from != to:
				return fmt.Errorf("%s redirects to %s, another origin; configure that one if it is meant", from, to)
			case len(via) > maxRedirects:
				return errors.New("too many redirects")
			}
			return nil
		},
	}
	if o.Streams > 0 {
		c.http.Timeout = 0
		t := c.http.Transport.(*http.Transport)
		t.MaxConnsPerHost, t.MaxIdleConns, t.MaxIdleConnsPerHost = o.Streams+2, 0, o.Streams // and two for questions about its health
		t.DisableCompression = true                                                          // of a stream, which would wait for its blocks
	}
	return c, nil
}

// trusted returns the system's roots, which SSL_CERT_FILE and SSL_CERT_DIR replace, and those of
// the files.
func trusted(files []string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("the system's certificates: %w", err)
	}
	for _, name := range files {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("certificates: %w", err)
		}
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("certificates: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", name)
		}
	}
	return pool, nil
}

// Get returns the body behind a URL of one of the client's origins, at most limit bytes. A status
// other than 200 is a *StatusError.
func (c *Client) Get(ctx context.Context, u *url.URL, limit int64) ([]byte, error) {
	if !slices.Contains(c.origins, Origin(u)) {
		return nil, fmt.Errorf("%s is not among the hosts that the operator named", Origin(u))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "aigw")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, explained(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, &StatusError{URL: u.String(), Status: answer.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", u, err)
	}
	if int64(len(body)) > limit {
		return nil, fmt.Errorf("%s answers with more than %d bytes", u, limit)
	}
	return body, nil
}

// HTTP is the client itself, for libraries that want one. It reaches no host but those of the origins.
func (c *Client) HTTP() *http.Client { return c.http }

// Probe asks a URL of one of the client's origins for anything, and returns the time that the answer
// says it is there; zero if it does not say. Any answer will do.
func (c *Client) Probe(ctx context.Context, u *url.URL) (time.Time, error) {
	if !slices.Contains(c.origins, Origin(u)) {
		return time.Time{}, fmt.Errorf("%s is not among the hosts that the operator named", Origin(u))
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, u.String(), nil)
	if err != nil {
		return time.Time{}, err
	}
	answer, err := c.http.Transport.RoundTrip(r) // redirects are answers, too
	if err != nil {
		return time.Time{}, explained(err)
	}
	answer.Body.Close()
	there, _ := http.ParseTime(answer.Header.Get("Date")) // zero if it is none
	return there, nil
}

// IsCertificate reports whether an error of a client is about the other side's certificate.
func IsCertificate(err error) bool {
	return errors.As(err, new(*tls.CertificateVerificationError)) || errors.As(err, new(x509.UnknownAuthorityError)) ||
		errors.As(err, new(x509.HostnameError)) || errors.As(err, new(x509.CertificateInvalidError))
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// StatusError is an answer other than 200.
type StatusError struct {
	URL    string
	Status int
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("%s answers %d %s", e.URL, e.Status, http.StatusText(e.Status))
}

// explained says what to do about a certificate that is not trusted.
func explained(err error) error {
	var unknown x509.UnknownAuthorityError
	if errors.As(err, &unknown) && unknown.Cert != nil {
		return fmt.Errorf("%w: the certificate was issued by %q; name a file with that CA's certificate with --ca-file (or SSL_CERT_FILE, REQUESTS_CA_BUNDLE)", err, unknown.Cert.Issuer)
	}
	return err
}

// Origin returns scheme, host and port of a URL, the port always written.
func Origin(u *url.URL) string { return strings.ToLower(u.Scheme) + "://" + hostPort(u) }

func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "socks5": "1080"}[strings.ToLower(u.Scheme)]
	}
	if port == "" {
		port = "80"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}
