package llama

import "sync/atomic"

// refs counts the users of a C object: its owner, calls under way, and objects made of it. The
// object is freed when the last of them is gone, so that Close during a call, or before what was
// made of the object is closed, cannot pull memory away. It must not be copied.
type refs struct {
	n      atomic.Int64
	closed atomic.Bool
	free   func()
}

// init gives the owner's reference.
func (r *refs) init(free func()) {
	r.free = free
	r.n.Store(1)
}

// acquire takes a reference for one call, or says that the object is closed.
func (r *refs) acquire() bool {
	if r.closed.Load() {
		return false
	}
	for {
		n := r.n.Load()
		if n == 0 {
			return false
		}
		if r.n.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (r *refs) release() {
	if r.n.Add(-1) == 0 {
		r.free()
	}
}

// close drops the owner's reference, once.
func (r *refs) close() {
	if r.free != nil && !r.closed.Swap(true) {
		r.release()
	}
}
