package ui_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"aigw/gateway"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/certificate"
	"aigw/gateway/outbound"
)

// pair writes a certificate that ends in some days, and its key.
func pair(t *testing.T, key *rsa.PrivateKey, days int) certificate.Files {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "aigw"}, DNSNames: []string{"aigw.example.test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	f := certificate.Files{Certificate: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
	for path, block := range map[string]*pem.Block{
		f.Certificate: {Type: "CERTIFICATE", Bytes: der},
		f.Key:         {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func TestTheConnectionPage(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	gitlab, err := url.Parse("http://127.0.0.1:1") // nobody answers there
	if err != nil {
		t.Fatal(err)
	}
	client, err := outbound.New(outbound.Options{Origins: []*url.URL{gitlab}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	ring, err := keyring.New(keyring.Options{
		Local:     []keyring.Key{{ID: "_signing_key", Public: &key.PublicKey, From: "gitlab-ai-gateway"}},
		Providers: []keyring.Provider{{Label: "Gitlab", URL: gitlab}}, Client: client, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	own, err := certificate.New(pair(t, key, 12))
	if err != nil {
		t.Fatal(err)
	}
	k := start(t, func(o *gateway.Options) {
		o.UI.Keyring, o.UI.Certificate = ring, own
		o.Auth.BypassExternal = true
	})
	b := k.signedIn(t)
	if got := b.get("/ui/connection").Text; !strings.Contains(got, "http://127.0.0.1:1 (Gitlab)") || !strings.Contains(got, "<td>never</td>") {
		t.Errorf("before GitLab was asked: %s", got)
	}
	ring.Refresh(t.Context(), "unknown")
	got := b.get("/ui/connection").Text
	for _, want := range []string{
		"connection refused", "_signing_key", "2048", "aigw.example.test", "12 days from now", `class="wrong">For`,
		"AI_GATEWAY_URL=" + k.URL, "gitlab_rails[&#39;env&#39;]", "authentication is bypassed", "Editors get no tokens", "are 2 API keys, 1 of them",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q", want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
	if strings.Contains(got, key.D.String()) || strings.Contains(got, "PRIVATE") {
		t.Error("the page has a private key")
	}

	bare := start(t, nil).signedIn(t)
	if got := bare.get("/ui/connection").Text; !strings.Contains(got, "No GitLab is configured") || !strings.Contains(got, "without TLS") || !strings.Contains(got, "None is known") {
		t.Errorf("without anything: %s", got)
	}
}
