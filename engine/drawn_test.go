package engine

import (
	"strings"
	"testing"

	"aigw/models"
)

// The tokens that a request asks for are those whose text it got: what stop texts drop is not among them.
func TestTokensOfAnAnswer(t *testing.T) {
	e := loadReal(t, Options{Context: 2048})
	for name, req := range map[string]Request{
		"a limit":   {MaxTokens: 10},
		"a stop":    {MaxTokens: 30, Stops: models.Stops{Texts: []string{"."}}},
		"emoji":     {MaxTokens: 12, Bias: []Bias{{Token: tokenize(t, e, "🤗")[0], Add: 60}}},
		"penalties": {MaxTokens: 20, Sampling: models.Sampling{FrequencyPenalty: 1, PresencePenalty: 1}},
	} {
		var text, bytes strings.Builder
		req.Prompt, req.Best = tokenize(t, e, "The capital of France is"), 3
		var tokens []Drawn
		req.Tokens = func(more []Drawn) { tokens = append(tokens, more...) }
		res, err := e.Generate(t.Context(), req, func(piece string) error {
			text.WriteString(piece)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, token := range tokens {
			bytes.WriteString(token.Bytes)
			if token.Logprob > 0 || len(token.Best) != 3 || token.Best[0].Logprob < token.Best[1].Logprob || name == "a limit" && token.Best[0] != token.Ranked {
				t.Errorf("%s: token %d is %+v", name, i, token)
			}
		}
		if whole := bytes.String(); !strings.HasPrefix(whole, text.String()) && name != "emoji" || len(tokens) > res.OutputTokens || len(tokens) == 0 || name == "a limit" && whole != text.String() {
			t.Errorf("%s: tokens %q, text %q, %+v", name, whole, text.String(), res)
		}
	}
}

func TestDrawnTokensWaitForTheirText(t *testing.T) {
	d := drawn{}
	for _, piece := range []string{"ab", "", "c", "de"} {
		d.waiting = append(d.waiting, Drawn{Ranked: Ranked{Bytes: piece}})
	}
	for _, step := range []struct {
		shown int
		last  bool
		want  int
	}{{1, false, 0}, {2, false, 2}, {4, false, 1}, {4, true, 1}} {
		if got := d.take(step.shown, step.last); len(got) != step.want {
			t.Errorf("%+v: %d tokens", step, len(got))
		}
	}
	if len(d.take(4, true)) != 0 {
		t.Error("a token was given twice")
	}
}
