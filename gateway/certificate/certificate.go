// Package certificate holds the certificate that the gateway shows to its clients, and reads it anew
// when it was replaced.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// Files name the certificate with its chain, its key, and the CAs of clients, all in PEM. Clients need
// no certificate if there is no file of CAs.
type Files struct{ Certificate, Key, ClientCAs string }

// Holder is the certificate in use. It may be used concurrently.
type Holder struct {
	files   Files
	current atomic.Pointer[held]
}

type held struct {
	certificate *tls.Certificate
	clients     *x509.CertPool
}

// New reads the files.
func New(f Files) (*Holder, error) {
	h := &Holder{files: f}
	return h, h.Reload()
}

// Reload reads the files again. If they cannot be used, what was read before stays in use: a pair
// that is being replaced does not fit for a moment.
func (h *Holder) Reload() error {
	pair, err := tls.LoadX509KeyPair(h.files.Certificate, h.files.Key)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", h.files.Certificate, h.files.Key, err)
	}
	next := &held{certificate: &pair}
	if h.files.ClientCAs != "" {
		pem, err := os.ReadFile(h.files.ClientCAs)
		if err != nil {
			return fmt.Errorf("CAs of clients: %w", err)
		}
		next.clients = x509.NewCertPool()
		if !next.clients.AppendCertsFromPEM(pem) {
			return fmt.Errorf("CAs of clients: %s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", h.files.ClientCAs)
		}
	}
	h.current.Store(next)
	return nil
}

// Names are whom the certificate is for.
func (h *Holder) Names() []string {
	leaf := h.current.Load().certificate.Leaf
	names := append([]string{}, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		names = append(names, ip.String())
	}
	return names
}

// Expires is when the certificate is no longer good.
func (h *Holder) Expires() time.Time { return h.current.Load().certificate.Leaf.NotAfter }

// Config is for a server: TLS 1.2 or later, and each connection with the certificate of its moment.
func (h *Holder) Config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now := h.current.Load()
			c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{*now.certificate}}
			if now.clients != nil {
				c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, now.clients
			}
			return c, nil
		},
	}
}
