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

// New returns an empty tree that reports to cache and draws ids from ids.
func New(cache Cache, ids IDs) *Tree {
	return &Tree{roots: map[string]*node{}, cache: cache, ids: ids, returns: 1}
}

// Cells is the number of cells that nodes own.
func (t *Tree) Cells() int { return t.cells }

// Nodes is the number of nodes, and so of sequence ids, in use.
func (t *Tree) Nodes() int { return t.nodes }

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
// somebody's lease, and so cost nothing more to pin. A part of a node counts only if there is an id for it: without one, Acquire
// leaves it out, too.
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
		if same < len(child.tokens) {
			if t.hasID() { // it has to be split
				matched += same
			}
			return matched
		}
		matched += same
		n = child
	}
}

// hasID: retain would succeed.
func (t *Tree) hasID() bool {
	if id, ok := t.ids.Retain(); ok {
		t.ids.Release(id)
		return true
	}
	return t.victim() != nil
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
