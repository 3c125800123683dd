package llama

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// copyHead copies the first n bytes of the test model, or links to all of it if n is 0.
func copyHead(t testing.TB, n int64) string {
	t.Helper()
	path := testmodel.Path(t)
	to := filepath.Join(t.TempDir(), "model.gguf")
	if n == 0 {
		if err := os.Symlink(path, to); err != nil {
			t.Fatal(err)
		}
		return to
	}
	in, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(out, in, n); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestLoadModelRefuses(t *testing.T) {
	path := testmodel.Path(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text.gguf")
	if err := os.WriteFile(text, []byte("this is not a model"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		path    string
		options ModelOptions
		is      error  // what errors.Is finds
		says    string // part of the text
	}{
		{"no such file", filepath.Join(t.TempDir(), "none.gguf"), ModelOptions{}, os.ErrNotExist, "none.gguf"},
		{"folder", t.TempDir(), ModelOptions{}, ErrNotGGUF, "regular"},
		{"device", "/dev/null", ModelOptions{}, ErrNotGGUF, "regular"},
		{"other content", text, ModelOptions{}, ErrNotGGUF, "GGUF"},
		{"NUL in the path", "a\x00b", ModelOptions{}, nil, "NUL"},
		{"cut in the metadata", copyHead(t, 1<<16), ModelOptions{}, nil, "model.gguf"},
		{"cut in the weights", copyHead(t, info.Size()-1<<20), ModelOptions{}, nil, "not within the file bounds"},
		{"load mode", path, ModelOptions{LoadMode: 9}, nil, "load mode"},
		{"override without a key", path, ModelOptions{Overrides: []Override{{"", true}}}, ErrOverride, ""},
		{"override with a long key", path, ModelOptions{Overrides: []Override{{strings.Repeat("k", 128), true}}}, ErrOverride, "127"},
		{"override with a long text", path, ModelOptions{Overrides: []Override{{"k", strings.Repeat("v", 128)}}}, ErrOverride, "127"},
		{"override with a NUL", path, ModelOptions{Overrides: []Override{{"k\x00", true}}}, ErrOverride, ""},
		{"override of another type", path, ModelOptions{Overrides: []Override{{"k", 3}}}, ErrOverride, "int"},
		{"unknown architecture", path, ModelOptions{Overrides: []Override{{"general.architecture", "abacus"}}}, nil, "abacus"},
		{"cancelled", path, ModelOptions{Progress: func(float32) bool { return false }}, ErrLoadCancelled, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			m, err := LoadModel(test.path, test.options)
			if err == nil {
				m.Close()
				t.Fatal("it was loaded")
			}
			if test.is != nil && !errors.Is(err, test.is) {
				t.Errorf("%v is not %v", err, test.is)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("%q does not say %q", err, test.says)
			}
		})
	}
}

func TestLoadModelReportsProgress(t *testing.T) {
	var seen []float32
	m, err := LoadModel(testmodel.Path(t), ModelOptions{LoadMode: LoadRead, Progress: func(f float32) bool {
		seen = append(seen, f)
		return true
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if len(seen) < 3 || seen[0] != 0 || seen[len(seen)-1] != 1 {
		t.Fatalf("fractions %v", seen)
	}
	for i := 1; i < len(seen); i++ {
		if seen[i] < seen[i-1] {
			t.Errorf("fraction %d went back from %g to %g", i, seen[i-1], seen[i])
		}
	}
}

func TestLoadModelPassesAPanicOn(t *testing.T) {
	before := Open()
	func() {
		defer func() {
			if r := recover(); r != "from progress" {
				t.Errorf("recovered %v", r)
			}
		}()
		_, _ = LoadModel(testmodel.Path(t), ModelOptions{Progress: func(float32) bool { panic("from progress") }})
	}()
	if now := Open(); now != before {
		t.Errorf("alive after the panic: %+v, before %+v", now, before)
	}
}

func TestModelDescribesItself(t *testing.T) {
	m := testModel(t)
	for _, test := range []struct {
		name      string
		got, want any
	}{
		{"description", m.Description(), "llama 256M Q4_1"},
		{"parameters", m.Parameters(), uint64(134515008)},
		{"train context", m.TrainContext(), 8192},
		{"layers", m.Layers(), 30},
		{"embedding", m.Embedding(), 576},
		{"heads", m.Heads(), 9},
		{"KV heads", m.HeadsKV(), 3},
		{"window", m.SlidingWindow(), 0},
		{"recurrent", m.IsRecurrent(), false},
		{"hybrid", m.IsHybrid(), false},
		{"diffusion", m.IsDiffusion(), false},
		{"encoder", m.HasEncoder(), false},
		{"decoder", m.HasDecoder(), true},
	} {
		if test.got != test.want {
			t.Errorf("%s is %v, want %v", test.name, test.got, test.want)
		}
	}
	if size := m.SizeBytes(); size < 80e6 || size > 100e6 {
		t.Errorf("%d bytes of weights in a file of 92 MB", size)
	}
}

func TestModelMetadata(t *testing.T) {
	m := testModel(t)
	if arch, ok := m.Meta("general.architecture"); !ok || arch != "llama" {
		t.Errorf("architecture %q, %v", arch, ok)
	}
	for _, key := range []string{"no.such.key", "", "general.architecture\x00", "tokenizer.ggml.tokens"} {
		if v, ok := m.Meta(key); ok {
			t.Errorf("%q has value %q", key, v)
		}
	}
	all := m.MetaAll()
	if all["llama.block_count"] != "30" || len(all) < 20 {
		t.Errorf("%d entries, block_count %q", len(all), all["llama.block_count"])
	}
	// A template is longer than the first buffer of readString.
	template, ok := m.ChatTemplate("")
	if !ok || !strings.Contains(template, "<|im_start|>") || template != all["tokenizer.chat_template"] {
		t.Errorf("template %q, %v", template, ok)
	}
	if _, ok := m.ChatTemplate("no_such_template"); ok {
		t.Error("a template that the file does not have")
	}
}

func TestOverridesReachTheModel(t *testing.T) {
	m, err := LoadModel(testmodel.Path(t), ModelOptions{VocabOnly: true, Overrides: []Override{
		{"tokenizer.ggml.add_bos_token", true},
		{"tokenizer.ggml.pre", "deepseek-coder"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if !m.Vocab().AddBOS() || m.Layers() != 0 {
		t.Errorf("add BOS %v, layers %d", m.Vocab().AddBOS(), m.Layers())
	}
	tokens, err := m.Vocab().Tokenize("\n\n\n", true, false)
	if err != nil {
		t.Fatal(err)
	}
	// This pre-tokenizer takes line ends one by one, where smollm's finds a token for three.
	bos, _ := m.Vocab().BOS()
	if len(tokens) != 4 || tokens[0] != bos || len(tokenize(t, "\n\n\n")) != 1 {
		t.Errorf("tokens %v, BOS %d", tokens, bos)
	}
}

func TestOverridesOfNumbers(t *testing.T) {
	m, err := LoadModel(testmodel.Path(t), ModelOptions{Overrides: []Override{
		{"llama.context_length", int64(77)},
		{"llama.rope.freq_base", 12345.0},
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if m.TrainContext() != 77 {
		t.Errorf("train context %d", m.TrainContext())
	}
	prompt := tokenize(t, "The quick brown fox jumps over")
	c := newContextOf(t, m, ContextOptions{})
	plain := newContext(t, ContextOptions{})
	var a, b Step
	last := a.add(0, 0, prompt...)
	b.add(0, 0, prompt...)
	mustStep(t, c, &a)
	mustStep(t, plain, &b)
	x, err := c.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	y, err := plain.Logits(int(last))
	if err != nil {
		t.Fatal(err)
	}
	if slices.Equal(x, y) {
		t.Error("another rope base gives the same logits")
	}
}

func TestModelsThatDoNotGenerate(t *testing.T) {
	vocabOnly, err := LoadModel(testmodel.Path(t), ModelOptions{VocabOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer vocabOnly.Close()
	if _, err := vocabOnly.NewContext(ContextOptions{}); !errors.Is(err, ErrVocabOnly) {
		t.Errorf("vocabulary alone: %v", err)
	}
	for _, test := range []struct {
		name string
		m    *Model
		want error
	}{
		{"no vocabulary", &Model{info: modelInfo{hasDecoder: true}}, ErrNoVocab},
		{"encoder", &Model{vocab: Vocab{kind: VocabBPE}}, ErrNotGenerative},
		{"encoder and decoder", &Model{vocab: Vocab{kind: VocabBPE}, info: modelInfo{hasDecoder: true, hasEncoder: true}}, ErrNotGenerative},
		{"diffusion", &Model{vocab: Vocab{kind: VocabBPE}, info: modelInfo{hasDecoder: true, diffusion: true}}, ErrNotGenerative},
		{"generates", &Model{vocab: Vocab{kind: VocabBPE}, info: modelInfo{hasDecoder: true}}, nil},
	} {
		if err := test.m.checkGenerative(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

func TestInfo(t *testing.T) {
	info := Info()
	if len(info.Backends) == 0 || len(info.Devices) == 0 || info.Devices[0].TotalBytes == 0 {
		t.Errorf("%+v", info)
	}
	if dynamic != (info.Linkage == "dynamic") {
		t.Errorf("linkage %q", info.Linkage)
	}
	if err := Init(InitOptions{}); err != nil {
		t.Errorf("second Init: %v", err)
	}
}

func TestNothingWorksBeforeInit(t *testing.T) {
	initState.done.Store(false)
	defer initState.done.Store(true)
	if _, err := LoadModel(testmodel.Path(t), ModelOptions{}); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("load: %v", err)
	}
	if err := Quantize(testmodel.Path(t), filepath.Join(t.TempDir(), "x"), FileF16, 1); !errors.Is(err, ErrNotInitialized) {
		t.Errorf("quantize: %v", err)
	}
}
