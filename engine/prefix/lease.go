package prefix

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
