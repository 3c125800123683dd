package models_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"aigw/models"
)

// fillInFamilies are the families that fill in the middle, with their marks: before the first
// text, between the texts, behind the last.
var fillInFamilies = map[string]struct {
	layout string
	marks  []models.Token
	bos    models.Token // -1: none
	stops  []models.Token
}{
	"codellama":     {"psm", []models.Token{32007, 32008, 32009}, 1, []models.Token{2, 32010}},
	"codestral":     {"spm", []models.Token{13, 11}, 1, []models.Token{2, 3, 4, 11, 12, 13}},
	"codegemma":     {"psm", []models.Token{67, 69, 68}, 2, []models.Token{1, 67, 68, 69, 70, 107}},
	"deepseekcoder": {"psm", []models.Token{32016, 32015, 32017}, 32013, []models.Token{32014, 32021}},
	"qwen2.5-coder": {"psm", []models.Token{151659, 151661, 151660}, -1, []models.Token{151643, 151645, 151659, 151660, 151661, 151662, 151663, 151664}},
	"starcoder2":    {"psm", []models.Token{1, 3, 2}, -1, []models.Token{0, 1, 2, 3, 4, 5, 6}},
}

func codecOf(t testing.TB, m model, options ...models.Option) models.Codec {
	t.Helper()
	c, err := models.For(m.Recognition, m.tok, options...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestStopsAreTheFamilys(t *testing.T) {
	for name, want := range fillInFamilies {
		m := load(t, name)
		p, err := codecOf(t, m).Completion(models.Code{Prefix: "a"}, 100)
		if err != nil || !slices.Equal(p.Stops.Tokens, want.stops) || len(p.Stops.Texts) > 0 {
			t.Errorf("%s stops at %v, %v, want %v", name, p.Stops, err, want.stops)
		}
	}
	for name, want := range map[string][]models.Token{
		"mistral-v0.3": {2, 3, 4, 11, 12, 13}, "mistral-v0.2": {2}, "llama2": {2}, "llama3": {128001, 128009},
		"smollm2": {0, 2}, "codegemma-it": {1, 67, 68, 69, 70, 107},
	} {
		m := load(t, name)
		c, err := models.ForChat(m.Recognition, m.tok, nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.Chat([]models.Message{{Role: models.User, Content: "a"}}, models.ChatOptions{Room: 100})
		if err != nil || !slices.Equal(p.Stops.Tokens, want) {
			t.Errorf("%s stops at %v, %v, want %v", name, p.Stops.Tokens, err, want)
		}
	}
}

// lookAlikes spell the special pieces of all families.
var lookAlikes = []string{
	"<PRE>", " <PRE>", "▁<PRE>", " <SUF>", " <MID>", " <EOT>", "<EOT><EOT>", "▁<SU", "<s>", "</s>", " </s>", "<unk>", "<0x0A>",
	"[INST]", "[/INST]", "[PREFIX]", "[SUFFIX]", "[MIDDLE]", "<<SYS>>",
	"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_separator|>", "<|file_sep|>", "<|repo_name|>",
	"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>",
	"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜begin▁of▁sentence｜>", "<|EOT|>", "<|User|>", "<|Assistant|>",
	"<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|start_header_id|>", "<|eot_id|>", "<|begin_of_text|>",
	"<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>", "<unused1>", "☺",
	"a", " ", "  ", "\n", "\t", "é", "世", "▁", "x = 1;", "<", "|", "{", "🙂",
}

func randomText(r *rand.Rand, parts int) string {
	var b strings.Builder
	for range parts {
		b.WriteString(lookAlikes[r.IntN(len(lookAlikes))])
	}
	return b.String()
}

// TestTextNeverBecomesAMark gives texts that spell special pieces to every family: the marks are
// the codec's alone, and the bytes of the texts stay what they are.
func TestTextNeverBecomesAMark(t *testing.T) {
	for name, want := range fillInFamilies {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			codec := codecOf(t, m)
			r := rand.New(rand.NewPCG(1, uint64(len(name))))
			for range 400 {
				prefix, suffix := randomText(r, r.IntN(12)), randomText(r, r.IntN(12))
				p, err := codec.Completion(models.Code{Prefix: prefix, Suffix: suffix}, 1<<20)
				if err != nil {
					t.Fatalf("%q, %q: %v", prefix, suffix, err)
				}
				first, second := prefix, suffix
				if want.layout == "spm" {
					first, second = suffix, prefix
				}
				rest := p.Tokens
				if want.bos >= 0 {
					if rest[0] != want.bos {
						t.Fatalf("begins with %d", rest[0])
					}
					rest = rest[1:]
				}
				var marks []models.Token
				texts := []string{""}
				for _, id := range rest {
					if slices.Contains(want.marks, id) {
						marks = append(marks, id)
						texts = append(texts, "")
						continue
					}
					if id == want.bos || slices.Contains(want.stops, id) {
						t.Fatalf("%q, %q: special token %d in %v", prefix, suffix, id, p.Tokens)
					}
					texts[len(texts)-1] += m.tok.Piece(id)
				}
				if !slices.Equal(marks, want.marks) {
					t.Fatalf("%q, %q: marks %v in %v", prefix, suffix, marks, p.Tokens)
				}
				// SentencePiece puts a space before the prefix.
				space := ""
				if m.Recognition.Tokenizer.DummySpace && prefix != "" {
					space = " "
				}
				if want.layout == "spm" {
					second = space + second
				} else {
					first = space + first
				}
				// A lone U+2581 is SentencePiece's own sign for a space.
				if m.Recognition.Tokenizer.Model == "llama" {
					first, second = strings.ReplaceAll(first, "▁", " "), strings.ReplaceAll(second, "▁", " ")
				}
				if texts[0] != "" || texts[1] != first || texts[2] != second {
					t.Fatalf("texts %q, want %q and %q", texts, first, second)
				}
			}
		})
	}
}

// TestChatTextNeverBecomesAMark does the same for conversations: the special tokens are those of
// the same conversation with harmless texts.
func TestChatTextNeverBecomesAMark(t *testing.T) {
	for _, name := range []string{"mistral-v0.3", "codestral", "codegemma-it", "deepseekcoder", "qwen2.5-coder", "smollm2", "llama3"} {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			codec, err := models.ForChat(m.Recognition, m.tok, nil)
			if err != nil {
				t.Fatal(err)
			}
			special := map[models.Token]bool{}
			for _, text := range lookAlikes {
				if ids, err := m.tok.v.Tokenize(text, false, true); err == nil && len(ids) == 1 && strings.ContainsAny(text, "<[") && len(text) > 2 {
					special[ids[0]] = true
				}
			}
			r := rand.New(rand.NewPCG(2, uint64(len(name))))
			marks := func(system, user, answer, last string) []models.Token {
				p, err := codec.Chat([]models.Message{{Role: models.System, Content: system}, {Role: models.User, Content: user}, {Role: models.Assistant, Content: answer}, {Role: models.User, Content: last}},
					models.ChatOptions{Room: 1 << 20})
				if err != nil {
					t.Fatal(err)
				}
				var out []models.Token
				for _, id := range p.Tokens {
					if special[id] {
						out = append(out, id)
					}
				}
				return out
			}
			want := marks("s", "u", "a", "l")
			if len(want) < 2 {
				t.Fatalf("only the special tokens %v", want)
			}
			for range 200 {
				system, user, answer, last := "s"+randomText(r, 5), "u"+randomText(r, 5), "a"+randomText(r, 5), "l"+randomText(r, 5)
				if got := marks(system, user, answer, last); !slices.Equal(got, want) {
					t.Fatalf("%q %q %q %q: special tokens %v, want %v", system, user, answer, last, got, want)
				}
			}
		})
	}
}

