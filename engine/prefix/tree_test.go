package prefix

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// recorder writes down what the tree wants done, and hands out a few ids.
type recorder struct {
	log  []string
	free []Seq
}

func newRecorder(ids int) *recorder {
	r := &recorder{}
	for id := ids - 1; id >= 0; id-- {
		r.free = append(r.free, Seq(id))
	}
	return r
}

func (r *recorder) Copy(src, dst Seq, from, to int) {
	r.log = append(r.log, fmt.Sprintf("copy %d>%d %d-%d", src, dst, from, to))
}

func (r *recorder) Remove(seq Seq, from, to int) {
	r.log = append(r.log, fmt.Sprintf("remove %d %d-%d", seq, from, to))
}

func (r *recorder) Retain() (Seq, bool) {
	if len(r.free) == 0 {
		return 0, false
	}
	id := r.free[len(r.free)-1]
	r.free = r.free[:len(r.free)-1]
	return id, true
}

func (r *recorder) Release(id Seq) { r.free = append(r.free, id) }

// did returns and forgets the operations since the last call.
func (r *recorder) did() string {
	s := strings.Join(r.log, ", ")
	r.log = nil
	return s
}

func expect(t *testing.T, r *recorder, want string) {
	t.Helper()
	if got := r.did(); got != want {
		t.Fatalf("operations: %s\nwant:       %s", got, want)
	}
}

func text(s string) []int32 {
	var tokens []int32
	for _, c := range s {
		tokens = append(tokens, c)
	}
	return tokens
}

// learn makes the tree know s, computed under seq, and lets go of it.
func learn(tree *Tree, s string, seq Seq) {
	l := tree.Acquire("", text(s), len(s), seq)
	l.Extend(text(s)[l.Len():], seq)
	l.Release()
}

func TestASharedHeadIsSplitOffAndCopied(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "system one", 100)
	expect(t, r, "copy 100>0 0-10")
	// The second prompt agrees up to "system " and then differs.
	l := tree.Acquire("", text("system two"), 9, 101)
	expect(t, r, "copy 0>1 0-7, remove 0 0-7, copy 1>101 0-7")
	if l.Len() != 7 || tree.Cells() != 10 || tree.Nodes() != 2 || tree.Pinned() != 7 {
		t.Fatalf("lease of %d; %v", l.Len(), tree)
	}
	l.Extend(text("two"), 101)
	expect(t, r, "copy 101>2 7-10")
	other := tree.Acquire("", text("system one"), 9, 102)
	if r.did(); tree.Shared() != 7 {
		t.Errorf("%d cells are shared, want 7: %v", tree.Shared(), tree)
	}
	other.Release()
	l.Release()
	if got := tree.Match("", text("system two and more")); got != 10 {
		t.Fatalf("match of %d, want 10", got)
	}
}

func TestALeaseGrowsInPlace(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	l := tree.Acquire("", text("abcdef"), 5, 100)
	l.Extend(text("ab"), 100)
	l.Extend(text("cd"), 100)
	l.Extend(text("ef"), 100)
	expect(t, r, "copy 100>0 0-2, copy 100>0 2-4, copy 100>0 4-6")
	if tree.Nodes() != 1 {
		t.Fatalf("%d nodes for one prompt computed in three slices", tree.Nodes())
	}
	l.Release()
}

func TestWhatTwoComputedAtOnceIsKeptOnce(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	a := tree.Acquire("", text("same"), 3, 100)
	b := tree.Acquire("", text("same"), 3, 101)
	a.Extend(text("same"), 100)
	r.did()
	b.Extend(text("same"), 101)
	expect(t, r, "remove 101 0-4, copy 0>101 0-4")
	if tree.Cells() != 4 || b.Len() != 4 {
		t.Fatalf("%v, lease of %d", tree, b.Len())
	}
	a.Release()
	if tree.Shared() != 0 {
		t.Errorf("%d cells are shared, want none", tree.Shared())
	}
	if tree.Pinned() != 4 {
		t.Fatal("the second lease does not hold what both computed")
	}
	b.Release()
}

