package engine

import (
	"fmt"

	"aigw/engine/sched"
)

// Sharing says between whom the KV cache's cells of equal prompts are shared. Only what was
// computed of tokens is ever shared, never text; but who gets an answer sooner than the length of
// the prompt would have it can tell that somebody has asked with the same beginning.
type Sharing string

// The kinds of sharing.
const (
	ShareInstance Sharing = "instance" // everybody
	ShareUser     Sharing = "user"     // requests of one owner
	ShareOff      Sharing = "off"      // nobody; nothing is kept after a request
)

// ParseSharing reads a setting. Empty is ShareInstance.
func ParseSharing(name string) (Sharing, error) {
	switch s := Sharing(orText(name, string(ShareInstance))); s {
	case ShareInstance, ShareUser, ShareOff:
		return s, nil
	}
	return "", fmt.Errorf("KV sharing %q: instance, user or off are possible", name)
}

// scope puts a request of owner where it may share.
func (s Sharing) scope(r *sched.Request, owner string) {
	switch {
	case s == ShareOff, s == ShareUser && owner == "":
		r.Private = true
	case s == ShareUser:
		r.Scope = owner
	}
}
