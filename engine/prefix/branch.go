package prefix

import (
	"cmp"
	"slices"
)

// Branch is a node of the tree that can outlive the process.
type Branch struct {
	Path   []int32 // tokens from the root to the end of the node
	From   int     // the node's own tokens are Path[From:]
	Visits int     // how often somebody came back to it
	Seq    Seq     // has the node's cells; another one after a graft
	Key    Key     // or they are parked there
}

// Popular lists the nodes of a scope that somebody came back to at least visits times, or that are
// to be kept: parents before their children, and the most visited of these first.
func (t *Tree) Popular(scope string, visits int) []Branch {
	root := t.roots[scope]
	if root == nil {
		return nil
	}
	var all []Branch
	var down func(*node, []int32)
	down = func(n *node, path []int32) {
		var children []*node
		for _, child := range n.children {
			whole := !child.isParked() || child.parkedFrom == child.from // else it takes its own cells and more
			if (child.visits >= visits || child.kept) && whole {
				children = append(children, child)
			}
		}
		slices.SortFunc(children, func(a, b *node) int { return cmp.Or(b.visits-a.visits, int(a.seq-b.seq)) })
		for _, child := range children {
			whole := slices.Concat(path, child.tokens)
			all = append(all, Branch{Path: whole, From: child.from, Visits: child.visits, Seq: child.seq, Key: child.key})
			down(child, whole)
		}
	}
	down(root, nil)
	return all
}

// Graft adds a branch that an earlier tree had, and returns the sequence id under which the caller
// puts its cells. It fails where the tree does not have exactly what comes before the branch, has
// something behind that already, or has no id left.
func (t *Tree) Graft(scope string, b Branch) (Seq, bool) {
	if b.From < 0 || b.From >= len(b.Path) || t.Match(scope, b.Path) != b.From {
		return 0, false
	}
	root := t.roots[scope]
	if root == nil {
		root = &node{children: map[int32]*node{}}
	}
	parent := root
	for parent.to() < b.From {
		parent = parent.children[b.Path[parent.to()]]
	}
	if parent.to() != b.From {
		return 0, false
	}
	id, ok := t.ids.Retain()
	if !ok {
		return 0, false
	}
	t.roots[scope] = root
	own := slices.Clone(b.Path[b.From:])
	parent.children[own[0]] = &node{parent: parent, children: map[int32]*node{}, tokens: own, from: b.From, seq: id, visits: b.Visits, used: t.clock}
	t.cells += len(own)
	t.nodes++
	return id, true
}
