// Package apikeys keeps the keys of programs that ask without GitLab: editors and tools that speak
// OpenAI's API. GitLab's own requests have tokens of GitLab's instead (package auth).
//
// The file holds hashes only. A key is 256 random bits, so that one round of SHA-256 is enough: what
// slow hashes protect is what people can remember.
package apikeys

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Prefix is what every key begins with, so that scanners for secrets and people recognise one.
const Prefix = "sk-aigw-"

// maxName bounds a key's name, in characters.
const maxName = 64

// Key is what is known of a key. It is not changed once made.
type Key struct {
	// ID names the key in logs and for revoking: the first digits of its hash.
	ID      string    `json:"id"`
	Name    string    `json:"name"` // of whom or what it is for; no two are the same
	Hash    string    `json:"hash"` // SHA-256 of the key, in hex
	Created time.Time `json:"created"`
	// Admin lets the key see what concerns everybody, such as the status page.
	Admin bool `json:"admin,omitempty"`
	// PerMinute and Running bound requests a minute and at once; 0 leaves them to --user-rate and --user-running.
	PerMinute int `json:"per_minute,omitempty"`
	Running   int `json:"running,omitempty"`
	// Models are the names of the models that the key may ask; none are all.
	Models []string `json:"models,omitempty"`
}

// New makes a key, and the text that its owner has to send. That is kept nowhere.
func New(k Key) (Key, string, error) {
	if err := checkName(k.Name); err != nil {
		return Key{}, "", err
	}
	if k.PerMinute < 0 || k.Running < 0 {
		return Key{}, "", fmt.Errorf("limits cannot be negative; 0 sets none")
	}
	var secret [32]byte
	_, _ = rand.Read(secret[:]) // never fails
	text := Prefix + base64.RawURLEncoding.EncodeToString(secret[:])
	k.Hash = hashOf(text)
	k.ID, k.Created = k.Hash[:8], time.Now().UTC().Truncate(time.Second)
	return k, text, nil
}

func checkName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return fmt.Errorf("a key needs a name: whose it is, or what for")
	case utf8.RuneCountInString(name) > maxName:
		return fmt.Errorf("the name has more than %d characters", maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("the name %q has characters that cannot be shown", name)
	}
	return nil
}

func hashOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Looks reports whether a text could be a key: those of other programs have other prefixes.
func Looks(text string) bool { return strings.HasPrefix(text, Prefix) }

// Allows reports whether the key may ask a model that is called by any of the names. A nil key is that of
// somebody who needs none.
func (k *Key) Allows(names ...string) bool {
	if k == nil || len(k.Models) == 0 {
		return true
	}
	return slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(k.Models, func(m string) bool { return strings.EqualFold(m, name) })
	})
}

type contextKey struct{}

// With returns a context that carries the key that a request came with.
func With(ctx context.Context, k *Key) context.Context {
	return context.WithValue(ctx, contextKey{}, k)
}

// From returns the request's key, or nil.
func From(ctx context.Context) *Key {
	k, _ := ctx.Value(contextKey{}).(*Key)
	return k
}
