package llama

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"aigw/internal/testmodel"
)

func TestPiecesAreWhatDetokenizeSays(t *testing.T) {
	v := testModel(t).Vocab()
	pieces := v.Pieces()
	if len(pieces) != v.Size() || v.Size() != 49152 {
		t.Fatalf("%d pieces, %d tokens", len(pieces), v.Size())
	}
	for i, piece := range pieces {
		text, err := v.Detokenize([]Token{Token(i)}, false, true)
		if err != nil {
			t.Fatal(err)
		}
		if piece != text {
			t.Errorf("token %d is %q, detokenized %q", i, piece, text)
		}
	}
}

func TestSpecialTokens(t *testing.T) {
	v := testModel(t).Vocab()
	bos, ok := v.BOS()
	if !ok || v.Pieces()[bos] != "<|im_start|>" {
		t.Errorf("BOS %d %v", bos, ok)
	}
	eos, ok := v.EOS()
	if !ok || v.Pieces()[eos] != "<|im_end|>" || !v.IsEOG(eos) {
		t.Errorf("EOS %d %v", eos, ok)
	}
	if _, ok := v.Mask(); ok {
		t.Error("SmolLM2 has no mask token")
	}
	if v.Attr(bos)&AttrControl == 0 {
		t.Errorf("BOS has attributes %b", v.Attr(bos))
	}
	newline := slices.Index(v.Pieces(), "\n")
	if v.Attr(Token(newline))&AttrNormal == 0 || v.Text(Token(newline)) != "Ċ" {
		t.Errorf("newline: attributes %b, text %q", v.Attr(Token(newline)), v.Text(Token(newline)))
	}
	eog := v.EOGTokens()
	if !slices.IsSorted(eog) || !slices.Contains(eog, eos) {
		t.Errorf("EOG %v", eog)
	}
	for i := range v.Size() {
		if v.IsEOG(Token(i)) != slices.Contains(eog, Token(i)) {
			t.Errorf("token %d: IsEOG %v", i, v.IsEOG(Token(i)))
		}
	}
	for _, outside := range []Token{-1, Token(v.Size()), 1<<31 - 1, -1 << 31} {
		if v.IsEOG(outside) || v.Attr(outside) != 0 || v.Text(outside) != "" {
			t.Errorf("token %d is outside of the vocabulary", outside)
		}
	}
	if v.Type() != VocabBPE || v.Type().String() != "BPE" || VocabType(99).String() != "unknown" {
		t.Errorf("type %v", v.Type())
	}
}

func TestTokenize(t *testing.T) {
	v := testModel(t).Vocab()
	bos, _ := v.BOS()
	for _, test := range []struct {
		text                      string
		addSpecial, parseSpecial  bool
		wantTokens, wantFirst     int // -1: any
		wantText                  string
		removeSpecial, showHidden bool
	}{
		{"", false, false, 0, -1, "", false, false},
		{"Hello world", false, false, 2, -1, "Hello world", false, false},
		{"<|im_start|>", false, true, 1, int(bos), "<|im_start|>", false, true},
		{"<|im_start|>", false, true, 1, int(bos), "", false, false},
		{"a\x00b", false, false, -1, -1, "a\x00b", false, false},
		{"größer 漢字 🙂", false, false, -1, -1, "größer 漢字 🙂", false, false},
	} {
		tokens, err := v.Tokenize(test.text, test.addSpecial, test.parseSpecial)
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
			continue
		}
		if test.wantTokens >= 0 && len(tokens) != test.wantTokens || test.wantFirst >= 0 && int(tokens[0]) != test.wantFirst {
			t.Errorf("%q: tokens %v", test.text, tokens)
		}
		text, err := v.Detokenize(tokens, test.removeSpecial, test.showHidden)
		if err != nil || text != test.wantText {
			t.Errorf("%q came back as %q, %v", test.text, text, err)
		}
	}
	// Text from outside must not become a special token.
	tokens, err := v.Tokenize("<|im_start|>", false, false)
	if err != nil || len(tokens) < 2 || slices.Contains(tokens, bos) {
		t.Errorf("plain text became %v, %v", tokens, err)
	}
	joined := ""
	for _, tok := range tokens {
		joined += v.Pieces()[tok]
	}
	if joined != "<|im_start|>" {
		t.Errorf("pieces make %q", joined)
	}
}

