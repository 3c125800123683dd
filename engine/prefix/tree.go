// Package prefix remembers which token prefixes are held in the KV cache.
//
// It is a radix tree over token ids. A node stands for a run of tokens that follows its
// parent's, and owns the cells of exactly that run under a retained sequence id of its own:
// root -> "system prompt" (positions 0..1999, sequence 7) -> "question A" (2000..2050, sequence 9).
// A request takes a lease on the deepest node that its prompt agrees with; the cells on the
// way are added to the request's own sequence id, which moves no tensor data in a unified cache.
// While the lease lasts, nothing on its path is evicted, and what the request computes is added
// below it, so that others share it while its owner still generates.
//
// Prefixes are known within a scope only: people of two scopes share no cell, and whether somebody
// else has asked for the same cannot be told from how fast an answer comes.
//
// The package is pure: it decides and reports operations to a Cache, which applies them later.
// A Tree is not safe for concurrent use.
package prefix

import "fmt"

// Seq is a sequence id of the KV cache.
type Seq int32

// Cache is told, in order, what has to be done to the KV cache. Positions are half open.
type Cache interface {
	Copy(src, dst Seq, from, to int)
	Remove(seq Seq, from, to int)
}

// IDs hands out the sequence ids that the cache has.
type IDs interface {
	// Retain returns an id for a node, or false if none may be spent on retaining.
	Retain() (Seq, bool)
	Release(Seq)
}

// Tree is the radix tree. Make one with New.
type Tree struct {
	roots map[string]*node // by scope
	cache Cache
	ids   IDs
	cells int // cells owned by nodes
	nodes int // nodes other than the root
	// returns is the share of evicted nodes that somebody had come back to, smoothed.
	returns float64
	evicted uint64 // tokens
	clock   uint64 // counts leases and what Tick adds; orders nodes by last use
	parking parking
}

type node struct {
	parent   *node
	children map[int32]*node // by first token
	tokens   []int32
	from     int // position of tokens[0]
	seq      Seq
	refs     int    // leases at or below this node
	visits   int    // how often somebody came back to it
	kept     bool   // somebody asked for it to be kept
	used     uint64 // clock when a lease last went through or ended

	key        Key // not 0: the node is parked, and seq means nothing
	parkedFrom int // position of the first parked cell
}

func (n *node) isRoot() bool { return n.parent == nil }

func (n *node) to() int { return n.from + len(n.tokens) }

// Lease holds a path of the tree for one request.
type Lease struct {
	tree  *Tree
	scope string
	at    *node
}

// Len is the number of tokens on the leased path.
func (l *Lease) Len() int { return l.at.to() }

// Alone is the number of cells on the leased path that no other lease pins.
func (l *Lease) Alone() int {
	alone := 0
	for n := l.at; !n.isRoot() && n.refs == 1; n = n.parent {
		alone += len(n.tokens)
	}
	return alone
}

// New returns an empty tree that reports to cache and draws ids from ids.
func New(cache Cache, ids IDs) *Tree {
	return &Tree{roots: map[string]*node{}, cache: cache, ids: ids, returns: 1}
}

// Cells is the number of cells that nodes own.
func (t *Tree) Cells() int { return t.cells }

// Nodes is the number of nodes, and so of sequence ids, in use.
func (t *Tree) Nodes() int { return t.nodes }

// Returns is the share of what was kept that somebody came back to before it was evicted,
// smoothed over about ten evictions; 1 in the beginning.
func (t *Tree) Returns() float64 { return t.returns }

// Evicted is the number of tokens that were evicted, ever.
func (t *Tree) Evicted() uint64 { return t.evicted }

// Kept is the number of cells that are to be kept.
func (t *Tree) Kept() int {
	kept := 0
	t.walk(func(n *node) {
		if n.kept {
			kept += len(n.tokens)
		}
	})
	return kept
}

// Pinned is the number of cells on leased paths: the ones that cannot be evicted.
func (t *Tree) Pinned() int {
	pinned := 0
	t.walk(func(n *node) {
		if n.refs > 0 {
			pinned += len(n.tokens)
		}
	})
	return pinned
}

// Shared is the number of cells that two or more leases hold at once.
func (t *Tree) Shared() int {
	shared := 0
	t.walk(func(n *node) {
		if n.refs > 1 {
			shared += len(n.tokens)
		}
	})
	return shared
}