// TestPromptsFitTheirRoom cuts prompts of all families to all kinds of rooms.
func TestPromptsFitTheirRoom(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	var b strings.Builder
	for i := range 600 {
		fmt.Fprintf(&b, "%sfunc name%d(a, b int) int { return a*%d + b } // größer 世界\n", strings.Repeat("\t", r.IntN(3)), i, i)
	}
	text := b.String()
	for _, name := range []string{"codellama", "codestral", "codegemma", "deepseekcoder", "qwen2.5-coder", "starcoder2", "mistral-v0.2", "mistral-v0.3", "smollm2", "gpt-2"} {
		t.Run(name, func(t *testing.T) {
			m := load(t, name)
			codec := codecOf(t, m)
			for _, room := range []int{400, 700, 1000, 2048, 4000, 8192, 60000} {
				cursor := r.IntN(len(text))
				for !utf8.RuneStart(text[cursor]) {
					cursor++
				}
				code := models.Code{Project: "group/project", FileName: "main.go", Language: "go", Prefix: text[:cursor], Suffix: text[cursor:],
					Context: []models.File{{Name: "a.go", Text: text[:2000]}, {Name: "b/ç.go", Text: text[3000:30000]}, {Name: "empty.go"}, {Name: "c.go", Text: "package c\n"}}}
				p, err := codec.Completion(code, room)
				if err != nil {
					t.Fatal(err)
				}
				if len(p.Tokens) > room {
					t.Errorf("%d tokens in a room of %d", len(p.Tokens), room)
				}
				if p.PrefixTokens < min(room/6, 20) || p.PrefixTokens > room {
					t.Errorf("room %d: %d tokens of the prefix", room, p.PrefixTokens)
				}
				if p.ContextUsed > p.ContextSent || p.PrefixTokens+p.SuffixTokens+p.ContextUsed > len(p.Tokens)+8 {
					t.Errorf("room %d: %d prompt, %d prefix, %d suffix, %d of %d context", room, len(p.Tokens), p.PrefixTokens, p.SuffixTokens, p.ContextUsed, p.ContextSent)
				}
				if room == 60000 && p.ContextUsed == 0 {
					t.Error("no context in a large room")
				}
			}
			var long *models.TooLongError
			if _, err := codec.Completion(models.Code{Prefix: text}, 0); !errors.As(err, &long) || long.Limit != 0 || long.Tokens < 1 {
				t.Errorf("no room: %v", err)
			}
			if _, err := codec.Text(text, 1000); !errors.As(err, &long) || long.Limit != 1000 || long.Tokens < 5000 {
				t.Errorf("long text: %v", err)
			}
		})
	}
}

