package models_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"aigw/engine/llama"
	"aigw/models"
	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// tokenizer is llama.cpp's, behind the interface that codecs want.
type tokenizer struct {
	v      *llama.Vocab
	pieces []string
}

func (t tokenizer) Tokenize(text string) ([]models.Token, error) {
	return t.v.Tokenize(text, false, false)
}
func (t tokenizer) Piece(id models.Token) string { return t.pieces[id] }
func (t tokenizer) BOS() (models.Token, bool) {
	if !t.v.AddBOS() {
		return 0, false
	}
	return t.v.BOS()
}
func (t tokenizer) EndTokens() []models.Token { return t.v.EOGTokens() }

// model is a vocabulary, recognised and loaded.
type model struct {
	models.Recognition
	tok tokenizer
}

// family is a vocabulary with what a header says besides.
type family struct {
	vocabulary func(testing.TB) *gguftest.Vocabulary
	arch       string
	entries    map[string]any
}

func mistral(version int) func(testing.TB) *gguftest.Vocabulary {
	return func(t testing.TB) *gguftest.Vocabulary { t.Helper(); return gguftest.Mistral(t, version) }
}

func gemma1(t testing.TB) *gguftest.Vocabulary { t.Helper(); return gguftest.CodeGemma(t) }

var sampleFamilies = map[string]family{
	"codellama":           {gguftest.CodeLlama, "llama", map[string]any{"general.name": "CodeLlama-13b-Instruct"}},
	"codestral":           {mistral(3), "llama", map[string]any{"general.name": "Codestral-22B-v0.1"}},
	"codegemma":           {gguftest.CodeGemma, "gemma", map[string]any{"general.name": "codegemma-2b"}},
	"codegemma-it":        {gemma1, "gemma", map[string]any{"general.name": "codegemma-7b-it"}},
	"deepseekcoder":       {gguftest.DeepSeekCoder, "llama", map[string]any{"general.name": "deepseek-coder-6.7b-instruct"}},
	"qwen2.5-coder":       {gguftest.QwenCoder, "qwen2", map[string]any{"general.name": "Qwen2.5-Coder-7B-Instruct"}},
	"starcoder2":          {gguftest.StarCoder2, "starcoder2", nil},
	"mistral-base":        {mistral(1), "llama", map[string]any{"general.name": "Mistral-7B-v0.1"}},
	"mistral-v0.2":        {mistral(1), "llama", map[string]any{"general.name": "Mistral-7B-Instruct-v0.2"}},
	"mistral-v2":          {mistral(2), "llama", map[string]any{"general.name": "mistral medium instruct"}},
	"mistral-v0.3":        {mistral(3), "llama", map[string]any{"general.name": "Mistral-7B-Instruct-v0.3", "llama.block_count": uint32(32), "llama.embedding_length": uint32(4096)}},
	"llama2":              {gguftest.Llama2, "llama", map[string]any{"general.name": "Llama-2-7b-chat"}},
	"llama3":              {gguftest.Llama3, "llama", map[string]any{"general.name": "Llama-3-8B-Instruct"}},
	"llama3-base":         {gguftest.Llama3, "llama", nil},
	"smollm2":             {gguftest.SmolLM2, "llama", nil},
	"gpt-2":               {func(t testing.TB) *gguftest.Vocabulary { t.Helper(); return gguftest.LlamaVocabulary(t, "gpt-2") }, "gpt2", nil},
	"defective gemma":     {gguftest.CodeGemma, "gemma", map[string]any{"general.name": "codegemma-2b", "tokenizer.ggml.add_space_prefix": true}},
	"defective codestral": {mistral(3), "llama", map[string]any{"general.name": "codestral", "tokenizer.ggml.add_space_prefix": false}},
	"defective deepseek":  {gguftest.DeepSeekCoder, "llama", map[string]any{"general.name": "deepseek-coder-instruct", "tokenizer.ggml.pre": "default"}},
}

// loaded keeps the models of this process: writing and loading a vocabulary takes a while.
var loaded struct {
	sync.Mutex
	dir    string
	models map[string]model
}

func TestMain(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "models")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	loaded.dir, loaded.models = dir, map[string]model{}
	return m.Run()
}

// load writes the file of a family, checks and recognises it, and loads its vocabulary with the
// repairs that recognition asks for.
func load(t testing.TB, name string) model {
	t.Helper()
	loaded.Lock()
	defer loaded.Unlock()
	if m, ok := loaded.models[name]; ok {
		return m
	}
	f := sampleFamilies[name]
	b := f.vocabulary(t).Apply((&gguftest.Builder{}).Set("general.architecture", f.arch).Set(f.arch+".context_length", uint32(16384)))
	for key, value := range f.entries {
		b.Set(key, value)
	}
	path := b.WriteFile(t, loaded.dir, "model.gguf")
	file, err := gguf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := models.CheckVocabulary(file); err != nil {
		t.Fatal(err)
	}
	m := model{}
	if m.Recognition, err = models.Recognise(file); err != nil {
		t.Fatal(err)
	}
	if err := llama.Init(llama.InitOptions{}); err != nil {
		t.Fatal(err)
	}
	options := llama.ModelOptions{VocabOnly: true}
	for _, o := range m.Overrides {
		options.Overrides = append(options.Overrides, llama.Override{Key: o.Key, Value: o.Value})
	}
	weights, err := llama.LoadModel(path, options)
	if err != nil {
		t.Fatal(err)
	}
	m.tok = tokenizer{weights.Vocab(), weights.Vocab().Pieces()}
	loaded.models[name] = m
	return m
}