// Match returns how many leading tokens are in the tree, parked or not. It changes nothing.
func (t *Tree) Match(scope string, tokens []int32) int {
	n, matched := t.roots[scope], 0
	if n == nil {
		return 0
	}
	for {
		child := n.children[first(tokens[matched:])]
		if child == nil || matched == len(tokens) {
			return matched
		}
		same := common(child.tokens, tokens[matched:])
		matched += same
		if same < len(child.tokens) {
			return matched
		}
		n = child
	}
}

// PinnedMatch returns how many of the leading tokens that Match counts are already pinned by
// somebody's lease, and so cost nothing more to pin.
func (t *Tree) PinnedMatch(scope string, tokens []int32) int {
	n, matched := t.roots[scope], 0
	if n == nil {
		return 0
	}
	for {
		child := n.children[first(tokens[matched:])]
		if child == nil || matched == len(tokens) || child.refs == 0 {
			return matched
		}
		same := common(child.tokens, tokens[matched:])
		matched += same
		if same < len(child.tokens) {
			return matched
		}
		n = child
	}
}

// Acquire leases the longest known prefix of tokens, at most limit long, and adds its cells to dst.
func (t *Tree) Acquire(scope string, tokens []int32, limit int, dst Seq) *Lease {
	t.clock++
	root := t.roots[scope]
	if root == nil {
		root = &node{children: map[int32]*node{}}
		t.roots[scope] = root
	}
	root.refs++
	l := &Lease{tree: t, scope: scope, at: root}
	l.Follow(tokens, limit, dst)
	return l
}

// Follow moves the lease on to what has become known since: the longest prefix of tokens, at most
// limit long, that the leased path is the beginning of. The cells that come with it are added to
// dst, which must have none behind the lease.
func (l *Lease) Follow(tokens []int32, limit int, dst Seq) {
	t := l.tree
	tokens = tokens[:min(limit, len(tokens))]
	for at := l.at.to(); at < len(tokens); at = l.at.to() {
		child := l.at.children[tokens[at]]
		if child == nil {
			return
		}
		same := common(child.tokens, tokens[at:])
		if child.isParked() && (same*worthLoading < child.parkedCells() || !t.unpark(child)) {
			return
		}
		if same < len(child.tokens) {
			upper, ok := t.split(child, same)
			if !ok {
				return
			}
			child = upper
		}
		t.cache.Copy(child.seq, dst, child.from, child.to())
		child.visits++
		l.step(child)
	}
}

// step moves the lease to a child of where it is.
func (l *Lease) step(child *node) {
	child.refs++
	child.used = l.tree.clock
	l.at = child
}

// Extend records that seq has computed tokens right behind the leased path, and moves the lease
// to their end. What somebody else computed meanwhile is taken from them: seq's own copy of it
// is dropped and theirs is added, so that each token of a path has one cell.
// It stops early when no sequence id is left; Len tells how far it came.
func (l *Lease) Extend(tokens []int32, seq Seq) {
	t := l.tree
	for len(tokens) > 0 {
		child := l.at.children[tokens[0]]
		if child == nil {
			l.append(tokens, seq)
			return
		}
		same := common(child.tokens, tokens)
		if child.isParked() {
			if l.replace(child, same, seq) {
				tokens = tokens[same:]
			} else if child.parent != nil {
				return
			}
			continue
		}
		if same < len(child.tokens) {
			upper, ok := t.split(child, same)
			if !ok {
				return
			}
			child = upper
		}
		t.cache.Remove(seq, child.from, child.to())
		t.cache.Copy(child.seq, seq, child.from, child.to())
		l.step(child)
		tokens = tokens[same:]
	}
}

// append adds tokens that nobody has below the lease: to its node when only this lease stands
// there, else as a new node.
func (l *Lease) append(tokens []int32, seq Seq) {
	t, n := l.tree, l.at
	if !n.isRoot() && n.refs == 1 && !n.kept && len(n.children) == 0 {
		t.cache.Copy(seq, n.seq, n.to(), n.to()+len(tokens))
		n.tokens = append(n.tokens, tokens...)
		t.cells += len(tokens)
		return
	}
	id, ok := t.retain()
	if !ok {
		return
	}
	child := &node{parent: n, children: map[int32]*node{}, from: n.to(), seq: id, refs: 1, used: t.clock}
	child.tokens = append(child.tokens, tokens...)
	t.cache.Copy(seq, id, child.from, child.to())
	n.children[tokens[0]] = child
	t.cells += len(tokens)
	t.nodes++
	l.at = child
}