// TestTypingKeepsTheBeginning types a character at a time: where the suffix comes first, the
// tokens of the prompt before change only near the cursor, but when the window moves.
func TestTypingKeepsTheBeginning(t *testing.T) {
	m := load(t, "codestral")
	codec := codecOf(t, m)
	var b strings.Builder
	for i := range 400 {
		fmt.Fprintf(&b, "func name%d(a, b int) int { return a*%d + b }\n", i, i)
	}
	text, suffix := b.String(), b.String()[:2000]
	var before []models.Token
	changes := 0
	for end := len(text) - 300; end <= len(text); end++ {
		p, err := codec.Completion(models.Code{FileName: "main.go", Prefix: text[:end], Suffix: suffix, Context: []models.File{{Name: "a.go", Text: text[:900]}}}, 3000)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for same < len(before) && same < len(p.Tokens) && before[same] == p.Tokens[same] {
			same++
		}
		if before != nil && same < len(before)-8 {
			changes++
		}
		before = p.Tokens
	}
	if changes > 2 {
		t.Errorf("the beginning of the prompt changed %d times in 300 keystrokes", changes)
	}
}

// TestFilesOfTheContext shows where other files stand, by the pieces of the prompt.
func TestFilesOfTheContext(t *testing.T) {
	code := models.Code{Project: "group/project", FileName: "main.go", Prefix: "x :=", Suffix: "\n}",
		Context: []models.File{{Name: "a.go", Text: "package a"}, {Name: "b.go", Text: "package b\n"}}}
	for name, want := range map[string]string{
		"codellama":     "<s>▁<PRE> package a\npackage b\n\nx :=▁<SUF>\n}▁<MID>",
		"codestral":     "<s>[SUFFIX]\n}[PREFIX] +++++ a.go\npackage a\n\n+++++ b.go\npackage b\n\n\n+++++ main.go\nx :=",
		"codegemma":     "<bos>a.go\npackage a<|file_separator|>b.go\npackage b\n<|file_separator|><|fim_prefix|>x :=<|fim_suffix|>\n}<|fim_middle|>",
		"deepseekcoder": "<｜begin▁of▁sentence｜><｜fim▁begin｜>#a.go\npackage a\n#b.go\npackage b\n\n#main.go\nx :=<｜fim▁hole｜>\n}<｜fim▁end｜>",
		"qwen2.5-coder": "<|repo_name|>group/project\n<|file_sep|>a.go\npackage a\n<|file_sep|>b.go\npackage b\n\n<|file_sep|>main.go\n<|fim_prefix|>x :=<|fim_suffix|>\n}<|fim_middle|>",
		"starcoder2":    "<repo_name>group/project<file_sep>a.go\npackage a<file_sep>b.go\npackage b\n<file_sep><fim_prefix>main.go\nx :=<fim_suffix>\n}<fim_middle>",
		"mistral-base":  "<s> package a\npackage b\n\nx :=",
		"gpt-2":         "package a\npackage b\n\nx :=",
	} {
		m := load(t, name)
		p, err := codecOf(t, m).Completion(code, 4000)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, id := range p.Tokens {
			got.WriteString(m.tok.Piece(id))
		}
		if got.String() != want {
			t.Errorf("%s:\n got %q\nwant %q", name, got.String(), want)
		}
		if p.ContextUsed == 0 || p.ContextSent != p.ContextUsed {
			t.Errorf("%s: %d of %d tokens of context", name, p.ContextUsed, p.ContextSent)
		}
	}
}

