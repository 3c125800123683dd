package apikeys

// Admins is how many keys may see what concerns everybody.
func (r *Ring) Admins() (n int) {
	if r == nil {
		return 0
	}
	for _, k := range *r.keys.Load() {
		if k.Admin {
			n++
		}
	}
	return n
}

// Admin returns the admin's key with a hash, or nil: a session that was opened with a key ends when the
// key is revoked.
func (r *Ring) Admin(hash string) *Key {
	if r == nil {
		return nil
	}
	if k := (*r.keys.Load())[hash]; k != nil && k.Admin {
		return k
	}
	return nil
}
