package models

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// spelled is a tokenizer that makes marks out of text, as llama.cpp does with user-defined
// pieces, and otherwise tokenizes by characters.
type spelled struct {
	*chunks
	marks map[string]Token
	fail  error
}

func (s spelled) Tokenize(text string) ([]Token, error) {
	if s.fail != nil {
		return nil, s.fail
	}
	var out []Token
	for text != "" {
		mark, found := "", false
		for m := range s.marks {
			if strings.HasPrefix(text, m) {
				mark, found = m, true
			}
		}
		if found {
			out = append(out, s.marks[mark])
			text = text[len(mark):]
			continue
		}
		r := []rune(text)[0]
		out = append(out, r)
		text = text[len(string(r)):]
	}
	return out, nil
}

func TestEncoderKeepsMarksOut(t *testing.T) {
	const mark Token = 1 << 24
	tok := spelled{chunks: newChunks(), marks: map[string]Token{"<|x|>": mark, "≪y≫": mark + 1}}
	control := map[Token]string{mark: "<|x|>", mark + 1: "≪y≫"}
	e, err := newEncoder(tok, control, false)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "a", "<|x|>", "a<|x|>b<|x|>", "<<|x|>|x|>", "≪y≫<|x|>", "<|x|"} {
		ids, err := e.text(text)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, id := range ids {
			if id >= mark {
				t.Errorf("%q has a mark in %v", text, ids)
			}
			got.WriteRune(id)
		}
		if got.String() != text {
			t.Errorf("%q became %q", text, got.String())
		}
	}
	// A tokenizer that finds a mark where the text does not spell it cannot be kept from it.
	tok.marks["z"] = mark
	if _, err := e.text("az"); err == nil || !strings.Contains(err.Error(), "becomes control token 16777216") {
		t.Errorf("error %v", err)
	}
}

