// Command docs measures documentation search: how good the ranking is, how long a question takes,
// and what an index costs, at the size of the given pages and at multiples of it (make bench-docs).
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"aigw/search"
	"aigw/search/source"
)

func main() {
	pages := flag.String("pages", "", "`FOLDER` of Markdown pages")
	questions := flag.String("questions", "", "`FILE` of questions: JSON lines with question and relevant pages")
	clients := flag.Int("clients", 8, "how many ask at once")
	seconds := flag.Int("seconds", 10, "how long they ask")
	growth := flag.String("growth", "1", "multiples of the pages to measure, such as 1,3,10")
	flag.StringVar(&profile, "profile", "", "write CPU profiles of indexing and asking to `PREFIX`.index and PREFIX.ask")
	flag.Parse()
	if err := run(*pages, *questions, *clients, time.Duration(*seconds)*time.Second, *growth); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

type question struct {
	ID       string   `json:"id"`
	Question string   `json:"question"`
	Relevant []string `json:"relevant"`
}

func run(pages, file string, clients int, long time.Duration, growth string) error {
	if pages == "" || file == "" {
		return errors.New("-pages FOLDER and -questions FILE are needed")
	}
	asked, err := readQuestions(file)
	if err != nil {
		return err
	}
	for text := range strings.SplitSeq(growth, ",") {
		times, err := strconv.Atoi(text)
		if err != nil || times < 1 {
			return fmt.Errorf("-growth %q: whole numbers are needed", growth)
		}
		if err := measure(pages, asked, clients, long, times); err != nil {
			return err
		}
	}
	return nil
}

func readQuestions(file string) ([]question, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []question
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, q)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no questions", file)
	}
	return out, lines.Err()
}

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

func measure(pages string, asked []question, clients int, long time.Duration, times int) error {
	dir, err := os.MkdirTemp("", "bench-docs-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
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
	at := filepath.Join(dir, "index")
	m, err := search.Build(context.Background(), at, []search.Collection{{Source: repeated{folder, times}}}, search.BuildOptions{Builder: "bench"})
	if err != nil {
		return err
	}
	stop()
	fmt.Printf("pages %d (x%d), passages %d\n", m.Pages, times, m.Passages)
	fmt.Printf("  index        %.1f s, peak memory %d MiB, %d MiB on disk\n", time.Since(began).Seconds(), peakMiB(), m.Bytes()>>20)
	began = time.Now()
	x, err := search.Open(at)
	if err != nil {
		return err
	}
	defer x.Close()
	fmt.Printf("  open         %d ms\n", time.Since(began).Milliseconds())
	if times == 1 {
		if err := quality(x, asked); err != nil {
			return err
		}
	}
	return latency(x, asked, clients, long)
}

// quality prints how well the pages are ranked, each at its best passage.
func quality(x *search.Index, asked []question) error {
	var gain, first, five float64
	empty := 0
	for _, q := range asked {
		found, err := x.Search(context.Background(), q.Question, 10)
		if err != nil {
			return err
		}
		if len(found) == 0 {
			empty++
		}
		var got, ideal float64
		hit := false
		for i, p := range found {
			if slices.Contains(q.Relevant, p.Page) {
				got += 1 / math.Log2(float64(i)+2)
				if i == 0 {
					first++
				}
				hit = hit || i < 5
			}
		}
		for i := range min(10, len(q.Relevant)) {
			ideal += 1 / math.Log2(float64(i)+2)
		}
		gain += got / ideal
		if hit {
			five++
		}
	}
	n := float64(len(asked))
	fmt.Printf("  quality      nDCG@10 %.3f, hit@1 %.3f, hit@5 %.3f, empty %d of %d\n", gain/n, first/n, five/n, empty, len(asked))
	return nil
}

func latency(x *search.Index, asked []question, clients int, long time.Duration) error {
	var (
		next    atomic.Int64
		group   sync.WaitGroup
		mu      sync.Mutex
		all     []time.Duration
		failure error
	)
	stop, err := profiled("ask")
	if err != nil {
		return err
	}
	defer stop()
	end := time.Now().Add(long)
	for range clients {
		group.Go(func() {
			var own []time.Duration
			var err error
			for time.Now().Before(end) && err == nil {
				q := asked[int(next.Add(1))%len(asked)]
				began := time.Now()
				_, err = x.Search(context.Background(), q.Question, 4)
				own = append(own, time.Since(began))
			}
			mu.Lock()
			defer mu.Unlock()
			all, failure = append(all, own...), errors.Join(failure, err)
		})
	}
	group.Wait()
	if failure != nil {
		return failure
	}
	slices.Sort(all)
	ms := func(share float64) float64 { return all[int(share*float64(len(all)-1))].Seconds() * 1000 }
	fmt.Printf("  %d clients    p50 %.1f ms, p99 %.1f ms, %.0f questions/s\n", clients, ms(0.5), ms(0.99), float64(len(all))/long.Seconds())
	return nil
}

// peakMiB is the most memory that the process had resident since the count began.
func peakMiB() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib >> 10
		}
	}
	return 0
}
