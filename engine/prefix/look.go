package prefix

// Held is a run of tokens that the tree holds in the cache, as somebody who watches may see it: not
// the tokens, and not whose they are.
type Held struct {
	From, Cells int  // position of the first token; number of tokens
	Users       int  // leases that hold it at the moment
	Visits      int  // how often somebody came back to it
	Kept        bool // it goes last
}

// Held returns the runs in the cache, in no order. There are at most as many as sequence ids.
func (t *Tree) Held() []Held {
	held := make([]Held, 0, t.nodes)
	t.walk(func(n *node) {
		held = append(held, Held{From: n.from, Cells: len(n.tokens), Users: n.refs, Visits: n.visits, Kept: n.kept})
	})
	return held
}
