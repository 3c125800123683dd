package prefix

import "testing"

func TestPopularBranchesAreGraftedElsewhere(t *testing.T) {
	r := newRecorder(16)
	tree := New(r, r)
	learn(tree, "system one", 100)
	for _, s := range []string{"system two", "system two", "system three", "other"} {
		learn(tree, s, 101)
	}
	all := tree.Popular("", 1)
	if len(all) == 0 || tree.Popular("else", 0) != nil {
		t.Fatalf("popular: %+v", all)
	}
	q := newRecorder(16)
	next := New(q, q)
	cells := 0
	for _, b := range all {
		if _, ok := next.Graft("", b); !ok {
			t.Fatalf("%+v does not fit", b)
		}
		cells += len(b.Path) - b.From
	}
	if next.Cells() != cells || next.Match("", text("system two")) != 10 || next.Match("", text("system one")) > 7 || next.Match("", text("other")) != 0 {
		t.Errorf("%v; system two: %d of 10", next, next.Match("", text("system two")))
	}
	if q.did() != "" {
		t.Error("grafting moved cells by itself")
	}
	for name, b := range map[string]Branch{
		"again": all[0], "without what comes before": {Path: text("nothing"), From: 3}, "empty": {}, "inside of a node": {Path: text("sysX"), From: 3},
	} {
		if _, ok := next.Graft("", b); ok {
			t.Errorf("%s: grafted", name)
		}
	}
	// It is a tree like any other.
	learn(next, "system two and more", 100)
	next.Evict(1000)
	if next.Nodes() != 0 || len(q.free) != 16 || len(next.roots) != 0 {
		t.Errorf("%v, %d of 16 ids, %d scopes", next, len(q.free), len(next.roots))
	}
}
