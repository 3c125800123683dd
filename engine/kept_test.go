package engine

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aigw/engine/llama"
	"aigw/internal/testmodel"
	"aigw/models/gguf/gguftest"
)

// realVocabularies loads one vocabulary of each kind of tokenizer: by name.
func realVocabularies(t testing.TB, names ...string) map[string]*llama.Model {
	t.Helper()
	if err := llama.Init(llama.InitOptions{Logger: quiet()}); err != nil {
		t.Fatal(err)
	}
	carried := filepath.Join(gguftest.LlamaSources(t), "models")
	write := func(v *gguftest.Vocabulary, arch string) string {
		return v.Apply((&gguftest.Builder{}).Set("general.architecture", arch)).WriteFile(t, t.TempDir(), "vocabulary.gguf")
	}
	out := map[string]*llama.Model{}
	for _, name := range names {
		var path string
		switch name {
		case "mistral-v1", "mistral-v2", "mistral-v3":
			path = write(gguftest.Mistral(t, int(name[len(name)-1]-'0')), "llama")
		case "codellama":
			path = write(gguftest.CodeLlama(t), "llama")
		case "codegemma":
			path = write(gguftest.CodeGemma(t), "gemma")
		case "smollm2":
			path = testmodel.Path(t)
		default:
			path = filepath.Join(carried, "ggml-vocab-"+name+".gguf")
		}
		m, err := llama.LoadModel(path, llama.ModelOptions{VocabOnly: true})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() { m.Close() })
		out[name] = m
	}
	return out
}

// realCode returns about size bytes from the middle of a file of each language in llama.cpp's sources
// and this repository.
func realCode(t testing.TB, size int) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, root := range []string{gguftest.LlamaSources(t), filepath.Join(gguftest.Repository(t), "engine")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			ext := filepath.Ext(path)
			if err != nil || d.IsDir() || out[ext] != "" || !slices.Contains([]string{".go", ".py", ".cpp", ".h", ".cu", ".metal", ".sh", ".md", ".yml",
				".json", ".ts", ".svelte", ".css", ".js", ".html", ".swift", ".kt", ".comp", ".cmake", ".nix", ".gbnf", ".jinja", ".txt"}, ext) {
				return err
			}
			data, err := os.ReadFile(path)
			if text := strings.ToValidUTF8(string(data), "?"); err == nil && len(text) > 2*size {
				out[ext] = strings.ToValidUTF8(text[len(text)/2:len(text)/2+size], "?")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) < 12 {
		t.Fatalf("only %d languages found", len(out))
	}
	out["crlf"] = strings.ReplaceAll(out[".go"], "\n", "\r\n")
	out["blank lines"] = strings.ReplaceAll(out[".py"], "\n", "\n\n  \n\n")
	out["trailing space"] = strings.ReplaceAll(out[".cpp"], "\n", " \t\n")
	out["no words"] = strings.Repeat("}\n\n\t);\n", size/8)
	return out
}

// edit changes a text somewhere as people do, and as nobody does.
func edit(r *rand.Rand, text string) string {
	inserted := []string{"x", " ", "\n", "\n\n", "\t", "foo(bar)", "\r\n", " \n", "größe", "日本語", "🙂", ";", "'s", "  \n   \n", "\u00a0", "\u2028", "☺",
		"<|fim_middle|>", "<|im_end|>", "</s>", "\x0b", "1234", "▁", "\n\f\n", "'\nll"}
	at := r.IntN(len(text) + 1)
	end := min(len(text), at+r.IntN(12))
	switch r.IntN(3) {
	case 0:
		text = text[:at] + inserted[r.IntN(len(inserted))] + text[at:]
	case 1:
		text = text[:at] + text[end:]
	default:
		text = text[:at] + inserted[r.IntN(len(inserted))] + text[end:]
	}
	return strings.ToValidUTF8(text, "�")
}

// Tokens that are kept are those of tokenizing the whole text, for real code in many languages and
// after edits, for each kind of tokenizer; and most of them are kept.
func TestCutsAreExact(t *testing.T) {
	code := realCode(t, 1200)
	for name, m := range realVocabularies(t, "llama-spm", "mistral-v1", "mistral-v3", "codellama", "codegemma", "llama-bpe", "qwen2", "starcoder", "refact", "gpt-2",
		"deepseek-coder", "smollm2") {
		t.Run(name, func(t *testing.T) {
			k := newKeptTokens(m)
			if k == nil {
				t.Fatal("no cuts are known")
			}
			r := rand.New(rand.NewPCG(1, 2))
			parts := 0
			for language, text := range code {
				for step := range 5 {
					if step > 0 {
						text = edit(r, text)
					}
					want, err := m.Vocab().Tokenize(text, false, false)
					if err != nil {
						t.Fatal(err)
					}
					got, err := k.tokens(text)
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(got, want) {
						t.Fatalf("%s, edit %d: %s", language, step, firstDifference(m.Vocab(), got, want))
					}
				}
				for from := 0; from < len(text); from = k.next(text, from) {
					parts++
				}
			}
			if parts < 3*len(code) {
				t.Errorf("%d texts have %d parts: too few for anything to be kept", len(code), parts)
			}
		})
	}
}

