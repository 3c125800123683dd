package search

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/blevesearch/bleve/v2"
)

// BuildOptions says how an index is made.
type BuildOptions struct {
	Builder    string // version of the program
	VersionTag string // version of the documentation, such as v17.8.0-ee
	// Mark tells the state of what the index is made of, such as a file's size and date. It goes into
	// the manifest as it is.
	Mark string
	// Progress is told the share that is done, from 0 to 1. It may be nil.
	Progress func(done float32)
}

// Batches that are written one by one bound the memory that an index needs while it is made, and
// their files are merged into one: in one step, while there are not too many to be open at once.
const (
	batchSize = 1000 // passages
	mergeMax  = 64   // files
)

// Build makes an index of the collections at dir, which is replaced in one step if it is an index
// already, and never if it is anything else. Who reads the old one goes on reading it.
func Build(ctx context.Context, dir string, collections []Collection, o BuildOptions) (*Manifest, error) {
	if err := replaceable(dir); err != nil {
		return nil, err
	}
	dir = filepath.Clean(dir)
	aside, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-new-")
	if err != nil {
		return nil, fmt.Errorf("cannot make an index beside %s: %w", dir, err)
	}
	defer os.RemoveAll(aside)
	c, err := collect(ctx, collections, o)
	if err != nil {
		return nil, err
	}
	builder, err := bleve.NewBuilder(filepath.Join(aside, passagesDir), newMapping(), map[string]any{
		"buildPathPrefix": aside, "batchSize": batchSize, "mergeMax": mergeMax,
	})
	if err != nil {
		return nil, err
	}
	if err := c.index(ctx, builder.Index); err != nil {
		_ = builder.Close()
		return nil, err
	}
	if err := builder.Close(); err != nil {
		return nil, fmt.Errorf("cannot write the index: %w", err)
	}
	if c.manifest.Files, err = sums(aside); err != nil {
		return nil, err
	}
	if err := c.manifest.write(aside); err != nil {
		return nil, err
	}
	if err := c.manifest.writeAttribution(aside); err != nil {
		return nil, err
	}
	if err := readable(aside); err != nil {
		return nil, err
	}
	c.progress(1)
	return c.manifest, replace(aside, dir)
}

// BuildInMemory makes an index that ends with the process.
func BuildInMemory(ctx context.Context, collections []Collection, o BuildOptions) (*Index, error) {
	c, err := collect(ctx, collections, o)
	if err != nil {
		return nil, err
	}
	memory, err := newMemoryIndex()
	if err != nil {
		return nil, err
	}
	batch := memory.NewBatch()
	add := func(id string, fields any) error {
		if batch.Size() >= batchSize {
			if err := memory.Batch(batch); err != nil {
				return err
			}
			batch = memory.NewBatch()
		}
		return batch.Index(id, fields)
	}
	if err = c.index(ctx, add); err == nil {
		err = memory.Batch(batch)
	}
	if err != nil {
		return nil, errors.Join(err, memory.Close())
	}
	return newIndex(memory, c.manifest)
}

// index hands every passage to add, in order, and notes the mean lengths of the fields. All cores
// take pages apart, a few pages ahead of add.
func (c *collected) index(ctx context.Context, add func(id string, fields any) error) error {
	type done struct {
		entries []entry
		err     error
	}
	const ahead = 16 // pages
	ctx, stop := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer stop()
	queue, ordered := make(chan func()), make(chan chan done, ahead)
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for work := range queue {
				work()
			}
		})
	}
	workers.Go(func() {
		defer close(queue)
		defer close(ordered)
		for i, p := range c.pages {
			result := make(chan done, 1)
			select {
			case ordered <- result:
			case <-ctx.Done():
				return
			}
			queue <- func() {
				entries, err := p.entries(i)
				p.Passages = nil // it is in the index now
				result <- done{entries, err}
			}
		}
	})
	m := meanLengths{sums: map[string]int{}, counts: map[string]int{}}
	number := 0
	for result := range ordered {
		page := <-result
		if page.err != nil {
			return page.err
		}
		m.add(page.entries)
		for _, e := range page.entries {
			if err := add(e.id, e.fields); err != nil {
				return fmt.Errorf("cannot index a passage: %w", err)
			}
		}
		number += len(page.entries)
		c.progress(readShare + (0.95-readShare)*float32(number)/float32(c.manifest.Passages))
	}
	c.manifest.Lengths = m.means()
	return ctx.Err()
}

// meanLengths are of the passages and pages that have a field.
type meanLengths struct{ sums, counts map[string]int }

func (m *meanLengths) add(page []entry) {
	long := 0
	for _, e := range page {
		for _, f := range e.fields {
			n := f.AnalyzedLength()
			if n == 0 {
				continue
			}
			m.sums[f.Name()] += n
			m.counts[f.Name()]++
			if f.Name() == fieldBody {
				long += n
			}
		}
	}
	if long > 0 {
		m.sums[pageLength] += long
		m.counts[pageLength]++
	}
}

func (m *meanLengths) means() map[string]float64 {
	out := map[string]float64{}
	for field, sum := range m.sums {
		out[field] = float64(sum) / float64(m.counts[field])
	}
	return out
}
