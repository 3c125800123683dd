package engine

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
	"aigw/models"
)

// What several came back to is there after a restart and says the same; what is damaged or was
// written for something else is ignored.
func TestPopularPrefixesOutliveARestart(t *testing.T) {
	dir := t.TempDir()
	model := testmodel.Tiny(t, testmodel.Plain)
	var log bytes.Buffer
	load := func(o Options) *Engine {
		t.Helper()
		log.Reset()
		o.Model, o.Threads, o.Context, o.StateDir, o.Logger = model, testThreads, 1024, dir, slog.New(slog.NewTextHandler(&log, nil))
		e, err := Load(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	ask := func(e *Engine, prompt []models.Token) (said string, cached int) {
		t.Helper()
		var ids []models.Token
		res, err := e.Generate(t.Context(), Request{Prompt: prompt, MaxTokens: 12, trace: func(id models.Token) { ids = append(ids, id) }}, discard)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(ids), res.CachedTokens
	}
	stop := func(e *Engine) {
		t.Helper()
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	files := func() []string {
		f, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	prompts := windowPrompts() // the first ones have 160 to 130 tokens in common
	keep := Options{KeepPrefixes: 64 << 20}

	off := load(Options{})
	ask(off, prompts[0])
	stop(off)
	if f := files(); len(f) != 0 {
		t.Fatalf("nothing was asked to be kept, and yet there is %v", f)
	}

	first := load(keep)
	want := map[int]string{}
	for range 2 {
		for i := range 4 {
			want[i], _ = ask(first, prompts[i])
		}
	}
	alone, _ := ask(first, prompts[len(prompts)-1]) // has nothing in common with others
	stop(first)
	kept := files()
	if len(kept) != 1 {
		t.Fatalf("files %v, log %s", kept, log.String())
	}
	whole, err := os.ReadFile(kept[0])
	if err != nil {
		t.Fatal(err)
	}

	second := load(keep)
	if s := second.State(); s.CellsUsed < 130 || s.CellsUsed != s.Evictable {
		t.Errorf("%+v after the restart; log %s", s, log.String())
	}
	for i := range 4 {
		said, cached := ask(second, prompts[i])
		if said != want[i] || cached < 100 {
			t.Errorf("prompt %d: %d tokens were kept; said %s, before the restart %s", i, cached, said, want[i])
		}
	}
	if said, cached := ask(second, prompts[len(prompts)-1]); said != alone || cached != 0 {
		t.Errorf("%d tokens of what one asked for once were kept; said %s, before %s", cached, said, alone)
	}
	stop(second)

	for name, change := range map[string]func() Options{
		"another cache type": func() Options { o := keep; o.CacheTypeK = "f32"; return o },
		"cut":                func() Options { write(t, kept[0], whole[:len(whole)/2]); return keep },
		"empty":              func() Options { write(t, kept[0], nil); return keep },
		"flipped":            func() Options { d := bytes.Clone(whole); d[len(d)/3] ^= 4; write(t, kept[0], d); return keep },
	} {
		write(t, kept[0], whole)
		e := load(change())
		if n := strings.Count(log.String(), "ignored"); n != 1 || e.State().CellsUsed != 0 {
			t.Errorf("%s: %d cells in use, log %s", name, e.State().CellsUsed, log.String())
		}
		if said, cached := ask(e, prompts[0]); cached != 0 || name != "another cache type" && said != want[0] {
			t.Errorf("%s: %d tokens cached, said %s, want %s", name, cached, said, want[0])
		}
		stop(e)
	}
	write(t, kept[0], whole)
	small := load(Options{KeepPrefixes: 1}) // no room for anything: the file is too long for the limit, or keeps nothing
	if said, _ := ask(small, prompts[0]); said != want[0] {
		t.Errorf("said %s, want %s", said, want[0])
	}
	stop(small)
}

func write(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