// A vocabulary whose cuts are not known is tokenized whole.
func TestUnknownTokenizersAreNotCut(t *testing.T) {
	for name, m := range realVocabularies(t, "falcon", "bert-bge", "command-r") {
		if newKeptTokens(m) != nil {
			t.Errorf("%s is cut", name)
		}
	}
}

func firstDifference(v *llama.Vocab, got, want []llama.Token) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			show := func(ids []llama.Token) (out []string) {
				for _, id := range ids[max(0, i-4):min(len(ids), i+4)] {
					out = append(out, fmt.Sprintf("%q", v.Pieces()[id]))
				}
				return out
			}
			return fmt.Sprintf("token %d: %v instead of %v", i, show(got), show(want))
		}
	}
	return fmt.Sprintf("%d tokens instead of %d", len(got), len(want))
}

// A keystroke tokenizes a few hundred bytes of a prompt, not all of it, wherever it is.
func TestKeystrokesTokenizeLittle(t *testing.T) {
	text := strings.Join([]string{realCode(t, 6000)[".go"], realCode(t, 6000)[".py"]}, "")
	for name, m := range realVocabularies(t, "mistral-v3", "smollm2", "qwen2") {
		t.Run(name, func(t *testing.T) {
			k := newKeptTokens(m)
			tokenized := 0
			whole := k.tokenize
			k.tokenize = func(s string) ([]llama.Token, error) { tokenized += len(s); return whole(s) }
			if _, err := k.tokens(text); err != nil {
				t.Fatal(err)
			}
			r := rand.New(rand.NewPCG(3, 4))
			tokenized = 0
			const keys = 40
			for range keys {
				at := r.IntN(len(text))
				if _, err := k.tokens(strings.ToValidUTF8(text[:at]+"x"+text[at:], "?")); err != nil {
					t.Fatal(err)
				}
			}
			if each := tokenized / keys; each > 1000 {
				t.Errorf("a keystroke tokenizes %d bytes of %d", each, len(text))
			}
		})
	}
}

// What is kept is bounded, and the books of it are right.
func TestKeptTokensAreBounded(t *testing.T) {
	m := realVocabularies(t, "smollm2")["smollm2"]
	k := newKeptTokens(m)
	k.tokenize = func(s string) ([]llama.Token, error) { return make([]llama.Token, len(s)), nil }
	k.pieces = []string{"x"}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 3000 {
				text := strings.Repeat(fmt.Sprintf("line %d of %d in a text that is long enough to be kept\n", i, g), 40)
				if _, err := k.tokens(text); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	sum := 0
	for _, p := range k.parts.Keys() {
		ids, _ := k.parts.Peek(p)
		sum += cost(p, ids)
	}
	if k.bytes != sum || sum > keptBytes || sum < keptBytes/2 {
		t.Errorf("%d bytes are kept, the books say %d, the limit is %d", sum, k.bytes, keptBytes)
	}
}

// BenchmarkKeystroke tokenizes a prompt of 12 kB after a keystroke somewhere in it.
func BenchmarkKeystroke(b *testing.B) {
	text := strings.Join([]string{realCode(b, 6000)[".go"], realCode(b, 6000)[".py"]}, "")
	for name, m := range realVocabularies(b, "mistral-v3", "smollm2", "qwen2") {
		b.Run(name, func(b *testing.B) {
			k := newKeptTokens(m)
			if _, err := k.tokens(text); err != nil {
				b.Fatal(err)
			}
			r := rand.New(rand.NewPCG(5, 6))
			for i := 0; b.Loop(); i++ {
				at := r.IntN(len(text))
				typed := strings.ToValidUTF8(text[:at]+fmt.Sprint(i)+text[at:], "?")
				if _, err := k.tokens(typed); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+", for the first time", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			k := newKeptTokens(m)
			for b.Loop() {
				k.parts.Purge()
				if _, err := k.tokens(text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+", whole", func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				if _, err := m.Vocab().Tokenize(text, false, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