// Release ends the lease, which is of no use afterwards. The path stays in the tree until it is evicted.
func (l *Lease) Release() {
	for n := l.at; n != nil; n = n.parent {
		n.refs--
		n.used = l.tree.clock
	}
	l.tree.close(l.scope)
}

// close forgets a scope that has nothing in it and in which nobody is.
func (t *Tree) close(scope string) {
	if root := t.roots[scope]; root != nil && root.refs == 0 && len(root.children) == 0 {
		delete(t.roots, scope)
	}
}

// Keep marks the first n tokens of the leased path to be kept when others are evicted that have
// been used since: what many begin with. Where cells are short, they go too, as the last ones.
func (l *Lease) Keep(n int) {
	for at := l.at; at != nil && !at.isRoot(); at = at.parent {
		if at.from >= n {
			continue
		}
		if at.to() > n {
			upper, ok := l.tree.split(at, n-at.from)
			if !ok {
				return
			}
			at = upper
		}
		at.kept = true
	}
}

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

// split cuts a node at offset and returns its upper part, which gets a new sequence id.
// The lower part keeps the old one. It fails when no id is to be had.
func (t *Tree) split(lower *node, offset int) (*node, bool) {
	// The path may not be evicted to make room for its own upper half.
	for n := lower; !n.isRoot(); n = n.parent {
		n.refs++
	}
	id, ok := t.retain()
	for n := lower; !n.isRoot(); n = n.parent {
		n.refs--
	}
	if !ok {
		return nil, false
	}
	cut := lower.from + offset
	upper := &node{
		parent: lower.parent, children: map[int32]*node{lower.tokens[offset]: lower},
		// A copy: the lower part's slice may grow in place.
		tokens: append([]int32(nil), lower.tokens[:offset]...),
		from:   lower.from, seq: id, refs: lower.refs, used: lower.used, visits: lower.visits, kept: lower.kept,
	}
	t.cache.Copy(lower.seq, id, lower.from, cut)
	t.cache.Remove(lower.seq, lower.from, cut)
	lower.parent.children[upper.tokens[0]] = upper
	lower.parent, lower.from, lower.tokens = upper, cut, append([]int32(nil), lower.tokens[offset:]...)
	t.nodes++
	return upper, true
}

// retain returns an id for a node, evicting the least recently used leaf if it has to.
func (t *Tree) retain() (Seq, bool) {
	if id, ok := t.ids.Retain(); ok {
		return id, true
	}
	leaf := t.victim()
	if leaf == nil {
		return 0, false
	}
	t.yield(leaf)
	return t.ids.Retain()
}

// victim is the most idle node in the cache that nobody has leased and that has nobody below it
// there, one that is to be kept only if there is no
// other. There are at most as many nodes as sequence ids, so looking at all of them is cheap.
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

// unlink takes a node out of the tree.
func (t *Tree) unlink(n *node) {
	parent := n.parent
	delete(parent.children, n.tokens[0])
	n.parent = nil
	if parent.isRoot() && len(parent.children) == 0 && parent.refs == 0 {
		for scope, root := range t.roots {
			if root == parent {
				delete(t.roots, scope)
				break
			}
		}
	}
}

// walk visits the nodes that are in the cache.
func (t *Tree) walk(visit func(*node)) {
	var down func(*node)
	down = func(n *node) {
		for _, child := range n.children {
			if !child.isParked() {
				visit(child)
				down(child)
			}
		}
	}
	for _, root := range t.roots {
		down(root)
	}
}

func (t *Tree) String() string {
	return fmt.Sprintf("%d nodes, %d cells, %d pinned", t.nodes, t.cells, t.Pinned())
}

// common is the length of the longest common prefix.
func common(a, b []int32) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

// first is the first token, or one that no vocabulary has.
func first(tokens []int32) int32 {
	if len(tokens) == 0 {
		return -1
	}
	return tokens[0]
}
