package llama

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func mustGrammar(t testing.TB, text string) *Grammar {
	t.Helper()
	g, err := ParseGrammar(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	return g
}

func TestGrammarsAreRefusedWithTheirPlace(t *testing.T) {
	for _, c := range []struct {
		name, text string
		line, col  int
		says       string
	}{
		{"empty", "", 1, 1, "root"},
		{"no root", "a ::= \"x\"\n", 2, 1, "root"},
		{"no definition", "root = \"x\"", 1, 6, "::="},
		{"unknown rule", "root ::= \"x\"\n  | other", 2, 3, "name of a rule"},
		{"undefined", "root ::= \"x\" |\n  other", 2, 3, "\"other\" is not defined"},
		{"twice", "root ::= \"x\"\nroot ::= \"y\"", 2, 1, "twice"},
		{"open text", "root ::= \"x", 1, 10, "does not end"},
		{"open set", "root ::= [a-", 1, 13, "in the middle"},
		{"open bracket", "root ::= ( \"x\"", 1, 15, "\")\""},
		{"empty set", "root ::= []", 1, 10, "empty set"},
		{"backward set", "root ::= [z-a]", 1, 14, "no range"},
		{"escape", "root ::= \"\\q\"", 1, 12, "escape"},
		{"hexadecimal", "root ::= \"\\x4g\"", 1, 13, "hexadecimal"},
		{"beyond Unicode", "root ::= \"\\U00110000\"", 1, 13, "hexadecimal"},
		{"nothing to repeat", "root ::= *", 1, 11, "repeat"},
		{"twice repeated", "root ::= \"\" ?", 1, 14, "repeat"},
		{"backward times", "root ::= \"x\"{3,2}", 1, 18, "{3,2}"},
		{"too many times", "root ::= \"x\"{99999}", 1, 14, "4096"},
		{"too many items", "root ::= \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"{4096}", 0, 0, "items"},
		{"token", "root ::= <think>", 1, 10, "tokens"},
		{"left recursion", "root ::= root \"x\" | \"x\"", 1, 1, "left recursion"},
		{"through what may be empty", "root ::= a b\na ::= c c\nc ::= \"x\"?\nb ::= a root \"z\" | \"y\"", 0, 0, "left recursion"},
		{"empty loop", "root ::= ( \"x\"? )*", 0, 0, "left recursion"},
		{"not UTF-8", "root ::= \"\xff\"", 1, 1, "UTF-8"},
		{"too long", "root ::= \"x\" #" + strings.Repeat("x", MaxGrammarBytes), 1, 1, "bytes"},
		{"too deep", "root ::= " + strings.Repeat("(", 1000), 0, 0, "brackets"},
		{"too many rules", "root ::= " + strings.Repeat("\"x\"? ", 40000), 0, 0, "more than"},
	} {
		g, err := ParseGrammar(c.text)
		var e *GrammarError
		if !errors.As(err, &e) || !errors.Is(err, ErrGrammar) {
			t.Errorf("%s: accepted as %v, %v", c.name, g, err)
			continue
		}
		if !strings.Contains(e.Reason, c.says) || c.line != 0 && (e.Line != c.line || e.Column != c.col) {
			t.Errorf("%s: %v; want line %d, column %d, and %q", c.name, err, c.line, c.col, c.says)
		}
	}
}

// llama.cpp's own examples are read, where its sources are at hand.
func TestLlamaGrammarsParse(t *testing.T) {
	const json = `root   ::= object
value  ::= object | array | string | number | ("true" | "false" | "null") ws
object ::=
  "{" ws (
            string ":" ws value
    ("," ws string ":" ws value)*
  )? "}" ws
array  ::=
  "[" ws ( value ("," ws value)* )? "]" ws
string ::=
  "\"" (
    [^"\\\x7F\x00-\x1F] |
    "\\" (["\\bfnrt] | "u" [0-9a-fA-F]{4}) # escapes
  )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
`
	mustGrammar(t, json)
	files, _ := filepath.Glob(os.Getenv("LLAMA_CPP_SRC") + "/grammars/*.gbnf")
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseGrammar(string(text)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

// allowed is what a sampler with the grammar lets follow: a greedy one draws each token in turn when
// its logit is above the others.
func allowed(t testing.TB, v *Vocab, g *Grammar, text []Token, end Token) map[Token]bool {
	t.Helper()
	out := map[Token]bool{}
	logits := make([]float32, v.Size())
	for {
		s, err := NewSampler(v, SamplerOptions{Grammar: g, Ends: []Token{end}})
		if err != nil {
			t.Fatal(err)
		}
		for _, tok := range text {
			forced := slices.Repeat([]float32{-100}, v.Size())
			forced[tok] = 0
			if got, row, err := s.Draw(forced); got != tok || row != RowDrawn || err != nil {
				t.Fatalf("%v: drew %d for %d, %v, %v", text, got, tok, row, err)
			}
		}
		got, row, err := s.Draw(logits)
		s.Close()
		if err != nil {
			t.Fatal(err)
		}
		if row != RowDrawn {
			return out
		}
		if out[got] {
			t.Fatalf("%d drawn although it is excluded", got)
		}
		out[got] = true
		logits[got] = float32(math.Inf(-1))
	}
}

// What follows is exactly what the reference says, for grammars that are small enough to draw every
// token in turn, on the real vocabulary.
func TestGrammarLetsFollowWhatItDerives(t *testing.T) {
	m := testModel(t)
	v := m.Vocab()
	end, _ := v.EOS()
	r := rand.New(rand.NewPCG(5, 6))
	for _, text := range []string{
		`root ::= "yes" | "no" | "yesterday"`,
		`root ::= "a"{2,4} "b"* [0-9]?`,
		`root ::= ( "ab" | "a" "b" "c" )+ "!"`,
		`root ::= "(" root ")" | "x"`,
		"root ::= word (\" \" word)*\nword ::= (\"Paris\" | \"London\")",
		`root ::= "ä" [ö-ü]+ "日本" | "\u00e9\U0001F600"`,
		`root ::= "{" "\"n\": " [1-9] [0-9]{0,2} "}"`,
		`root ::= "" | "z"`,
	} {
		g := mustGrammar(t, text)
		var history []Token
		said := ""
		for range 6 {
			got := allowed(t, v, g, history, end)
			for id := range Token(v.Size()) {
				piece := v.Pieces()[id]
				want := false
				switch {
				case id == end:
					want = g.Derives(said)
				case v.Attr(id)&(AttrControl|AttrUnknown|AttrUnused) == 0 && !v.IsEOG(id) && piece != "" && validOrBegins(said+piece):
					want = beginsWith(g, said+piece)
				}
				if got[id] != want {
					t.Fatalf("%s\nbehind %q: %q (%d) allowed %v, want %v", text, said, piece, id, got[id], want)
				}
			}
			delete(got, end)
			if len(got) == 0 {
				break
			}
			ids := slices.Sorted(func(yield func(Token) bool) {
				for id := range got {
					if !yield(id) {
						return
					}
				}
			})
			next := ids[r.IntN(len(ids))]
			history, said = append(history, next), said+v.Pieces()[next]
		}
	}
}

// validOrBegins: text is UTF-8, but for a character that is not complete at its end.
func validOrBegins(text string) bool {
	for cut := range 4 {
		if cut <= len(text) && strings.ToValidUTF8(text[:len(text)-cut], "") == text[:len(text)-cut] {
			return cut == 0 || beginsCharacter(text[len(text)-cut:])
		}
	}
	return false
}

func beginsCharacter(bytes string) bool {
	lengths := map[bool]int{bytes[0] >= 0xC2 && bytes[0] < 0xE0: 2, bytes[0] >= 0xE0 && bytes[0] < 0xF0: 3, bytes[0] >= 0xF0 && bytes[0] < 0xF5: 4}
	return lengths[true] > len(bytes)
}

// beginsWith: some text that the reference derives begins with these bytes.
func beginsWith(g *Grammar, text string) bool {
	whole := strings.ToValidUTF8(text, "")
	if whole == text {
		begins, _ := g.match(text)
		return begins
	}
	rest := text[len(whole):]
	// Try each character that the grammar could mean: those in its classes.
	for i := 0; i < len(g.ranges); i += 2 {
		for r := g.ranges[i]; r <= g.ranges[i+1]; r++ {
			if strings.HasPrefix(string(rune(r)), rest) {
				if begins, _ := g.match(whole + string(rune(r))); begins {
					return true
				}
			}
		}
	}
	return false
}

// Where the grammar agrees with the choice, the choice is that of a sampler without one; where it
// does not, it is the most probable of those that fit.
func TestGrammarTakesTheBestThatFits(t *testing.T) {
	v := testModel(t).Vocab()
	end, _ := v.EOS()
	g := mustGrammar(t, "root ::= [a-z ]+")
	free := newSampler(t, SamplerOptions{RepeatPenalty: 1.3})
	s, err := NewSampler(v, SamplerOptions{RepeatPenalty: 1.3, Grammar: g, Ends: []Token{end}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := rand.New(rand.NewPCG(8, 9))
	same := 0
	for i := range 60 {
		logits := randomLogits(r, v.Size())
		logits[end] = -100
		best := draw(t, free, logits)
		got, row, err := s.Draw(logits)
		if err != nil || row != RowDrawn || strings.Trim(v.Pieces()[got], "abcdefghijklmnopqrstuvwxyz ") != "" {
			t.Fatalf("drew %q, %v, %v", v.Pieces()[got], row, err)
		}
		if got == best {
			same++
		}
		if i == 0 {
			for id, l := range logits {
				p := v.Pieces()[id]
				if l > logits[got] && p != "" && strings.Trim(p, "abcdefghijklmnopqrstuvwxyz ") == "" && v.Attr(Token(id))&AttrControl == 0 {
					t.Fatalf("%q (%g) fits better than %q (%g)", p, l, v.Pieces()[got], logits[got])
				}
			}
		}
	}
	if same == 0 || same == 60 {
		t.Errorf("%d of 60 were the free choice; both kinds should occur", same)
	}
}

func TestGrammarEndsWhereNothingFollows(t *testing.T) {
	v := testModel(t).Vocab()
	end, _ := v.EOS()
	logits := make([]float32, v.Size())
	for _, c := range []struct {
		grammar string
		ends    []Token
		want    RowState // of the draw behind one token
		token   Token
	}{
		{`root ::= "x"`, []Token{end}, RowDrawn, end},
		{`root ::= "x"`, nil, RowComplete, -1},
		{`root ::= "x" "\u0001"{3} "\uE000"`, []Token{end}, RowDrawn, -2},
	} {
		s, err := NewSampler(v, SamplerOptions{Grammar: mustGrammar(t, c.grammar), Ends: c.ends})
		if err != nil {
			t.Fatal(err)
		}
		if got, row, _ := s.Draw(logits); row != RowDrawn || v.Pieces()[got] != "x" {
			t.Fatalf("%s: drew %d, %v", c.grammar, got, row)
		}
		got, row, _ := s.Draw(logits)
		if row != c.want || c.token != -2 && got != c.token {
			t.Errorf("%s: drew %d, %v", c.grammar, got, row)
		}
		s.Close()
	}
}

// Ambiguity that doubles the derivations with every character ends the text, in bounded time.
func TestAmbiguityEndsTheText(t *testing.T) {
	v := testModel(t).Vocab()
	end, _ := v.EOS()
	for text, want := range map[string]RowState{
		`root ::= "a" root "b" | "a" root "c" | "a"`:                  RowStuck,
		`root ::= "(" root ")" root | "(" root root | "("`:            RowStuck,
		"root ::= x{14}\nx ::= ( \"a\" | \"aa\" | \"aaa\" | \"b\" )*": RowDrawn, // all ways come to the same
	} {
		s, err := NewSampler(v, SamplerOptions{Grammar: mustGrammar(t, text), Ends: []Token{end}})
		if err != nil {
			t.Fatal(err)
		}
		logits := make([]float32, v.Size())
		logits[end] = -1
		row := RowDrawn
		for n := 0; row == RowDrawn && n < 200; n++ {
			if _, row, err = s.Draw(logits); err != nil {
				t.Fatal(err)
			}
		}
		if row != want {
			t.Errorf("%s: %v, want %v", text, row, want)
		}
		if _, again, _ := s.Draw(logits); row == RowStuck && again != RowStuck {
			t.Errorf("%s: goes on as %v", text, again)
		}
		s.Close()
	}
}

func FuzzParseGrammar(f *testing.F) {
	f.Add("root ::= (\"a\" | [^b-c]+ | .){2,3} # x\n")
	f.Add("root ::= a | b\na ::= \"\\x41\\u00e9\"\nb ::= a{0,} a{2}")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := ParseGrammar(text)
		if err != nil {
			if !errors.Is(err, ErrGrammar) {
				t.Fatal(err)
			}
			return
		}
		if n := int32(len(g.items)); n > 2*maxGrammarItems || len(g.rules) > maxGrammarRules+1 {
			t.Fatalf("%d items, %d rules", n, len(g.rules))
		}
		for _, v := range g.items {
			if v != endOfSequence && (v >= int32(len(g.negated)) || -1-v >= int32(len(g.rules)-1)) {
				t.Fatalf("item %d points nowhere", v)
			}
		}
	})
}
