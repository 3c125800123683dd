package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/blevesearch/bleve/v2"

	"aigw/search/lexicon"
	"aigw/search/markdown"
	"aigw/search/source"
)

// BuildOptions says how an index is made.
type BuildOptions struct {
	Builder    string // version of the program
	VersionTag string // version of the documentation, such as v17.8.0-ee
	// Progress is told the share that is done, from 0 to 1. It may be nil.
	Progress func(done float32)
}

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
	if err := os.Chmod(aside, 0o755); err != nil { // the server may run as another user
		return nil, err
	}
	c, err := collect(ctx, collections, o)
	if err != nil {
		return nil, err
	}
	// Larger batches make fewer files to merge, and need more memory while the index is made.
	builder, err := bleve.NewBuilder(filepath.Join(aside, passagesDir), newMapping(), map[string]any{"buildPathPrefix": aside, "batchSize": 2000})
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
		if batch.Size() >= 2000 {
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

// meta is what is stored of a passage beside its text.
type meta struct {
	Collection string   `json:"c,omitempty"`
	Page       string   `json:"p"`
	Path       string   `json:"f,omitempty"`
	Anchor     string   `json:"a,omitempty"`
	Title      string   `json:"t"`
	Headings   []string `json:"h,omitempty"`
	URL        string   `json:"u,omitempty"`
}

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
		manifest: &Manifest{Format: format, Builder: o.Builder, Created: time.Now().UTC().Truncate(time.Second), VersionTag: o.VersionTag},
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

// read takes in the pages of one collection; they are parsed on all cores.
func (c *collected) read(ctx context.Context, tree int, collection Collection, done, share float32) error {
	type work struct {
		d    source.Document
		page *collectedPage
	}
	jobs := make(chan work, 64)
	var workers sync.WaitGroup
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
		jobs <- work{d, p}
		return nil
	})
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
			infos[key] = &CollectionInfo{Name: p.collection, From: from}
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

// index hands every passage to add, and notes the mean lengths of the fields.
func (c *collected) index(ctx context.Context, add func(id string, fields any) error) error {
	sums, counts := map[string]int{}, map[string]int{}
	measure := func(field, text string) int {
		n := len(terms{}.Analyze([]byte(text)))
		if n > 0 {
			sums[field] += n
			counts[field]++
		}
		return n
	}
	number := 0
	for i, p := range c.pages {
		if err := ctx.Err(); err != nil {
			return err
		}
		long := 0
		lengths := make([]int, len(p.Passages))
		for j, passage := range p.Passages {
			lengths[j] = measure(fieldBody, passage.Prose)
			measure(fieldHeadings, headingText(passage))
			measure(fieldCode, passage.Code)
			long += lengths[j]
		}
		if long > 0 {
			sums[pageLength] += long
			counts[pageLength]++
		}
		for j, passage := range p.Passages {
			fields, err := p.fields(passage, j)
			if err != nil {
				return err
			}
			if j == 0 {
				for _, name := range []string{fieldTitle, fieldPath, fieldDescription, fieldLinked} {
					if text, ok := fields[name].(string); ok {
						measure(name, text)
					}
				}
			}
			fields[fieldPlace] = place{page: i, length: long, from: p.from}.String()
			if err := add(p.passageID(j), fields); err != nil {
				return fmt.Errorf("cannot index %s: %w", p.file, err)
			}
			number++
		}
		c.progress(readShare + (0.95-readShare)*float32(number)/float32(c.manifest.Passages))
		p.Passages = nil // it is in the index now
	}
	c.manifest.Lengths = map[string]float64{}
	for field, sum := range sums {
		c.manifest.Lengths[field] = float64(sum) / float64(counts[field])
	}
	return nil
}

// passageID is the same whenever the page is indexed: a hash of where it is and its number.
func (p *collectedPage) passageID(number int) string {
	sum := sha256.Sum256([]byte(p.id + "\x00" + strconv.Itoa(number)))
	return hex.EncodeToString(sum[:16])
}

func headingText(p markdown.Passage) string {
	return strings.Join(append(append([]string{}, p.Headings...), p.Inner...), "\n")
}

func (p *collectedPage) fields(passage markdown.Passage, number int) (map[string]any, error) {
	m := meta{
		Collection: p.collection, Page: p.file, Path: p.path, Anchor: passage.Anchor,
		Title: p.Title, Headings: passage.Headings, URL: p.url,
	}
	if m.URL != "" && passage.Anchor != "" {
		m.URL += "#" + passage.Anchor
	}
	stored, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	fields := map[string]any{
		fieldHeadings: headingText(passage),
		fieldBody:     passage.Prose,
		fieldCode:     passage.Code,
		fieldMeta:     string(stored),
		fieldText:     passage.Text,
	}
	pairText := headingText(passage) + "\n\n" + passage.Prose
	if number == 0 {
		fields[fieldTitle] = p.Title
		fields[fieldDescription] = p.Description
		fields[fieldPath] = pathWords(p.file)
		fields[fieldLinked] = strings.Join(p.linked, "\n")
		pairText = p.Title + "\n\n" + p.Description + "\n\n" + pairText
	}
	var marks []string
	for _, anchor := range passage.Anchors {
		marks = append(marks, p.marks[anchor]...)
	}
	fields[fieldSection] = strings.Join(marks, "\n")
	fields[fieldPairs] = pairText
	return fields, nil
}

// pathWords are the words of a page's path: user/project/_index.md says user and project.
func pathWords(file string) string {
	var words []string
	lexicon.Terms(strings.TrimSuffix(file, path.Ext(file)), func(t lexicon.Term) bool {
		if word := strings.ToLower(file[t.Start:t.End]); !t.Whole && word != "index" && word != "doc" && word != "docs" {
			words = append(words, word)
		}
		return true
	})
	return strings.Join(words, " ")
}