func TestEncoderWithoutDummySpace(t *testing.T) {
	tok := spelled{chunks: newChunks()}
	e, err := newEncoder(tok, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "a", "☺a☺", " a"} {
		ids, err := e.bare(text)
		if err != nil || len(ids) != len([]rune(text)) {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
	}
	tok.marks = map[string]Token{"☺q": 7}
	merging, err := newEncoder(tok, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := merging.bare("q"); err == nil || !strings.Contains(err.Error(), "merges") {
		t.Errorf("a vocabulary that merges the shield: %v", err)
	}
}

func TestTokenizerErrorsArriveEverywhere(t *testing.T) {
	cause := errors.New("out of memory")
	tok := spelled{chunks: newChunks(), fail: cause}
	if _, err := newEncoder(tok, nil, true); !errors.Is(err, cause) {
		t.Errorf("newEncoder: %v", err)
	}
	e := &encoder{tok: tok, shield: []Token{1}}
	m := marks{1, 2, 3, 4, 5}
	arrangements := map[string]arrangement{
		"prefix": prefixAlone{e, nil}, "codegemma": codeGemma{e, nil, m}, "qwen": qwenCoder{e, nil, m}, "starcoder2": starCoder2{e, nil, m},
		"starcoder": newStarCoder(Recognition{marks: m, bos: noToken}, e),
	}
	code := Code{Project: "p", Prefix: "a", Suffix: "b", Context: []File{{"f", "c"}}}
	for name, a := range arrangements {
		c := &completion{family: Generic, tok: tok, enc: e, arrange: a}
		if _, err := c.Completion(code, 100); !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := a.lay(code, nil, nil); !errors.Is(err, cause) {
			t.Errorf("%s, other files: %v", name, err)
		}
		for _, prompt := range []string{"a", "<PRE> a <SUF>b <MID>"} {
			if _, err := c.Text(prompt, 100); !errors.Is(err, cause) {
				t.Errorf("%s, %q: %v", name, prompt, err)
			}
		}
		if a.fileCost(File{Name: "name"}) < 1 {
			t.Errorf("%s: a file costs nothing", name)
		}
	}
	for name, l := range map[string]chatLayout{
		"mistral 1": mistral1{enc: e}, "mistral 3": mistral3{enc: e}, "llama 2": llama2{enc: e}, "llama 3": llama3{enc: e},
		"gemma": gemmaChat{enc: e}, "chatml": chatML{enc: e}, "deepseek": deepSeekChat{enc: e},
	} {
		if _, err := l.lay([]Message{{Role: User, Content: "a"}, {Role: Assistant, Content: "b"}, {Role: User, Content: "c"}}); !errors.Is(err, cause) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFitContext(t *testing.T) {
	c := newChunks()
	cost := func(File) int { return 2 }
	lines := strings.Repeat("word\n", 20) // 40 tokens
	files := []File{{"a", lines}, {"b", ""}, {"c", lines}, {"d", lines}}
	for _, tt := range []struct {
		room  int
		texts []string
		used  int
	}{
		{0, nil, 0},
		{42, []string{lines}, 42},
		{84, []string{lines, lines}, 84},
		{63, []string{lines, strings.Repeat("word\n", 9)}, 62}, // the second is cut at a line end
		{43, []string{lines}, 42},
		{1000, []string{lines, lines, lines}, 126},
	} {
		got, err := fitContext(files, tt.room, c, c.Tokenize, cost)
		if err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, f := range got.files {
			texts = append(texts, f.Text)
		}
		if !slices.Equal(texts, tt.texts) || got.used != tt.used {
			t.Errorf("room %d: %d tokens of %q, want %d of %q", tt.room, got.used, texts, tt.used, tt.texts)
		}
		if got.sent < got.used || tt.room == 1000 && got.sent != 126 || got.sent > 140 {
			t.Errorf("room %d: %d of %d tokens", tt.room, got.used, got.sent)
		}
	}
}

func TestContextRoomMovesInSteps(t *testing.T) {
	changes, last := 0, -1
	for rest := 2000; rest >= 0; rest-- {
		room := contextRoom(2048, rest)
		if room > rest {
			t.Fatalf("room %d of %d", room, rest)
		}
		if room != last {
			changes++
			last = room
		}
	}
	if changes > contextQuanta+1 {
		t.Errorf("the room for context changed %d times", changes)
	}
}

func TestParseFillIn(t *testing.T) {
	for _, tt := range []struct {
		prompt, prefix, suffix string
		ok                     bool
	}{
		{"<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>", "a", "b", true},
		{"<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>\n", "a", "b", true},
		{"<|fim_prefix|><|fim_suffix|><|fim_middle|>", "", "", true},
		{"<PRE> a <SUF>b <MID>", "a", "b", true},
		{"<PRE>  a  <SUF> b <MID>", " a ", " b", true},
		{"<s>[SUFFIX]b[PREFIX]a", "a", "b", true},
		{"<s>[SUFFIX][PREFIX]a\n", "a\n", "", true},
		{"[SUFFIX]b[PREFIX]a", "a", "b", true},
		{"<｜fim▁begin｜>a<｜fim▁hole｜>b<｜fim▁end｜>", "a", "b", true},
		{"<fim_prefix>a<fim_suffix>b<fim_middle>", "a", "b", true},
		{"<|fim_prefix|>a<|fim_suffix|>b", "", "", false},
		{"<|fim_prefix|>a<|fim_middle|>", "", "", false},
		{" <s>[SUFFIX]b[PREFIX]a", "", "", false},
		{"[PREFIX]a[SUFFIX]b", "", "", false},
		{"", "", "", false},
	} {
		prefix, suffix, ok := parseFillIn(tt.prompt)
		if prefix != tt.prefix || suffix != tt.suffix || ok != tt.ok {
			t.Errorf("%q gave %q, %q, %t", tt.prompt, prefix, suffix, ok)
		}
	}
}

func TestConversation(t *testing.T) {
	for _, tt := range []struct {
		messages []Message
		want     conversation
	}{
		{nil, conversation{turns: []turn{{}}}},
		{[]Message{{Role: System, Content: "s"}}, conversation{"s", []turn{{}}}},
		{[]Message{{Role: System, Content: "s"}, {Role: User, Content: "u"}, {Role: System, Content: "t"}}, conversation{"s\n\nt", []turn{{"u", ""}}}},
		{[]Message{{Role: Assistant, Content: "a"}, {Role: User, Content: "u"}}, conversation{"", []turn{{"", "a"}, {"u", ""}}}},
		{[]Message{{Role: User, Content: "u"}, {Role: User, Content: ""}, {Role: User, Content: "v"}, {Role: Assistant, Content: "a"}, {Role: Assistant, Content: "b"}}, conversation{"", []turn{{"u\n\nv", "a\n\nb"}}}},
		{[]Message{{Role: User, Content: "u"}, {Role: System, Content: "s"}, {Role: User, Content: "v"}}, conversation{"s", []turn{{"u\n\nv", ""}}}},
	} {
		got := newConversation(tt.messages)
		if got.system != tt.want.system || !slices.Equal(got.turns, tt.want.turns) {
			t.Errorf("%v gave %+v, want %+v", tt.messages, got, tt.want)
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&TooLongError{Tokens: 10, Limit: 5}, "prompt and answer need 10 tokens, this model holds 5"},
		{&Refusal{Found: "cannot", Do: "do"}, "cannot; do"},
		{&Refusal{File: "f", Key: "k", Found: "is wrong", Do: "do"}, "f: k is wrong; do"},
		{&Refusal{Key: "k", Found: "is wrong"}, "k is wrong"},
	} {
		if !strings.HasPrefix(tt.err.Error(), tt.want) {
			t.Errorf("%q, want %q", tt.err, tt.want)
		}
	}
}