func TestTokenizeRefuses(t *testing.T) {
	v := testModel(t).Vocab()
	if _, err := v.Tokenize(strings.Repeat("a", MaxTextBytes+1), false, false); !errors.Is(err, ErrTextTooLong) {
		t.Errorf("long text: %v", err)
	}
	for _, tok := range []Token{-1, Token(v.Size())} {
		if _, err := v.Detokenize([]Token{0, tok}, false, false); !errors.Is(err, ErrTokenRange) {
			t.Errorf("token %d: %v", tok, err)
		}
	}
	none := &Vocab{}
	if _, err := none.Tokenize("x", false, false); !errors.Is(err, ErrNoVocab) {
		t.Errorf("no vocabulary: %v", err)
	}
	if _, err := none.Detokenize(nil, false, false); !errors.Is(err, ErrNoVocab) {
		t.Errorf("no vocabulary: %v", err)
	}
	if none.Text(0) != "" {
		t.Error("text without a vocabulary")
	}
}

// A file that asks for a BOS that it does not have makes llama_tokenize abort.
func TestTokenizeRefusesMissingSpecialTokens(t *testing.T) {
	type vocab struct {
		kind           VocabType
		addBOS, addEOS bool
		bos, eos, sep  Token
	}
	for _, test := range []struct {
		name string
		v    vocab
		want error
	}{
		{"all there", vocab{VocabBPE, true, true, 1, 2, 3}, nil},
		{"none wanted", vocab{VocabBPE, false, false, -1, -1, -1}, nil},
		{"BPE without BOS", vocab{VocabBPE, true, false, -1, 2, 3}, ErrNoSpecial},
		{"SentencePiece without BOS", vocab{VocabSentencePiece, true, false, -1, 2, 3}, ErrNoSpecial},
		{"Unigram without EOS", vocab{VocabUnigram, false, true, 1, -1, 3}, ErrNoSpecial},
		{"WordPiece always wants BOS", vocab{VocabWordPiece, false, false, -1, 2, 3}, ErrNoSpecial},
		{"WordPiece always wants SEP", vocab{VocabWordPiece, false, false, 1, 2, -1}, ErrNoSpecial},
		{"BOS outside of the vocabulary", vocab{VocabBPE, true, false, 10, 2, 3}, ErrNoSpecial},
		{"RWKV adds nothing", vocab{VocabRWKV, true, true, -1, -1, -1}, nil},
	} {
		v := &Vocab{kind: test.v.kind, addBOS: test.v.addBOS, addEOS: test.v.addEOS, attrs: make([]TokenAttr, 10)}
		v.special[specialBOS], v.special[specialEOS], v.special[specialSEP] = test.v.bos, test.v.eos, test.v.sep
		if err := v.checkSpecial(); !errors.Is(err, test.want) {
			t.Errorf("%s: %v, want %v", test.name, err, test.want)
		}
	}
}

// preTokenizers are the names that llama.cpp v0.5.0 knows, one for each set of expressions.
var preTokenizers = []string{
	"default", "llama-bpe", "deepseek-llm", "deepseek-coder", "deepseek-v3", "youtu", "falcon", "mpt", "starcoder", "gpt-2",
	"jais-2", "refact", "command-r", "qwen2", "qwen35", "stablelm2", "olmo", "dbrx", "smaug-bpe", "poro-chat", "glm4",
	"viking", "jais", "tekken", "smollm", "codeshell", "bloom", "gpt3-finnish", "exaone", "exaone-moe", "chameleon",
	"minerva-7b", "megrez", "gpt-4o", "tiny_aya", "superbpe", "trillion", "granite-docling", "bailingmoe", "seed-coder",
	"hunyuan", "hunyuan-dense", "joyai-llm", "kimi-k2", "grok-2", "afmoe", "minimax-m2", "solar-open", "minicpm5",
}

