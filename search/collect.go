package search

import (
	"context"
	"errors"
	"path"
	"runtime"
	"strings"
	"sync"
	"time"

	"aigw/search/markdown"
	"aigw/search/source"
)

// collected is everything that will be in an index, in memory.
type collected struct {
	pages    []*collectedPage
	byPath   map[string]*collectedPage // "collection\x00path below the tree's root"
	manifest *Manifest
	progress func(float32)
}

type collectedPage struct {
	*markdown.Page
	placed
	tree   int    // of the collections
	file   string // path below the root of its tree
	id     string
	linked []string            // what others call the page
	marks  map[string][]string // and its sections, by anchor
	from   int                 // how many pages link to it
}

// Shares of the progress bar: reading and cutting pages, and writing the index.
const readShare = 0.4

func collect(ctx context.Context, collections []Collection, o BuildOptions) (*collected, error) {
	c := &collected{
		byPath:   map[string]*collectedPage{},
		manifest: &Manifest{Format: format, Builder: o.Builder, Created: time.Now().UTC().Truncate(time.Second), VersionTag: o.VersionTag, Mark: o.Mark},
		progress: o.Progress,
	}
	if c.progress == nil {
		c.progress = func(float32) {}
	}
	if len(collections) == 0 {
		return nil, errors.New("there is nothing to index")
	}
	for i, collection := range collections {
		if err := c.read(ctx, i, collection, float32(i)/float32(len(collections)), 1/float32(len(collections))); err != nil {
			return nil, err
		}
	}
	c.link()
	c.count(collections)
	if c.manifest.Passages == 0 {
		return nil, errors.New("there is no text in these pages")
	}
	return c, nil
}

// read takes in the pages of one collection; they are parsed on all cores. Those that include
// others wait until all have been read.
func (c *collected) read(ctx context.Context, tree int, collection Collection, done, share float32) error {
	type work struct {
		d    source.Document
		page *collectedPage
	}
	var (
		jobs    = make(chan work, 64)
		workers sync.WaitGroup
		waiting []work
		texts   = map[string][]byte{} // by path
	)
	include := func(d source.Document) []byte {
		return markdown.Include(d.Path, d.Text, func(path string) ([]byte, bool) {
			text, ok := texts[path]
			return text, ok
		})
	}
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for w := range jobs {
				w.page.Page = markdown.Parse(w.d.Path, w.d.Text)
				if w.d.Title != "" {
					w.page.Title = w.d.Title
				}
			}
		})
	}
	err := collection.Source.Documents(ctx, func(d source.Document, part float64) error {
		p := &collectedPage{placed: collection.place(d), tree: tree, file: d.Path, marks: map[string][]string{}}
		key := collection.Name + "\x00" + d.Path
		if _, twice := c.byPath[key]; twice {
			return nil // two archives of one product; the first counts
		}
		c.byPath[key] = p
		p.id = key
		c.pages = append(c.pages, p)
		c.progress(readShare * (done + share*float32(part)))
		texts[d.Path] = d.Text
		if w := (work{d, p}); markdown.Includes(d.Text) {
			waiting = append(waiting, w)
		} else {
			jobs <- w
		}
		return nil
	})
	for _, w := range waiting {
		if err == nil {
			w.d.Text = include(w.d)
			jobs <- w
		}
	}
	close(jobs)
	workers.Wait()
	return err
}

// link gives every page what others call it where they link to it.
func (c *collected) link() {
	const most = 400 // texts a page; more say nothing new
	for _, p := range c.pages {
		name, _, _ := strings.Cut(p.id, "\x00")
		seen := map[*collectedPage]bool{}
		for _, l := range p.Links {
			target := p
			if l.Page != "" {
				if target = c.byPath[name+"\x00"+path.Clean(l.Page)]; target == nil {
					continue
				}
			}
			if target != p && !seen[target] {
				seen[target] = true
				target.from++
			}
			if l.Text == "" {
				continue
			}
			if l.Anchor != "" && len(target.marks[l.Anchor]) < most {
				target.marks[l.Anchor] = append(target.marks[l.Anchor], l.Text)
			}
			if target != p && len(target.linked) < most {
				target.linked = append(target.linked, l.Text)
			}
		}
		p.Links = nil
	}
}

func (c *collected) count(collections []Collection) {
	infos := map[string]*CollectionInfo{}
	var order []string
	for _, p := range c.pages {
		from := collections[p.tree].Source.From()
		key := p.collection + "\x00" + from
		if infos[key] == nil {
			infos[key] = &CollectionInfo{Name: p.collection, From: from, Licence: licences[p.collection]}
			order = append(order, key)
		}
		infos[key].Pages++
		infos[key].Passages += len(p.Passages)
		c.manifest.Passages += len(p.Passages)
	}
	for _, key := range order {
		c.manifest.Collections = append(c.manifest.Collections, *infos[key])
	}
	c.manifest.Pages = len(c.pages)
}