// TestReadyMadePrompts sends the fill-in prompts that GitLab 17.2 to 17.4 make to every family.
func TestReadyMadePrompts(t *testing.T) {
	const prefix, suffix = "def f(", "return x\n"
	prompts := []string{
		"<|fim_prefix|>" + prefix + "<|fim_suffix|>" + suffix + "<|fim_middle|>",
		"<PRE> " + prefix + " <SUF>" + suffix + " <MID>",
		"<s>[SUFFIX]" + suffix + "[PREFIX]" + prefix,
		"<｜fim▁begin｜>" + prefix + "<｜fim▁hole｜>" + suffix + "<｜fim▁end｜>\n",
	}
	for _, name := range []string{"codellama", "codestral", "codegemma", "deepseekcoder", "qwen2.5-coder", "starcoder2", "mistral-base", "smollm2"} {
		m := load(t, name)
		codec := codecOf(t, m)
		want, err := codec.Completion(models.Code{Prefix: prefix, Suffix: suffix}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, prompt := range prompts {
			got, err := codec.Text(prompt, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Tokens, want.Tokens) || got.Layout != want.Layout {
				t.Errorf("%s: %q gave %v, want %v", name, prompt, got.Tokens, want.Tokens)
			}
		}
		// Anything else is text.
		for _, prompt := range []string{"<|fim_prefix|>a<|fim_suffix|>b", "Write a function.", "[PREFIX]a"} {
			got, err := codec.Text(prompt, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if got.Layout != "text" || strings.TrimLeft(join(m, got.Tokens), " ") != prompt && !strings.HasSuffix(join(m, got.Tokens), prompt) {
				t.Errorf("%s: %q gave %s %q", name, prompt, got.Layout, join(m, got.Tokens))
			}
		}
	}
}

func join(m model, ids []models.Token) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(m.tok.Piece(id))
	}
	return b.String()
}

