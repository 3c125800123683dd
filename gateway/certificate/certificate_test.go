package certificate_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw/gateway"
	"aigw/gateway/certificate"
)

// authority signs certificates for 127.0.0.1.
type authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t *testing.T, name string) *authority {
	a := &authority{key: newKey(t)}
	a.certificate = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.certificate, a.certificate, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

// issue writes a certificate and its key, and returns them, too.
func (a *authority) issue(t *testing.T, serial int64, certFile, keyFile string) tls.Certificate {
	t.Helper()
	key := newKey(t)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: fmt.Sprint(serial)}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{"aigw.example.test"},
	}, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, certFile, "CERTIFICATE", der)
	writePEM(t, keyFile, "PRIVATE KEY", keyDER)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The gateway itself serves with the certificate, takes the next one without a restart, and asks
// clients for theirs where that is wanted.
func TestServe(t *testing.T) {
	dir := t.TempDir()
	cert, key, cas := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "cas.pem")
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	ours.issue(t, 10, cert, key)
	writePEM(t, cas, "CERTIFICATE", theirs.certificate.Raw)
	good := theirs.issue(t, 20, filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"))
	stranger := ours.issue(t, 21, filepath.Join(dir, "c.pem"), filepath.Join(dir, "k.pem"))
	for _, wantsClients := range []bool{false, true} {
		files := certificate.Files{Certificate: cert, Key: key}
		if wantsClients {
			files.ClientCAs = cas
		}
		h, err := certificate.New(files)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := gateway.New(gateway.Options{TLS: h.Config(), Logger: slog.New(slog.DiscardHandler)})
		served := make(chan error, 1)
		go func() { served <- s.Serve(t.Context(), l) }()
		ask := func(version uint16, own ...tls.Certificate) (serial int64, err error) {
			roots := x509.NewCertPool()
			roots.AddCert(ours.certificate)
			client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: roots, MaxVersion: version, Certificates: own}}}
			answer, err := client.Get("https://" + l.Addr().String() + "/monitoring/healthz")
			if err != nil {
				return 0, err
			}
			defer answer.Body.Close()
			_, err = io.Copy(io.Discard, answer.Body)
			return answer.TLS.PeerCertificates[0].SerialNumber.Int64(), err
		}
		if wantsClients {
			if _, err := ask(0); err == nil {
				t.Error("a client without a certificate is let in")
			}
			if _, err := ask(0, stranger); err == nil {
				t.Error("a client with a certificate of another CA is let in")
			}
			if _, err := ask(0, good); err != nil {
				t.Errorf("a client with the right certificate: %v", err)
			}
		} else {
			if serial, err := ask(0); err != nil || serial != 10 {
				t.Errorf("serial %d, %v", serial, err)
			}
			if _, err := ask(tls.VersionTLS11); err == nil {
				t.Error("TLS 1.1 is accepted")
			}
			ours.issue(t, 11, cert, key)
			if err := h.Reload(); err != nil {
				t.Error(err)
			}
			if serial, err := ask(tls.VersionTLS12); err != nil || serial != 11 {
				t.Errorf("after a reload: serial %d, %v", serial, err)
			}
			if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := h.Reload(); err == nil || !strings.Contains(err.Error(), key) {
				t.Errorf("a damaged key: %v", err)
			}
			if serial, err := ask(0); err != nil || serial != 11 {
				t.Errorf("after a failed reload: serial %d, %v", serial, err)
			}
			if h.Expires().Before(time.Now()) || len(h.Names()) != 2 {
				t.Errorf("%v %v", h.Expires(), h.Names())
			}
			ours.issue(t, 10, cert, key)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
}
