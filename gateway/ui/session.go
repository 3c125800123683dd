package ui

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"sync"
	"time"
)

const (
	// maxSessions bounds the sessions; the one that was idle longest ends for a new one.
	maxSessions = 32
	// sessionAge is how long a session lasts, sessionIdle how long without a request. An open page asks.
	sessionAge  = 12 * time.Hour
	sessionIdle = time.Hour
)

// session is one person signed in. It is not changed once made, but for used.
type session struct {
	keyHash string // of the key that opened it
	csrf    string
	opened  time.Time
	used    time.Time // guarded by sessions.mu
}

// sessions may be used concurrently.
type sessions struct {
	now func() time.Time

	mu   sync.Mutex
	open map[[sha256.Size]byte]*session // by the hash of what the cookie holds
}

func newSessions() *sessions {
	return &sessions{now: time.Now, open: map[[sha256.Size]byte]*session{}}
}

// begin opens a session, and returns what its cookie holds.
func (s *sessions) begin(keyHash string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for len(s.open) >= maxSessions {
		s.drop(now)
	}
	cookie := secret()
	s.open[sha256.Sum256([]byte(cookie))] = &session{keyHash: keyHash, csrf: secret(), opened: now, used: now}
	return cookie
}

// drop ends those that are over or, if none is, the one that was idle longest.
func (s *sessions) drop(now time.Time) {
	var oldest [sha256.Size]byte
	var since time.Time
	before := len(s.open)
	for hash, one := range s.open {
		if one.over(now) {
			delete(s.open, hash)
		} else if since.IsZero() || one.used.Before(since) {
			oldest, since = hash, one.used
		}
	}
	if len(s.open) == before {
		delete(s.open, oldest)
	}
}

func (s *session) over(now time.Time) bool {
	return now.Sub(s.opened) >= sessionAge || now.Sub(s.used) >= sessionIdle
}

// find returns the session of a cookie, or nil.
func (s *sessions) find(cookie string) *session {
	hash := sha256.Sum256([]byte(cookie))
	s.mu.Lock()
	defer s.mu.Unlock()
	one, now := s.open[hash], s.now()
	if one == nil {
		return nil
	}
	if one.over(now) {
		delete(s.open, hash)
		return nil
	}
	one.used = now
	return one
}

// end ends the session of a cookie.
func (s *sessions) end(cookie string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, sha256.Sum256([]byte(cookie)))
}

// secret returns 256 random bits as text.
func secret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}
