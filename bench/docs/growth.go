package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"aigw/search"
	"aigw/search/source"
)

// repeated is a source whose pages come several times, each time in a folder of its own but the first.
type repeated struct {
	source.Source
	times int
}

func (r repeated) Documents(ctx context.Context, yield func(source.Document, float64) error) error {
	for i := range r.times {
		err := r.Source.Documents(ctx, func(d source.Document, done float64) error {
			if i > 0 {
				d.Path = "copy" + strconv.Itoa(i) + "/" + d.Path
			}
			return yield(d, (float64(i)+done)/float64(r.times))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// measure makes an index of so many times the pages, and asks it everything.
func measure(set settings, times int) error {
	dir, err := os.MkdirTemp("", "bench-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	at := filepath.Join(dir, "index")
	if err := build(set.pages, at, times); err != nil {
		return err
	}
	if times == 1 { // copies of a page answer as well as it, and no question knows of them
		if err := fresh(at, set.questions); err != nil {
			return err
		}
	}
	debug.FreeOSMemory()
	before := residentMiB("VmRSS:")
	var library search.Library
	began := time.Now()
	if err := library.Open(at); err != nil {
		return err
	}
	defer library.Close()
	fmt.Printf("  open          %d ms", time.Since(began).Milliseconds())
	debug.FreeOSMemory()
	fmt.Printf(", %d MiB of memory more\n", max(0, residentMiB("VmRSS:")-before))
	if err := crowd(&library, set); err != nil {
		return err
	}
	return overHTTP(&library, set)
}

func build(pages, at string, times int) error {
	folder, err := source.Folder(pages)
	if err != nil {
		return err
	}
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // from here the peak is counted
	stop, err := profiled("index")
	if err != nil {
		return err
	}
	began := time.Now()
	m, err := search.Build(context.Background(), at, []search.Collection{{Source: repeated{folder, times}}}, search.BuildOptions{Builder: "bench"})
	stop()
	if err != nil {
		return err
	}
	fmt.Printf("pages %d (x%d), passages %d\n", m.Pages, times, m.Passages)
	fmt.Printf("  index         %.1f s, peak memory %d MiB, %d MiB on disk\n", time.Since(began).Seconds(), residentMiB("VmHWM:"), m.Bytes()>>20)
	return nil
}

// residentMiB is what the process has of the machine's memory: now (VmRSS:), or at most since the
// count began (VmHWM:).
func residentMiB(what string) int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, what); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}
