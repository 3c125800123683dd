package supervisor

import (
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"aigw/engine"
)

// The journal is a file without a name that lives in memory as long as either process has it open:
// fingerprints of requests that run, and of those that are refused. The worker writes the first
// part, the supervisor the second.
const (
	runningSlots = 256
	refusedSlots = 1024
	slotBytes    = len(engine.Fingerprint{})
)

func newJournalFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("aigw-journal", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "aigw-journal")
	if err := f.Truncate(int64((runningSlots + refusedSlots) * slotBytes)); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Journal is the worker's side: it implements engine.Journal. It may be used concurrently.
type Journal struct {
	mu      sync.Mutex
	file    *os.File
	running map[engine.Fingerprint][]int64 // slots
	free    []int64
	refused map[engine.Fingerprint]bool
}

var _ engine.Journal = (*Journal)(nil)

func openJournal(f *os.File) (*Journal, error) {
	j := &Journal{file: f, running: map[engine.Fingerprint][]int64{}, refused: map[engine.Fingerprint]bool{}}
	for slot := range int64(runningSlots) {
		j.free = append(j.free, runningSlots-1-slot)
	}
	refused, err := readSlots(f, runningSlots, refusedSlots)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	for _, p := range refused {
		j.refused[p] = true
	}
	return j, nil
}

// Refuses implements engine.Journal.
func (j *Journal) Refuses(p engine.Fingerprint) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.refused[p]
}

// Begin implements engine.Journal. Without a free slot, or if it cannot be written, the request is
// merely not known after a crash.
func (j *Journal) Begin(p engine.Fingerprint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if len(j.free) == 0 {
		return
	}
	slot := j.free[len(j.free)-1]
	j.free = j.free[:len(j.free)-1]
	j.running[p] = append(j.running[p], slot)
	j.write(slot, p)
}

// End implements engine.Journal.
func (j *Journal) End(p engine.Fingerprint) {
	j.mu.Lock()
	defer j.mu.Unlock()
	slots := j.running[p]
	if len(slots) == 0 {
		return
	}
	slot := slots[len(slots)-1]
	if j.running[p] = slots[:len(slots)-1]; len(j.running[p]) == 0 {
		delete(j.running, p)
	}
	j.free = append(j.free, slot)
	j.write(slot, engine.Fingerprint{})
}

func (j *Journal) write(slot int64, p engine.Fingerprint) {
	_, _ = j.file.WriteAt(p[:], slot*int64(slotBytes)) // memory: it fails for nobody who could help
}

// readSlots returns what is in slots that are not empty.
func readSlots(f *os.File, from, n int) ([]engine.Fingerprint, error) {
	data := make([]byte, n*slotBytes)
	if _, err := f.ReadAt(data, int64(from*slotBytes)); err != nil {
		return nil, err
	}
	var out []engine.Fingerprint
	for i := range n {
		if p := engine.Fingerprint(data[i*slotBytes : (i+1)*slotBytes]); p != (engine.Fingerprint{}) {
			out = append(out, p)
		}
	}
	return out, nil
}

// blame is the supervisor's side: it counts the crashes at which each request ran.
type blame struct {
	file    *os.File
	crashes map[engine.Fingerprint]int
	refused int
}

// mostCrashes is at how many crashes a request may have run before it is refused. One may be
// somebody else's fault.
const mostCrashes = 2

// crashed counts one more crash for everything that ran, unless nothing of that is to blame, and empties the running
// part. It returns how many requests ran and how many are refused from now on.
func (b *blame) crashed(guilty bool) (ran, refused int, err error) {
	running, err := readSlots(b.file, 0, runningSlots)
	if err != nil {
		return 0, 0, err
	}
	counted := map[engine.Fingerprint]bool{}
	for _, p := range running {
		if counted[p] || !guilty { // the same request of several people is one
			continue
		}
		counted[p] = true
		if b.crashes[p]++; b.crashes[p] == mostCrashes && b.refused < refusedSlots {
			if _, err := b.file.WriteAt(p[:], int64((runningSlots+b.refused)*slotBytes)); err != nil {
				return 0, 0, err
			}
			b.refused++
		}
	}
	_, err = b.file.WriteAt(make([]byte, runningSlots*slotBytes), 0)
	return len(running), b.refused, err
}