// Many pre-tokenizers recurse for each character of a run. Without a stack that grows with the
// text these lines end the process: 20 kB are enough.
func TestTokenizeLongLine(t *testing.T) {
	path := testmodel.Path(t)
	for _, pre := range preTokenizers {
		size, units := 64<<10, []string{"a", "="}
		switch {
		case pre == "deepseek-coder" || pre == "smollm":
			size, units = 1<<20, []string{"a", " ", "\n", "7", "漢", "="}
		case testing.Short():
			continue
		}
		m, err := LoadModel(path, ModelOptions{VocabOnly: true, Overrides: []Override{{"tokenizer.ggml.pre", pre}}})
		if err != nil {
			t.Errorf("%s: %v", pre, err)
			continue
		}
		for _, unit := range units {
			text := strings.Repeat(unit, size/len(unit))
			tokens, err := m.Vocab().Tokenize(text, false, false)
			if err != nil {
				t.Errorf("%s: %d times %q: %v", pre, size/len(unit), unit, err)
				continue
			}
			if back, err := m.Vocab().Detokenize(tokens, false, true); err != nil || back != text {
				t.Errorf("%s: %d times %q came back as %d bytes, %v", pre, size/len(unit), unit, len(back), err)
			}
		}
		m.Close()
	}
}

func TestTokenizeFromManyGoroutines(t *testing.T) {
	v := testModel(t).Vocab()
	texts := make([]string, 8)
	want := make([][]Token, len(texts))
	for i := range texts {
		// From a few bytes to where a thread of its own is used.
		texts[i] = strings.Repeat(fmt.Sprintf("func f%d() { return %d }\n", i, i*i), 1<<i)
		tokens, err := v.Tokenize(texts[i], false, false)
		if err != nil {
			t.Fatal(err)
		}
		want[i] = tokens
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, text := range texts {
				tokens, err := v.Tokenize(text, false, false)
				if err != nil || !slices.Equal(tokens, want[i]) {
					t.Errorf("text %d: %d tokens, want %d, %v", i, len(tokens), len(want[i]), err)
				}
				back, err := v.Detokenize(tokens, false, false)
				if err != nil || back != text {
					t.Errorf("text %d came back with %d bytes, %v", i, len(back), err)
				}
			}
		})
	}
	wg.Wait()
}

func FuzzTokenizeRoundTrip(f *testing.F) {
	v := testModel(f).Vocab()
	// SmolLM2 has no token for some control characters and drops them.
	var writable [256]bool
	for _, piece := range v.Pieces() {
		if len(piece) == 1 {
			writable[piece[0]] = true
		}
	}
	for _, seed := range []string{"", "x", "a b  c\t\n", "<|im_end|>", "漢字🙂", "\x00", "e\u0301", "\u2028", "don't 1234567"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		tokens, err := v.Tokenize(text, false, false)
		if err != nil {
			if utf8.ValidString(text) {
				t.Fatalf("%q: %v", text, err)
			}
			return
		}
		for _, tok := range tokens {
			if !v.valid(tok) {
				t.Fatalf("%q: token %d", text, tok)
			}
		}
		if !utf8.ValidString(text) {
			return // llama.cpp replaces what is not UTF-8
		}
		for i := range len(text) {
			if !writable[text[i]] {
				return
			}
		}
		back, err := v.Detokenize(tokens, false, true)
		if err != nil || back != text {
			t.Fatalf("%q came back as %q, %v", text, back, err)
		}
	})
}
