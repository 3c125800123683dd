package tunnel

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"
)

// Identity is the key by which a machine proves who it is.
type Identity struct {
	Fingerprint Fingerprint

	certificate tls.Certificate
}

// OpenIdentity reads the key and its certificate from a file, which is made if it is not there. Nobody but the
// owner may be able to read it.
func OpenIdentity(file string) (*Identity, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeIdentity(file); err != nil {
			return nil, fmt.Errorf("make a key for tunnels: %w", err)
		}
		info, err = os.Stat(file)
	}
	if err != nil {
		return nil, fmt.Errorf("key for tunnels: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others (mode %o); delete it, a new key is made then, or run chmod 600 on it if nobody did read it", file, info.Mode().Perm())
	}
	pair, err := tls.LoadX509KeyPair(file, file)
	if err != nil {
		return nil, fmt.Errorf("%s holds no key with its certificate: %w; delete it, and a new one is made", file, err)
	}
	return &Identity{Fingerprint: fingerprintOf(pair.Leaf), certificate: pair}, nil
}

// makeIdentity writes a new key. Of two processes that do it at once, one wins.
func makeIdentity(file string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := time.Now()
	// Peers compare the key alone. 9999-12-31 is "no end" (RFC 5280 section 4.1.2.5).
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: now, NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = errors.Join(
		pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: private}),
		pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}