func TestEvictionTakesTheLeastRecentlyUsedLeafThatNobodyHolds(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "old", 100)
	learn(tree, "new", 101)
	held := tree.Acquire("", text("held!"), 5, 102)
	held.Extend(text("held!"), 102)
	tree.Acquire("", text("old"), 3, 103).Release() // used again: younger than "new"
	r.did()
	if freed := tree.Evict(1); freed != 3 {
		t.Fatalf("freed %d", freed)
	}
	expect(t, r, "remove 1 0-3")
	if tree.Match("", text("new")) != 0 || tree.Match("", text("old")) != 3 {
		t.Fatal("the wrong one went")
	}
	if freed := tree.Evict(1000); freed != 3 || tree.Match("", text("held!")) != 5 {
		t.Fatalf("freed %d: what is leased must stay", freed)
	}
	held.Release()
	if tree.Evict(1000) != 5 || tree.Cells() != 0 || len(r.free) != 8 {
		t.Fatalf("%v, %d ids free", tree, len(r.free))
	}
}

func TestReturnsTellWhetherKeepingPays(t *testing.T) {
	r := newRecorder(64)
	tree := New(r, r)
	for i := range 30 { // nobody comes back
		learn(tree, fmt.Sprint(i, " once"), 100)
		tree.Evict(1000)
	}
	if got := tree.Returns(); got > 0.1 {
		t.Errorf("%g returns although nobody came back", got)
	}
	for i := range 30 {
		learn(tree, fmt.Sprint(i, " twice"), 100)
		tree.Acquire("", text(fmt.Sprint(i, " twice")), 100, 101).Release()
		tree.Evict(1000)
	}
	if got := tree.Returns(); got < 0.9 {
		t.Errorf("%g returns although everybody came back", got)
	}
}

func TestAParentGoesOnlyAfterItsChildren(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "head", 100)
	learn(tree, "head tail", 101)
	learn(tree, "head other", 102)
	for _, left := range []int{2, 1, 0} {
		before := tree.Nodes()
		if before == 0 {
			break
		}
		tree.Evict(1)
		if tree.Match("", text("head")) == 0 && tree.Nodes() > 0 {
			t.Fatalf("head gone while %d nodes are left (%d expected)", tree.Nodes(), left)
		}
	}
}

func TestWithoutIDsNothingBreaks(t *testing.T) {
	r := newRecorder(1)
	tree := New(r, r)
	a := tree.Acquire("", text("abcd"), 4, 100)
	a.Extend(text("abcd"), 100)
	b := tree.Acquire("", text("abxy"), 4, 101) // a split would need a second id
	if b.Len() != 0 {
		t.Fatalf("lease of %d without an id to split with", b.Len())
	}
	b.Extend(text("abxy"), 101)
	if b.Len() != 0 || tree.Nodes() != 1 {
		t.Fatalf("lease of %d; %v", b.Len(), tree)
	}
	a.Release()
	b.Release()
	learn(tree, "zzz", 102) // the only id is taken from what nobody holds
	if tree.Match("", text("zzz")) != 3 || tree.Match("", text("abcd")) != 0 {
		t.Fatal("the free leaf did not make room")
	}
}

func TestPinnedMatchCountsOnlyWhatIsLeased(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "abcdef", 100)
	if got := tree.PinnedMatch("", text("abcdef")); got != 0 {
		t.Fatalf("%d pinned without a lease", got)
	}
	l := tree.Acquire("", text("abcdef"), 3, 101)
	if got := tree.PinnedMatch("", text("abcdef")); got != 3 {
		t.Fatalf("%d pinned, want 3", got)
	}
	l.Release()
}

