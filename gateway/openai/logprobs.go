package openai

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"aigw/engine"
	"aigw/models"
)

// mostLogprobs is OpenAI's bound of top_logprobs.
const mostLogprobs = engine.MaxBest

// chatLogprobs are the log probabilities of a conversation's answer.
type chatLogprobs struct {
	Content []tokenLogprobs `json:"content"`
}

type tokenLogprobs struct {
	tokenLogprob
	TopLogprobs []tokenLogprob `json:"top_logprobs"`
}

type tokenLogprob struct {
	ID      *models.Token `json:"id,omitempty"` // llama-server's
	Token   string        `json:"token"`
	Logprob float32       `json:"logprob"`
	Bytes   []int         `json:"bytes"`
}

// textLogprobs are those of /v1/completions.
type textLogprobs struct {
	Tokens        []string             `json:"tokens"`
	TokenLogprobs []float32            `json:"token_logprobs"`
	TopLogprobs   []map[string]float32 `json:"top_logprobs"`
	TextOffset    []int                `json:"text_offset"` // characters before the token in the answer
}

// probability writes a token in the form of conversations.
func probability(r engine.Ranked, withID bool) tokenLogprob {
	t := tokenLogprob{Token: strings.ToValidUTF8(r.Bytes, "\uFFFD"), Logprob: r.Logprob, Bytes: make([]int, len(r.Bytes))}
	for i := range t.Bytes {
		t.Bytes[i] = int(r.Bytes[i])
	}
	if withID {
		t.ID = &r.ID
	}
	return t
}

func probabilities(tokens []engine.Drawn, withIDs bool) []tokenLogprobs {
	out := make([]tokenLogprobs, 0, len(tokens))
	for _, t := range tokens {
		p := tokenLogprobs{probability(t.Ranked, withIDs), make([]tokenLogprob, 0, len(t.Best))}
		for _, b := range t.Best {
			p.TopLogprobs = append(p.TopLogprobs, probability(b, withIDs))
		}
		out = append(out, p)
	}
	return out
}

// chatLogprobs returns those of some tokens; nil where none were asked for.
func (x *choice) chatLogprobs(tokens []engine.Drawn) *chatLogprobs {
	if !x.wants {
		return nil
	}
	return &chatLogprobs{probabilities(tokens, false)}
}

// textLogprobs returns those of some tokens, which stand behind offset characters of the answer; nil where
// none were asked for.
func (x *choice) textLogprobs(tokens []engine.Drawn, offset int) *textLogprobs {
	if !x.wants {
		return nil
	}
	out := &textLogprobs{Tokens: []string{}, TokenLogprobs: []float32{}, TopLogprobs: []map[string]float32{}, TextOffset: []int{}}
	for _, t := range tokens {
		out.Tokens = append(out.Tokens, spelling(t.Bytes))
		out.TokenLogprobs = append(out.TokenLogprobs, t.Logprob)
		out.TextOffset = append(out.TextOffset, offset)
		best := map[string]float32{}
		for _, b := range t.Best {
			if s := spelling(b.Bytes); best[s] == 0 { // the first of a spelling is the most probable
				best[s] = b.Logprob
			}
		}
		if len(t.Best) > 0 {
			best[spelling(t.Bytes)] = t.Logprob // OpenAI's list has the token itself, too
		}
		out.TopLogprobs = append(out.TopLogprobs, best)
		offset += characters(t.Bytes)
	}
	return out
}

// spelling is a token in /v1/completions: OpenAI writes the bytes of what is a part of a character only.
func spelling(piece string) string {
	if utf8.ValidString(piece) {
		return piece
	}
	var b strings.Builder
	b.WriteString("bytes:")
	for i := range len(piece) {
		fmt.Fprintf(&b, `\x%02x`, piece[i])
	}
	return b.String()
}

// characters counts those that begin in a piece.
func characters(piece string) (n int) {
	for i := range len(piece) {
		if utf8.RuneStart(piece[i]) {
			n++
		}
	}
	return n
}

// mean is the mean log probability of an answer's tokens, by which best_of chooses.
func (x *choice) mean() float64 {
	sum := 0.0
	for _, t := range x.tokens {
		sum += float64(t.Logprob)
	}
	return sum / float64(max(1, len(x.tokens)))
}

// keep leaves the best answers to each prompt, in the order of their mean log probability.
func (j *job) keep(best int) {
	var out []*choice
	for from := 0; from < len(j.choices); {
		to := from
		for to < len(j.choices) && j.choices[to].asked == j.choices[from].asked {
			to++
		}
		group := slices.Clone(j.choices[from:to])
		slices.SortStableFunc(group, func(a, b *choice) int {
			switch x, y := a.mean(), b.mean(); {
			case x > y:
				return -1
			case x < y:
				return 1
			}
			return 0
		})
		out = append(out, group[:min(best, len(group))]...)
		from = to
	}
	for i, x := range out {
		x.index = i
	}
	j.choices = out
}

// biases is logit_bias: what is added to the logits of tokens, by their ids.
type biases []engine.Bias

// UnmarshalJSON implements json.Unmarshaler. OpenAI's form is an object, llama-server has lists of pairs, too, and
// false for a token that must not come.
func (b *biases) UnmarshalJSON(raw []byte) error {
	wrong := func() error {
		return mistyped("logit_bias", "logit_bias has to be an object of token ids and numbers from -100 to 100")
	}
	add := func(id, value json.RawMessage) bool {
		text := strings.Trim(string(id), `"`)
		token, err := strconv.ParseInt(text, 10, 32)
		amount := -100.0
		if string(value) == "null" || string(value) != "false" && json.Unmarshal(value, &amount) != nil {
			return false
		}
		*b = append(*b, engine.Bias{Token: models.Token(token), Add: float32(amount)})
		return err == nil
	}
	*b = nil
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) == nil {
		for id, value := range members {
			if !add(json.RawMessage(id), value) {
				return wrong()
			}
		}
		slices.SortFunc(*b, func(x, y engine.Bias) int { return int(x.Token) - int(y.Token) })
		return nil
	}
	var pairs [][]json.RawMessage
	if json.Unmarshal(raw, &pairs) != nil {
		return wrong()
	}
	for _, pair := range pairs {
		if len(pair) != 2 || !add(pair[0], pair[1]) {
			return wrong()
		}
	}
	return nil
}

// check refuses what is out of bounds.
func (b biases) check() error {
	if len(b) > engine.MaxBias {
		return invalid("logit_bias", "logit_bias has %d tokens; at most %d are supported", len(b), engine.MaxBias)
	}
	for _, one := range b {
		if !(one.Add >= -100 && one.Add <= 100) {
			return invalid("logit_bias", "logit_bias of token %d is %v; it has to be from -100 to 100", one.Token, one.Add)
		}
	}
	return nil
}

// fit refuses tokens that a model does not have.
func (b biases) fit(vocabulary models.Tokenizer) error {
	v, ok := vocabulary.(interface{ Size() int })
	for _, one := range b {
		if one.Token < 0 || ok && int(one.Token) >= v.Size() {
			return invalid("logit_bias", "logit_bias names token %d, which is not in the vocabulary", one.Token)
		}
	}
	return nil
}