func golden[T any](t testing.TB, name string) []T {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "golden", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []T
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("%s has only %d cases", name, len(cases))
	}
	return cases
}

// TestFillInIsTheReference compares completion prompts with the ids that the authors' own
// tokenizers give (testdata/golden.py).
func TestFillInIsTheReference(t *testing.T) {
	for _, tt := range []struct{ golden, family, layout string }{
		{"fim-codellama-psm", "codellama", "psm"},
		{"fim-codellama-spm", "codellama", "spm"},
		{"fim-codestral", "codestral", "spm"},
		{"fim-codestral", "defective codestral", "spm"},
		{"fim-codegemma", "codegemma", "psm"},
		{"fim-codegemma", "defective gemma", "psm"},
		{"fim-deepseekcoder", "deepseekcoder", "psm"},
		{"fim-deepseekcoder", "defective deepseek", "psm"},
		{"fim-qwen2.5-coder", "qwen2.5-coder", "psm"},
		{"fim-starcoder2", "starcoder2", "psm"},
		{"fim-mistral-v1-base", "mistral-base", "prefix"},
		{"fim-llama3-base", "llama3-base", "prefix"},
	} {
		t.Run(tt.family+" "+tt.layout, func(t *testing.T) {
			m := load(t, tt.family)
			codec, err := models.For(m.Recognition, m.tok, models.WithLayout(tt.layout))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range golden[struct {
				Name, Prefix, Suffix string
				IDs                  []models.Token
			}](t, tt.golden) {
				p, err := codec.Completion(models.Code{Prefix: c.Prefix, Suffix: c.Suffix}, 1<<20)
				if err != nil {
					t.Fatal(err)
				}
				if p.Layout != tt.layout {
					t.Errorf("%s: layout %s", c.Name, p.Layout)
				}
				m.compare(t, c.Name, p.Tokens, c.IDs)
			}
		})
	}
}

// TestChatIsTheReference does the same for conversations.
func TestChatIsTheReference(t *testing.T) {
	for _, tt := range []struct {
		golden, family string
		format         models.ChatFormat
	}{
		{"chat-mistral-v1", "mistral-v0.2", models.ChatMistral1},
		{"chat-mistral-v2", "mistral-v2", models.ChatMistral2},
		{"chat-mistral-v3", "mistral-v0.3", models.ChatMistral3},
		{"chat-mistral-v3", "codestral", models.ChatMistral3},
		{"chat-llama2", "llama2", models.ChatLlama2},
		{"chat-gemma", "codegemma-it", models.ChatGemma},
		{"chat-deepseek-coder", "deepseekcoder", models.ChatDeepSeek},
		{"chat-chatml-qwen", "qwen2.5-coder", models.ChatChatML},
		{"chat-chatml-smollm2", "smollm2", models.ChatChatML},
		{"chat-llama3", "llama3", models.ChatLlama3},
	} {
		t.Run(tt.family, func(t *testing.T) {
			m := load(t, tt.family)
			codec, err := models.ForChat(m.Recognition, m.tok, nil)
			if err != nil {
				t.Fatal(err)
			}
			if codec.Format() != tt.format {
				t.Errorf("format %s, want %s", codec.Format(), tt.format)
			}
			for _, c := range golden[struct {
				Name     string
				Messages []models.Message
				IDs      []models.Token
			}](t, tt.golden) {
				p, err := codec.Chat(c.Messages, models.ChatOptions{Room: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				m.compare(t, c.Name, p.Tokens, c.IDs)
			}
		})
	}
}

// compare reports the first difference of two prompts.
func (m model) compare(t *testing.T, name string, got, want []models.Token) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	at := 0
	for at < len(got) && at < len(want) && got[at] == want[at] {
		at++
	}
	show := func(ids []models.Token) string {
		var b strings.Builder
		for _, id := range ids[min(max(0, at-3), len(ids)):min(at+8, len(ids))] {
			b.WriteString("|" + m.tok.Piece(id))
		}
		return b.String()
	}
	t.Errorf("%s: differs at token %d:\n got %v %q\nwant %v %q", name, at,
		got[min(at, len(got)):min(at+8, len(got))], show(got), want[min(at, len(want)):min(at+8, len(want))], show(want))
}
