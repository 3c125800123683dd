package engine

import (
	"errors"
	"sync"

	"aigw/engine/llama"
	"aigw/models"
)

// Vocabulary is a loaded model's tokenizer. It may be used concurrently.
type Vocabulary struct {
	v      *llama.Vocab
	own    *llama.Model // loaded for the vocabulary alone; nil where an Engine owns the model
	pieces []string     // bytes of every token, so that decoding needs no crossing into C
	kept   *keptTokens  // nil where texts are tokenized whole

	mu       sync.Mutex
	template *Template // made when it is first asked for
}

func newVocabulary(m *llama.Model) *Vocabulary {
	return &Vocabulary{v: m.Vocab(), pieces: m.Vocab().Pieces(), kept: newKeptTokens(m)}
}

// OpenVocabulary loads the tokenizer of a model without its weights. Of o it takes Model,
// Overrides, BackendDir and Logger.
func OpenVocabulary(o Options) (*Vocabulary, error) {
	if err := llama.Init(llama.InitOptions{Logger: o.Logger, BackendDir: o.BackendDir}); err != nil {
		return nil, err
	}
	mo := o.modelOptions()
	mo.VocabOnly = true
	model, err := llama.LoadModel(o.Model, mo)
	if err != nil {
		return nil, err
	}
	v := newVocabulary(model)
	v.own = model
	return v, nil
}

// Close frees a vocabulary that OpenVocabulary loaded. One that belongs to an Engine lives as
// long as that.
func (v *Vocabulary) Close() error {
	if v.own == nil {
		return nil
	}
	return errors.Join(v.closeTemplate(), v.own.Close())
}

// Size is the number of tokens.
func (v *Vocabulary) Size() int { return len(v.pieces) }

// Tokenize implements models.Tokenizer. Of a text that was mostly seen before, only the rest is
// tokenized.
func (v *Vocabulary) Tokenize(text string) ([]models.Token, error) {
	if v.kept != nil {
		return v.kept.tokens(text)
	}
	return v.v.Tokenize(text, false, false)
}

// TokenizeSpecial is Tokenize for a text in which the spelling of a special token means that token. It is for
// callers who may choose all tokens anyway.
func (v *Vocabulary) TokenizeSpecial(text string) ([]models.Token, error) {
	return v.v.Tokenize(text, false, true)
}

// Piece implements models.Tokenizer. A token outside the vocabulary has no bytes.
func (v *Vocabulary) Piece(t models.Token) string {
	if t < 0 || int(t) >= len(v.pieces) {
		return ""
	}
	return v.pieces[t]
}

// BOS implements models.Tokenizer: the token is there only if prompts are to begin with it.
func (v *Vocabulary) BOS() (models.Token, bool) {
	if !v.v.AddBOS() {
		return 0, false
	}
	return v.v.BOS()
}

// EndTokens implements models.Tokenizer.
func (v *Vocabulary) EndTokens() []models.Token { return v.v.EOGTokens() }
