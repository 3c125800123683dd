package bundle

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
)

// signedFor is signed with the manifest, so that a signature over a manifest can be taken for nothing else.
const signedFor = "aigw bundle manifest v1\n"

// maxKeyFile bounds what is read of a key file.
const maxKeyFile = 64 << 10

// sign signs a manifest.
func sign(key ed25519.PrivateKey, manifest []byte) []byte {
	return ed25519.Sign(key, append([]byte(signedFor), manifest...))
}

func signatureHolds(key ed25519.PublicKey, manifest, signature []byte) bool {
	return len(signature) == ed25519.SignatureSize && ed25519.Verify(key, append([]byte(signedFor), manifest...), signature)
}

// ReadPrivateKey reads the PEM file that `openssl genpkey -algorithm ed25519` writes.
func ReadPrivateKey(path string) (ed25519.PrivateKey, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if private, ok := key.(ed25519.PrivateKey); err == nil && ok {
		return private, nil
	}
	return nil, fmt.Errorf("%s holds no Ed25519 private key; make one with: openssl genpkey -algorithm ed25519 -out key.pem", path)
}

// ReadPublicKey reads the PEM file that `openssl pkey -pubout` writes.
func ReadPublicKey(path string) (ed25519.PublicKey, error) {
	block, err := readPEM(path)
	if err != nil {
		return nil, err
	}
	if block.Type == "PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds the private key, which does not belong on this machine; take the public one: openssl pkey -in %s -pubout", path, path)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if public, ok := key.(ed25519.PublicKey); err == nil && ok {
		return public, nil
	}
	return nil, fmt.Errorf("%s holds no Ed25519 public key; print it with: openssl pkey -in key.pem -pubout", path)
}

func readPEM(path string) (*pem.Block, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s is not a PEM file; make a key with: openssl genpkey -algorithm ed25519 -out key.pem", path)
	}
	return block, nil
}

// Fingerprint names a public key: the SHA-256 of its encoding, as `openssl pkey -pubin -outform DER | sha256sum` prints it.
func Fingerprint(key crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

// Trust says whose bundles are taken.
type Trust struct {
	Key           ed25519.PublicKey // nil: none was named
	AllowUnsigned bool
}

// check decides about a manifest.
func (t Trust) check(manifest, signature []byte) error {
	switch {
	case t.Key != nil && len(signature) == 0:
		return errors.New("it is not signed, and a key to check it with was named")
	case t.Key != nil && !signatureHolds(t.Key, manifest, signature):
		return errors.New("its signature is not of the key that was named: it was made by somebody else, or its manifest was changed")
	case t.Key == nil && !t.AllowUnsigned && len(signature) == 0:
		return errors.New("it is not signed: ask for one that is, or take it as it is with --allow-unsigned")
	case t.Key == nil && !t.AllowUnsigned:
		return errors.New("it is signed, and no key to check it with was named: name the signer's public key with --key FILE, or take it as it is with --allow-unsigned")
	}
	return nil
}