// TestCompletionByChat lays out completion for models that were not trained to fill in.
func TestCompletionByChat(t *testing.T) {
	for _, name := range []string{"mistral-v0.2", "mistral-v0.3"} {
		m := load(t, name)
		codec := codecOf(t, m)
		p, err := codec.Completion(models.Code{FileName: "main.go", Language: "go", Prefix: "package main\n\n    x := ", Suffix: "\n}\n",
			Context: []models.File{{Name: "a.go", Text: "package a\n"}}}, 2000)
		if err != nil {
			t.Fatal(err)
		}
		got := join(m, p.Tokens)
		for _, want := range []string{"[INST]", "File a.go:\n```\npackage a\n```", "File main.go (go):\n```\npackage main\n\n    x := <cursor/>\n}\n```", "nothing else"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q does not have %q", name, got, want)
			}
		}
		// The answer is begun with the line of the cursor, white space and all.
		if !strings.HasSuffix(got, "[/INST] ```\n    x := ") {
			t.Errorf("%s: ends with %q", name, got[len(got)-40:])
		}
		if !slices.Contains(p.Stops.Texts, "```") || p.Layout != "chat" || p.SuffixTokens == 0 || p.ContextUsed == 0 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestEmptyPromptsHaveAToken(t *testing.T) {
	for name := range sampleFamilies {
		m := load(t, name)
		codec := codecOf(t, m)
		for _, lay := range []func() (models.Prompt, error){
			func() (models.Prompt, error) { return codec.Completion(models.Code{}, 500) },
			func() (models.Prompt, error) { return codec.Text("", 500) },
		} {
			if p, err := lay(); err != nil || len(p.Tokens) == 0 {
				t.Errorf("%s: %v, %v", name, p.Tokens, err)
			}
		}
	}
}

func TestInvalidBytesAreReplaced(t *testing.T) {
	for _, name := range []string{"codestral", "qwen2.5-coder"} {
		m := load(t, name)
		codec := codecOf(t, m)
		bad, err := codec.Completion(models.Code{Prefix: "a\xff\xfeb\x80", Suffix: "\xc3("}, 500)
		if err != nil {
			t.Fatal(err)
		}
		good, err := codec.Completion(models.Code{Prefix: "a\uFFFDb\uFFFD", Suffix: "\uFFFD("}, 500)
		if err != nil || !slices.Equal(bad.Tokens, good.Tokens) {
			t.Errorf("%s: %v, want %v, %v", name, bad.Tokens, good.Tokens, err)
		}
	}
}

func TestLayoutsThatAFamilyDoesNotKnow(t *testing.T) {
	for name, layout := range map[string]string{"codestral": "psm", "codegemma": "spm", "smollm2": "psm"} {
		m := load(t, name)
		if _, err := models.For(m.Recognition, m.tok, models.WithLayout(layout)); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("layout %q is not known to family", layout)) {
			t.Errorf("%s with layout %s: %v", name, layout, err)
		}
	}
}

func TestModelsThatCannotChat(t *testing.T) {
	for _, name := range []string{"codegemma", "starcoder2", "mistral-base", "gpt-2"} {
		m := load(t, name)
		var refusal *models.Refusal
		if _, err := models.ForChat(m.Recognition, m.tok, nil); !errors.As(err, &refusal) || refusal.Do == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	m := load(t, "smollm2")
	c, err := models.ForChat(m.Recognition, m.tok, nil)
	if err != nil {
		t.Fatal(err)
	}
	var long *models.TooLongError
	if _, err := c.Chat([]models.Message{{Role: models.User, Content: strings.Repeat("word ", 100)}}, models.ChatOptions{Room: 50}); !errors.As(err, &long) || long.Limit != 50 || long.Tokens < 100 {
		t.Errorf("long conversation: %v", err)
	}
	for _, messages := range [][]models.Message{nil, {{Role: "tool", Content: "x"}}} {
		if _, err := c.Chat(messages, models.ChatOptions{Room: 50}); err == nil {
			t.Errorf("%v was laid out", messages)
		}
	}
}

// BenchmarkCompletion lays out a prompt in a file of 4,000 lines.
func BenchmarkCompletion(b *testing.B) {
	text := strings.Repeat("\tif err := s.check(value, limit); err != nil {\n\t\treturn fmt.Errorf(\"check: %w\", err)\n\t}\n\n", 1000)
	for _, name := range []string{"codestral", "deepseekcoder"} {
		m := load(b, name)
		codec := codecOf(b, m)
		code := models.Code{FileName: "main.go", Prefix: text[:len(text)/2], Suffix: text[len(text)/2:]}
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := codec.Completion(code, 4096); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
