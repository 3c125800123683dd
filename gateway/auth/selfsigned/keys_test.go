package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestParseKey(t *testing.T) {
	key, err := Make()
	if err != nil {
		t.Fatal(err)
	}
	write := func(kind string, der []byte, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	eight := write("PRIVATE KEY", pkcs8, err)
	one := write("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key), nil)
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := x509.MarshalPKCS8PrivateKey(curve)
	for name, test := range map[string]struct{ text, refusal string }{
		"PKCS #8":        {eight, ""},
		"PKCS #1":        {one, ""},
		"in one line":    {strings.ReplaceAll(eight, "\n", `\n`), ""},
		"with blanks":    {"\n  " + one + "\n", ""},
		"empty":          {"", "PEM"},
		"no PEM":         {"secret", "PEM"},
		"a curve":        {write("PRIVATE KEY", other, err), "RSA key is expected"},
		"damaged":        {write("PRIVATE KEY", pkcs8[:20], nil), "without a password"},
		"a public half":  {write("PUBLIC KEY", x509.MarshalPKCS1PublicKey(&key.PublicKey), nil), "private key"},
		"certificate":    {write("CERTIFICATE", []byte{1}, nil), "private key"},
		"another header": {strings.ReplaceAll(one, "BEGIN", "START"), "PEM"},
	} {
		got, err := ParseKey(test.text)
		switch {
		case test.refusal == "" && (err != nil || !got.Equal(key)):
			t.Errorf("%s: %v", name, err)
		case test.refusal != "" && (err == nil || !strings.Contains(err.Error(), test.refusal)):
			t.Errorf("%s: error %v, want %q in it", name, err, test.refusal)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the error shows what was given: %v", name, err)
		}
	}
}

func TestTheKeyIsKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first, err := LoadOrMake(dir)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, KeyFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kept with mode %v, %v", info.Mode(), err)
	}
	if second, err := LoadOrMake(dir); err != nil || !second.Equal(first) {
		t.Errorf("another key at the second start, %v", err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left %v, %v", files, err)
	}
	if err := os.WriteFile(filepath.Join(dir, KeyFile), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := LoadOrMake(dir); key != nil || err == nil || !strings.Contains(err.Error(), "remove the file") {
		t.Errorf("a damaged file: %v, %v", key, err)
	}
	if key, err := LoadOrMake(os.DevNull); key == nil || err == nil {
		t.Errorf("a folder that cannot be: %v, %v", key, err)
	}
}

// Two gateways that start at once on one folder use one key, or editors' tokens of one would be
// refused by the other.
func TestTwoStartsAtOnceAgree(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	got := make([]string, 4)
	for i := range got {
		group.Go(func() {
			key, err := LoadOrMake(dir)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = key.N.String()
		})
	}
	group.Wait()
	for _, n := range got {
		if n != got[0] {
			t.Fatal("two keys")
		}
	}
}
