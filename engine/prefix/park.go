package prefix

// A prefix that nobody uses still costs something while it is in the KV cache: attention passes by
// its cells for every token of everybody. So it is parked: its cells are copied to main memory and
// freed, and the node stays in the tree. When somebody comes back to it, the cells are copied back,
// which takes a small part of the time that computing them again would.
//
// Children of a parked node are parked. A parked node has no sequence id.

// Key names what was parked. 0 names nothing.
type Key uint64

// Lot is told, in one order with what the Cache is told, what is to be moved out of the KV cache and back.
type Lot interface {
	Save(seq Seq, from, to int, key Key) // copies cells to key
	Load(key Key, seq Seq)               // moves them into the cache, under seq, and forgets the key
	Drop(key Key)                        // forgets the key
}

const (
	// maxParked bounds the number of parked nodes: the oldest is looked for among all of them.
	maxParked = 1024
	// worthLoading is how many parked tokens are loaded for the sake of one of them. Moving a token
	// takes 15 to 500 times less than computing it.
	worthLoading = 16
)

// parking is where parked nodes are.
type parking struct {
	lot   Lot
	size  int // most cells
	cells int
	nodes map[Key]*node
	last  Key
	// room makes place for so many cells in the cache, or says that it cannot.
	room func(cells int) bool
}

// Park lets the tree move up to size cells that nobody uses to lot. room is asked to make place in
// the cache for those that come back.
func (t *Tree) Park(lot Lot, size int, room func(cells int) bool) {
	t.parking = parking{lot: lot, size: size, nodes: map[Key]*node{}, room: room}
}

// Parked is the number of cells that are parked.
func (t *Tree) Parked() int { return t.parking.cells }

// ParkIdle parks what nobody has leased and nobody has used for more than age units of time, or as
// many times that as somebody came back to it; at most most cells. What is to be kept stays.
func (t *Tree) ParkIdle(age, most int) {
	for {
		leaf := t.victim()
		if leaf == nil || leaf.kept || t.idle(leaf) <= float64(age) || len(leaf.tokens) > most {
			return
		}
		most -= len(leaf.tokens)
		t.yield(leaf)
	}
}

// yield takes a node out of the cache: it is parked where that is possible, else dropped.
func (t *Tree) yield(leaf *node) {
	p := &t.parking
	if len(leaf.tokens) > p.size {
		t.drop(leaf)
		return
	}
	for p.cells+len(leaf.tokens) > p.size || len(p.nodes) >= maxParked {
		t.forget(t.oldestParked())
	}
	p.last++
	p.lot.Save(leaf.seq, leaf.from, leaf.to(), p.last)
	t.leave(leaf)
	leaf.key, leaf.parkedFrom = p.last, leaf.from
	p.cells += leaf.parkedCells()
	p.nodes[leaf.key] = leaf
}

// unpark brings a node back into the cache. Its parent is in the cache, and leased.
func (t *Tree) unpark(n *node) bool {
	p := &t.parking
	cells := n.parkedCells()
	// What has to make place for it must not push it out of the lot.
	delete(p.nodes, n.key)
	p.cells -= cells
	id, ok := t.retain()
	if ok && !p.room(cells) {
		t.ids.Release(id)
		ok = false
	}
	if !ok {
		p.cells += cells
		p.nodes[n.key] = n
		return false
	}
	p.lot.Load(n.key, id)
	if n.parkedFrom < n.from {
		t.cache.Remove(id, n.parkedFrom, n.from)
	}
	n.key, n.seq = 0, id
	t.cells += len(n.tokens)
	t.nodes++
	return true
}

// replace puts what seq has just computed in the place of the first same tokens of a parked node.
// The rest of it stays parked, below. It fails when no id is to be had, and when the node went to
// make room for one.
func (l *Lease) replace(parked *node, same int, seq Seq) bool {
	t := l.tree
	id, ok := t.retain()
	if !ok {
		return false
	}
	if parked.parent == nil {
		t.ids.Release(id)
		return false
	}
	n := parked
	if same < len(parked.tokens) {
		n = &node{parent: l.at, children: map[int32]*node{parked.tokens[same]: parked}, tokens: append([]int32(nil), parked.tokens[:same]...), from: parked.from}
		l.at.children[n.tokens[0]] = n
		parked.parent, parked.from, parked.tokens = n, n.to(), append([]int32(nil), parked.tokens[same:]...)
	} else {
		t.dropParked(parked)
	}
	n.seq = id
	t.cache.Copy(seq, id, n.from, n.to())
	t.cells += len(n.tokens)
	t.nodes++
	l.step(n)
	return true
}

// dropParked forgets the cells of a parked node, but not the node.
func (t *Tree) dropParked(n *node) {
	p := &t.parking
	p.lot.Drop(n.key)
	p.cells -= n.parkedCells()
	delete(p.nodes, n.key)
	n.key = 0
}

// forget removes a parked node and what is below it.
func (t *Tree) forget(n *node) {
	for _, child := range n.children {
		t.forget(child)
	}
	t.dropParked(n)
	t.unlink(n)
}

func (t *Tree) oldestParked() *node {
	var oldest *node
	for _, n := range t.parking.nodes {
		if len(n.children) > 0 {
			continue
		}
		if oldest == nil || t.idle(n) > t.idle(oldest) || t.idle(n) == t.idle(oldest) && n.key < oldest.key {
			oldest = n
		}
	}
	return oldest
}

func (n *node) isParked() bool { return n.key != 0 }

// parkedCells is how many cells a parked node has in the lot: also those of tokens that the node
// has ceded to others.
func (n *node) parkedCells() int { return n.to() - n.parkedFrom }