// What is promised as shared is shared: a node cannot be split when no sequence id is left, and then only whole nodes are counted.
func TestPinnedMatchPromisesWhatAcquireLeases(t *testing.T) {
	for _, test := range []struct {
		ids   int
		other bool // somebody's prefix has an id that can be taken from it
		want  int
	}{{1, false, 0}, {2, false, 3}, {2, true, 3}} {
		r := newRecorder(test.ids)
		tree := New(r, r)
		l := tree.Acquire("", text("abcdef"), 6, 100)
		l.Extend(text("abcdef"), 100)
		if test.other {
			learn(tree, "zzz", 102)
		}
		promised := tree.PinnedMatch("", text("abcx"))
		other := tree.Acquire("", text("abcx"), 3, 101)
		if promised != test.want || other.Len() != promised {
			t.Errorf("%+v: %d promised, %d leased", test, promised, other.Len())
		}
		other.Release()
		l.Release()
	}
}

func TestTokensAreCopied(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	mine := text("abc")
	l := tree.Acquire("", mine, 2, 100)
	l.Extend(mine, 100)
	l.Release()
	copy(mine, text("xyz"))
	if tree.Match("", text("abc")) != 3 {
		t.Fatal("the tree keeps the caller's slice")
	}
	if !slices.Equal(mine, text("xyz")) {
		t.Fatal("the tree wrote into the caller's slice")
	}
}

// Who is of another scope sees nothing of what is there.
func TestScopesShareNothing(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "secret", 100)
	expect(t, r, "copy 100>0 0-6")
	l := tree.Acquire("other", text("secret"), 6, 101)
	if l.Len() != 0 || tree.Match("other", text("secret")) != 0 || tree.PinnedMatch("other", text("secret")) != 0 {
		t.Errorf("%d tokens of somebody else's", l.Len())
	}
	l.Extend(text("secret"), 101)
	expect(t, r, "copy 101>1 0-6")
	l.Release()
	if tree.Cells() != 12 || tree.Match("other", text("secret")) != 6 {
		t.Errorf("%v", tree)
	}
	tree.DropScope("other")
	expect(t, r, "remove 1 0-6")
	if tree.Match("", text("secret")) != 6 || len(tree.roots) != 1 {
		t.Errorf("%v, %d scopes", tree, len(tree.roots))
	}
	tree.Evict(100)
	if len(tree.roots) != 0 || len(r.free) != 8 {
		t.Errorf("%d scopes and %d of 8 ids left", len(tree.roots), len(r.free))
	}
}

// A scope that somebody is in stays when all that he does not use is dropped.
func TestAScopeInUseStays(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	learn(tree, "head one", 100)
	l := tree.Acquire("", text("head two"), 8, 101)
	tree.DropScope("")
	if l.Len() != 5 || tree.Cells() != 5 {
		t.Errorf("lease of %d; %v", l.Len(), tree)
	}
	l.Extend(text("two"), 101)
	l.Release()
	if tree.Match("", text("head two")) != 8 {
		t.Error("what was leased is gone")
	}
}

// What several came back to outlives what one used later, and what is to be kept outlives both.
func TestWhatIsSharedOrKeptOutlivesTheRest(t *testing.T) {
	r := newRecorder(8)
	tree := New(r, r)
	l := tree.Acquire("", text("kept and not"), 100, 100)
	l.Extend(text("kept and not"), 100)
	l.Keep(4)
	l.Release()
	learn(tree, "shared", 101)
	for range 3 {
		tree.Acquire("", text("shared"), 6, 102).Release()
	}
	tree.Tick(100)
	learn(tree, "private", 103)
	tree.Tick(100) // "shared" was not used for 200, four times as often as "private" for 100
	if tree.Kept() != 4 {
		t.Fatalf("%d tokens are kept, want 4", tree.Kept())
	}
	for _, want := range []struct{ gone, stays string }{{"kept and not", "private"}, {"private", "shared"}, {"shared", "kept"}, {"kept", ""}} {
		tree.Evict(1)
		if n := tree.Match("", text(want.gone)); n == len(want.gone) {
			t.Errorf("%q is still there", want.gone)
		}
		if n := tree.Match("", text(want.stays)); n != len(want.stays) {
			t.Errorf("%q has gone", want.stays)
		}
	}
	if tree.Evicted() != 25 {
		t.Errorf("%d tokens evicted, want 25", tree.Evicted())
	}
}
