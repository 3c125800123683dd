// Package selfsigned makes the tokens with which editors talk to this gateway directly (section
// 3.10 of the wire contract), and keeps the keys for them.
package selfsigned

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"aigw/gateway/auth/keyring"
)

// Key ids, as the original has them.
const (
	signingID    = "_signing_key"
	validationID = "_validation_key"
)

// ParseKey reads an RSA private key in PEM, PKCS #1 or #8. Line ends may be written as \n, as
// people do who put a key into one line of an environment file.
func ParseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(strings.ReplaceAll(strings.TrimSpace(text), `\n`, "\n")))
	if block == nil {
		return nil, errors.New("no key in PEM form (-----BEGIN PRIVATE KEY-----)")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; an RSA private key without a password is expected", block.Type, err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("the key is of type %T, an RSA key is expected", key)
	}
	return private, nil
}

// keyBits is the length of a key that is made here.
const keyBits = 2048

// Make makes a key.
func Make() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	return key, nil
}

// KeyFile is the name of the key in the state folder.
const KeyFile = "signing-key.pem"

// LoadOrMake returns the key in a folder, and makes one if there is none. If it cannot be
// kept there, it is returned with an error: tokens then end with the process.
func LoadOrMake(dir string) (*rsa.PrivateKey, error) {
	path := filepath.Join(dir, KeyFile)
	text, err := os.ReadFile(path)
	if err == nil {
		key, err := ParseKey(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w; remove the file to have a new key made", path, err)
		}
		return key, nil
	}
	key, made := Make()
	if made != nil {
		return nil, made
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return key, err
	}
	return keep(dir, path, key)
}

// keep writes a key, readable by this user only. Of two processes that start at once on one
// folder, the second takes the key of the first.
func keep(dir, path string, key *rsa.PrivateKey) (*rsa.PrivateKey, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return key, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return key, err
	}
	f, err := os.CreateTemp(dir, ".key-*") // 0600
	if err != nil {
		return key, err
	}
	defer os.Remove(f.Name())
	err = pem.Encode(f, &pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err = errors.Join(err, f.Close()); err != nil {
		return key, err
	}
	if err := os.Link(f.Name(), path); errors.Is(err, fs.ErrExist) {
		text, err := os.ReadFile(path)
		if err != nil {
			return key, err
		}
		return ParseKey(string(text))
	} else if err != nil {
		return key, err
	}
	return key, nil
}

// Public returns the public halves of a pair for rotation; either may be nil.
func Public(service string, signing, validation *rsa.PrivateKey) []keyring.Key {
	var keys []keyring.Key
	for _, k := range []struct {
		id  string
		key *rsa.PrivateKey
	}{{signingID, signing}, {validationID, validation}} {
		if k.key != nil {
			keys = append(keys, keyring.Key{ID: service + k.id, Public: &k.key.PublicKey, From: "this gateway"})
		}
	}
	return keys
}
