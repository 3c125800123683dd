package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
)

// Fingerprint tells requests apart without saying anything of their text: the SHA-256 of the
// prompt's tokens. The zero value is none.
type Fingerprint [sha256.Size]byte

// Journal notes which requests run, for somebody who outlives this process: after a crash one of
// them is to blame. It may be used concurrently, and must not wait.
type Journal interface {
	// Refuses reports that a request was running at too many crashes.
	Refuses(Fingerprint) bool
	// Begin and End bracket the time in which the model works on a request.
	Begin(Fingerprint)
	End(Fingerprint)
}

// ErrPoisonous refuses a request that ran whenever the process crashed.
var ErrPoisonous = errors.New("this request was running twice when the model process crashed, and is not tried again; " +
	"the log has the last words of the process")

func fingerprint(r Request) Fingerprint {
	h := sha256.New()
	var b [4]byte
	for _, t := range r.Prompt {
		binary.LittleEndian.PutUint32(b[:], uint32(t))
		h.Write(b[:])
	}
	return Fingerprint(h.Sum(nil))
}
