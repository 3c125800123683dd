// Package tunnel joins two programs on two machines by TLS 1.3 in which each side knows the other's key.
//
// Nobody signs anything: a machine makes a key for itself, and who may talk to it is named by the SHA-256 of his
// public key. Names, dates and issuers of certificates therefore count for nothing. What travels inside is the
// caller's business; it is for protocols that trust whoever reaches them, such as ggml's RPC.
package tunnel

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Fingerprint is the SHA-256 of a public key in DER form (SubjectPublicKeyInfo, RFC 5280 section 4.1.2.7).
type Fingerprint [sha256.Size]byte

// ParseFingerprint reads 64 hexadecimal digits, with or without colons, as aigw and openssl write them.
func ParseFingerprint(text string) (Fingerprint, error) {
	var f Fingerprint
	digits := strings.ReplaceAll(strings.TrimSpace(text), ":", "")
	data, err := hex.DecodeString(digits)
	if err != nil || len(data) != len(f) {
		return f, fmt.Errorf("%q is no fingerprint: %d hexadecimal digits are expected", text, 2*len(f))
	}
	copy(f[:], data)
	return f, nil
}

func (f Fingerprint) String() string { return hex.EncodeToString(f[:]) }

func fingerprintOf(c *x509.Certificate) Fingerprint { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// WrongPeerError says that the other side has another key than those that are allowed.
type WrongPeerError struct {
	Shown   Fingerprint
	Allowed []Fingerprint
}

func (e *WrongPeerError) Error() string {
	allowed := make([]string, len(e.Allowed))
	for i, f := range e.Allowed {
		allowed[i] = f.String()
	}
	return fmt.Sprintf("the other side's fingerprint is %s, allowed is %s", e.Shown, strings.Join(allowed, " or "))
}

// check is the whole of what is verified about a certificate.
func check(certificates []*x509.Certificate, allowed []Fingerprint) error {
	if len(certificates) == 0 {
		return &WrongPeerError{Allowed: allowed}
	}
	if shown := fingerprintOf(certificates[0]); !slices.Contains(allowed, shown) {
		return &WrongPeerError{Shown: shown, Allowed: allowed}
	}
	return nil
}
