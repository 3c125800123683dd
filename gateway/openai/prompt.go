package openai

import (
	"encoding/json"
	"strings"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
)

// asked is a prompt that is laid out for a model.
type asked struct {
	model  *serving.Model
	prompt models.Prompt
	class  engine.Class
	most   int       // tokens of an answer
	plan   *callPlan // nil: the answer calls no tools
	echo   string    // what the answer begins with: the prompt, where that is wanted
}

// Answers of who sets no limit, in tokens.
const (
	plainAnswer  = 16   // OpenAI's own for /v1/completions
	fillInAnswer = 128  // GitLab's for a completion
	longAnswer   = 2048 // of conversations, and of llama-server's routes, where it is the end of the context
)

// least is the space that is kept for an answer where the prompt can be cut: a quarter of the context,
// if so much is wanted.
func space(model *serving.Model, answer int) (prompt int) {
	return model.ContextSize - min(answer, max(1, model.ContextSize/4))
}

// rest bounds an answer by what the prompt leaves of the context.
func (a *asked) rest(answer int) *asked {
	a.most = max(1, min(answer, a.model.ContextSize-len(a.prompt.Tokens)))
	return a
}

// fillIn lays out code for what belongs between two texts. All of it is used if it fits; else it is cut
// as for GitLab's editors.
func fillIn(model *serving.Model, code models.Code, answer int) (*asked, error) {
	a := &asked{model: model, class: engine.Completion}
	room := space(model, answer)
	// A codec divides the room that it is given. Where everything may fit, it gets enough for all parts.
	const bytesPerToken, ample = 8, 16
	size := len(code.Prefix) + len(code.Suffix)
	for _, f := range code.Context {
		size += len(f.Text)
	}
	if size <= room*bytesPerToken {
		prompt, err := model.Codec.Completion(code, room*ample)
		if err != nil {
			return nil, err
		}
		if len(prompt.Tokens) <= room {
			a.prompt = prompt
			return a.rest(answer), nil
		}
	}
	var err error
	if a.prompt, err = model.Codec.Completion(code, room); err != nil {
		return nil, err
	}
	return a.rest(answer), nil
}

// markers begin the special tokens of known families, such as <|im_start|> or [INST].
var markers = []string{"<|", "<｜", "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[SUFFIX]", "[PREFIX]", "<start_of_turn>", "<fim_", "<file_sep>", "<s>", "</s>", "<bos>", "<PRE>", "<EOT>"}

// speller is a tokenizer that can also read the spelling of special tokens.
type speller interface {
	TokenizeSpecial(text string) ([]models.Token, error)
}

// plain lays out a text that the caller has written whole. Special tokens in it are read as such, as
// by llama-server: whoever writes a prompt by hand means them, and could send their ids as well. Code
// that is to be filled in is laid out again for this model.
func plain(model *serving.Model, text string, answer int) (*asked, error) {
	if prefix, suffix, ok := models.ParseFillIn(text); ok {
		return fillIn(model, models.Code{Prefix: prefix, Suffix: suffix}, answer)
	}
	a := &asked{model: model, class: engine.Generation}
	var err error
	if a.prompt, err = model.Codec.Text(text, model.ContextSize-1); err != nil {
		return nil, err
	}
	special, ok := model.Vocabulary.(speller)
	if !ok || !containsAny(text, markers) {
		return a.rest(answer), nil
	}
	start, err := model.Codec.Text("", model.ContextSize-1) // what every prompt begins with
	if err != nil {
		return nil, err
	}
	ids, err := special.TokenizeSpecial(strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil {
		return nil, err
	}
	if bos, has := model.Vocabulary.BOS(); has && len(start.Tokens) > 0 && start.Tokens[0] == bos && (len(ids) == 0 || ids[0] != bos) {
		ids = append([]models.Token{bos}, ids...)
	}
	a.prompt.Tokens = ids
	if len(ids) >= model.ContextSize {
		return nil, &models.TooLongError{Tokens: len(ids) + 1, Limit: model.ContextSize}
	}
	return a.rest(answer), nil
}

func containsAny(text string, parts []string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// tokens lays out a prompt that is tokens already.
func tokens(model *serving.Model, ids []models.Token, answer int) (*asked, error) {
	if model.Elsewhere {
		return nil, unsupported("prompt", "model %s is at another server, and its tokens are not known here; send text", model.Name)
	}
	if len(ids) >= model.ContextSize {
		return nil, &models.TooLongError{Tokens: len(ids) + 1, Limit: model.ContextSize}
	}
	empty, err := model.Codec.Text("", model.ContextSize-1) // for its stops
	if err != nil {
		return nil, err
	}
	a := &asked{model: model, class: engine.Generation, prompt: empty}
	a.prompt.Tokens = ids
	if v, ok := model.Vocabulary.(interface{ Size() int }); ok {
		for _, id := range ids {
			if id < 0 || int(id) >= v.Size() {
				return nil, invalid("prompt", "token %d is not in the vocabulary of %d", id, v.Size())
			}
		}
	}
	return a.rest(answer), nil
}

// prompts are what /v1/completions continues: a text, a list of texts, tokens, a list of lists of tokens.
type prompts []promptText

// promptText is one of them; of ids there are none where it is a text.
type promptText struct {
	text string
	ids  []models.Token
}

// mostPrompts bounds those of one request.
const mostPrompts = 64

// UnmarshalJSON implements json.Unmarshaler.
func (p *prompts) UnmarshalJSON(raw []byte) error {
	var one promptText
	if one.UnmarshalJSON(raw) == nil {
		*p = prompts{one}
		return nil
	}
	if string(raw) == "null" {
		return nil
	}
	var many []promptText
	if json.Unmarshal(raw, &many) != nil || len(many) == 0 {
		return mistyped("prompt", "prompt has to be a string, a list of strings, a list of tokens, or a list of lists of tokens")
	}
	if len(many) > mostPrompts {
		return invalid("prompt", "there are %d prompts; at most %d are supported in one request", len(many), mostPrompts)
	}
	*p = many
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *promptText) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return json.Unmarshal(raw, &p.text)
	}
	if err := json.Unmarshal(raw, &p.ids); err != nil || len(p.ids) == 0 {
		return invalid("prompt", "a list of tokens is empty or holds something else")
	}
	return nil
}

// spelled is a prompt as a text.
func (p promptText) spelled(model *serving.Model) string {
	if p.ids == nil || model.Vocabulary == nil {
		return p.text
	}
	var text strings.Builder
	for _, id := range p.ids {
		text.WriteString(model.Vocabulary.Piece(id))
	}
	return strings.ToValidUTF8(text.String(), "\uFFFD")
}

func (p promptText) lay(model *serving.Model, answer int) (*asked, error) {
	if p.ids != nil {
		return tokens(model, p.ids, answer)
	}
	return plain(model, p.text, answer)
}
