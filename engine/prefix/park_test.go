package prefix

import (
	"fmt"
	"testing"
)

func (r *recorder) Save(seq Seq, from, to int, key Key) {
	r.log = append(r.log, fmt.Sprintf("save %d %d-%d @%d", seq, from, to, key))
}

func (r *recorder) Load(key Key, seq Seq) {
	r.log = append(r.log, fmt.Sprintf("load @%d %d", key, seq))
}

func (r *recorder) Drop(key Key) { r.log = append(r.log, fmt.Sprintf("drop @%d", key)) }

// newParkingTree has room for everything in the cache and for size cells in the lot.
func newParkingTree(ids, size int) (*recorder, *Tree) {
	r := newRecorder(ids)
	tree := New(r, r)
	tree.Park(r, size, func(int) bool { return true })
	return r, tree
}

func TestWhatIsIdleIsParkedAndComesBack(t *testing.T) {
	r, tree := newParkingTree(8, 100)
	learn(tree, "a long prompt", 100)
	r.did()
	tree.ParkIdle(0, 100)
	expect(t, r, "") // it was used just now
	tree.Tick(5)
	tree.ParkIdle(3, 5)
	expect(t, r, "") // more than may be moved at once
	tree.ParkIdle(3, 100)
	expect(t, r, "save 0 0-13 @1, remove 0 0-13")
	if tree.Cells() != 0 || tree.Nodes() != 0 || tree.Parked() != 13 || tree.Match("", text("a long prompt")) != 13 || len(r.free) != 8 {
		t.Fatalf("%v, %d parked", tree, tree.Parked())
	}
	l := tree.Acquire("", text("a long prompt?"), 13, 101)
	expect(t, r, "load @1 0, copy 0>101 0-13")
	if l.Len() != 13 || tree.Parked() != 0 || tree.Cells() != 13 {
		t.Fatalf("lease of %d, %v", l.Len(), tree)
	}
	l.Release()
}

func TestAParkedPrefixIsNotLoadedForAFewTokens(t *testing.T) {
	r, tree := newParkingTree(8, 100)
	learn(tree, "<s>0123456789012345678901234567890123456789012345678", 100) // 52
	tree.Tick(1)
	tree.ParkIdle(0, 100)
	r.did()
	l := tree.Acquire("", text("<s>another"), 9, 101)
	expect(t, r, "")
	// What they have in common is computed anew and goes above the rest, which stays where it is.
	l.Extend(text("<s>another"), 101)
	expect(t, r, "copy 101>0 0-3, copy 101>1 3-10")
	if tree.Cells() != 10 || tree.Parked() != 52 {
		t.Fatalf("%v, %d parked", tree, tree.Parked())
	}
	l.Release()
	l = tree.Acquire("", text("<s>01234567890"), 14, 102)
	expect(t, r, "copy 0>102 0-3, load @1 2, remove 2 0-3, copy 2>3 3-14, remove 2 3-14, copy 3>102 3-14")
	l.Release()
	if tree.Cells() != 10+49 || tree.Parked() != 0 {
		t.Fatalf("%v, %d parked", tree, tree.Parked())
	}
}

func TestTheLotForgetsTheOldest(t *testing.T) {
	r, tree := newParkingTree(8, 8)
	learn(tree, "one", 100)
	learn(tree, "two!", 101)
	tree.Tick(1)
	tree.ParkIdle(0, 100)
	r.did()
	learn(tree, "four", 102)
	tree.Tick(1)
	tree.ParkIdle(0, 100)
	expect(t, r, "copy 102>1 0-4, drop @1, save 1 0-4 @3, remove 1 0-4")
	if tree.Match("", text("one")) != 0 || tree.Match("", text("two!")) != 4 || tree.Match("", text("four")) != 4 {
		t.Error("the wrong one went")
	}
	learn(tree, "a prompt that is too long", 103)
	tree.Tick(1)
	tree.ParkIdle(0, 100)
	expect(t, r, "copy 103>1 0-25, remove 1 0-25")
	tree.Clear()
	expect(t, r, "drop @2, drop @3")
	if tree.Parked() != 0 || len(tree.roots) != 0 {
		t.Errorf("%d parked after all was cleared", tree.Parked())
	}
}

func TestADroppedNodeTakesWhatIsParkedBelowIt(t *testing.T) {
	r, tree := newParkingTree(8, 6)
	learn(tree, "head", 100)
	l := tree.Acquire("", text("head"), 4, 101)
	l.Extend(text("tail"), 101)
	l.Release()
	learn(tree, "headTAIL", 102)
	for range 3 {
		tree.Acquire("", text("head"), 4, 103).Release() // the head is in use
		tree.Tick(3)
	}
	tree.ParkIdle(8, 100)
	r.did()
	if tree.Parked() != 4 {
		t.Fatalf("%v, %d parked", tree, tree.Parked())
	}
	tree.Clear()
	if tree.Parked() != 0 || tree.Cells() != 0 || len(r.free) != 8 || len(tree.roots) != 0 {
		t.Errorf("%v, %d parked, %d ids free", tree, tree.Parked(), len(r.free))
	}
}
