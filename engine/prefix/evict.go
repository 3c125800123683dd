package prefix

// What leaves the tree, and in which order.

// Returns is the share of what was kept that somebody came back to before it was evicted,
// smoothed over about ten evictions; 1 in the beginning.
func (t *Tree) Returns() float64 { return t.returns }

// Evicted is the number of tokens that were evicted, ever.
func (t *Tree) Evicted() uint64 { return t.evicted }

// DropScope frees all that nobody has leased in a scope.
func (t *Tree) DropScope(scope string) {
	root := t.roots[scope]
	if root == nil {
		return
	}
	var free func(*node)
	free = func(n *node) {
		for _, child := range n.children {
			free(child)
		}
		switch {
		case n.isParked():
			t.forget(n)
		case !n.isRoot() && n.refs == 0 && len(n.children) == 0:
			t.remove(n)
		}
	}
	free(root)
	t.close(scope)
}

// Tick lets n units of time pass. The caller chooses the unit.
func (t *Tree) Tick(n int) { t.clock += uint64(n) }

// EvictIdle frees what nobody has leased and nobody has used for more than age units of time, or
// as many times that as somebody came back to it. What is to be kept stays.
func (t *Tree) EvictIdle(age int) {
	for {
		leaf := t.victim()
		if leaf == nil || leaf.kept || t.idle(leaf) <= float64(age) {
			return
		}
		t.drop(leaf)
	}
}

// idle is how long nobody has used a node, and the less the more often somebody came back: the
// one that was used by ten is likelier to be used again than the one that nobody came back to.
func (t *Tree) idle(n *node) float64 { return float64(t.clock-n.used) / float64(1+min(n.visits, 15)) }

// Evict takes at least want cells out of the cache if it can, the most idle leaves first, what is
// to be kept last, and returns how many it freed. Leased paths stay.
func (t *Tree) Evict(want int) int {
	freed := 0
	for freed < want {
		leaf := t.victim()
		if leaf == nil {
			break
		}
		freed += len(leaf.tokens)
		t.yield(leaf)
	}
	return freed
}

// Clear drops all that nobody has leased, also what is parked.
func (t *Tree) Clear() {
	for leaf := t.victim(); leaf != nil; leaf = t.victim() {
		t.drop(leaf)
	}
	for len(t.parking.nodes) > 0 {
		t.forget(t.oldestParked())
	}
}

// victim is the most idle node in the cache that nobody has leased and that has nobody below it
// there, one that is to be kept only if there is no other. There are at most as many nodes as
// sequence ids, so looking at all of them is cheap.
func (t *Tree) victim() *node {
	var best *node
	t.walk(func(n *node) {
		if n.refs == 0 && n.isLeaf() && (best == nil || t.before(n, best)) {
			best = n
		}
	})
	return best
}

// isLeaf: nothing below n is in the cache.
func (n *node) isLeaf() bool {
	for _, child := range n.children {
		if !child.isParked() {
			return false
		}
	}
	return true
}

// before: a is to be evicted before b.
func (t *Tree) before(a, b *node) bool {
	if a.kept != b.kept {
		return b.kept
	}
	if x, y := t.idle(a), t.idle(b); x != y {
		return x > y
	}
	return a.seq < b.seq
}

// drop evicts a leaf, and learns whether keeping it was worth it.
func (t *Tree) drop(leaf *node) {
	t.remove(leaf)
	t.evicted += uint64(len(leaf.tokens))
	came := 0.0
	if leaf.visits > 0 {
		came = 1
	}
	t.returns += (came - t.returns) / 10
}

func (t *Tree) remove(leaf *node) {
	for _, child := range leaf.children { // which is parked
		t.forget(child)
	}
	t.leave(leaf)
	t.unlink(leaf)
}

// leave frees what a node has of the cache.
func (t *Tree) leave(leaf *node) {
	t.cache.Remove(leaf.seq, leaf.from, leaf.to())
	t.ids.Release(leaf.seq)
	t.cells -= len(leaf.tokens)
	t.nodes--
}
