package models

import "fmt"

// Recognition is what a file's header tells about the model in it.
type Recognition struct {
	Family Family
	Role   Role
	// FIM says that the model fills in the middle; Layout is how ("psm" or "spm"), or "prefix".
	FIM    bool
	Layout string
	// NoFIM says why a model that could be expected to fill in the middle does not.
	NoFIM string
	// Chat is the format of conversations; NoChat is the reason if there is none.
	Chat   ChatFormat
	NoChat string
	// Template is the chat template of the file, if it has one.
	Template string

	Architecture string
	Context      int // tokens that the model was trained on
	Tokenizer    TokenizerInfo

	// Evidence says what decided family, role and formats, in the order of the decisions.
	Evidence []string
	Defects  []Defect
	// Overrides repair the defects that llama.cpp would stumble over: the file must be loaded
	// with them (llama_model_params.kv_overrides).
	Overrides []Override

	file    string
	marks   marks
	bos     Token // noToken: none
	ownBOS  bool  // the family decides on BOS; otherwise the tokenizer does
	stops   []Token
	end     Token            // EOS of the vocabulary
	chatIDs map[string]Token // markers of the chat format
	control map[Token]string
}

// TokenizerInfo describes a vocabulary.
type TokenizerInfo struct {
	Model      string // tokenizer.ggml.model
	Pre        string // tokenizer.ggml.pre, repaired
	Pieces     int
	DummySpace bool // a space is put before each text
}

// Override replaces a scalar of the metadata: a bool or a string of up to 127 bytes.
type Override struct {
	Key   string
	Value any
}

// Effect is what a defect leads to.
type Effect string

// The effects.
const (
	Repaired Effect = "repaired" // nothing is lost
	Warned   Effect = "warned"   // the model works, perhaps less well
	Refused  Effect = "refused"  // the model cannot be used
)

// Defect is something wrong in a file.
type Defect struct {
	Key    string // metadata key, or what else is wrong
	Found  string
	Used   string // what is used instead, or what to do
	Effect Effect
}

func (d Defect) String() string {
	return fmt.Sprintf("%s: %s %s; %s", d.Effect, d.Key, d.Found, d.Used)
}

// Err returns the *Refusal of a model that cannot be used, naming file, or nil.
func (r *Recognition) Err(file string) error {
	for _, d := range r.Defects {
		if d.Effect == Refused {
			return &Refusal{File: file, Key: d.Key, Found: d.Found, Do: d.Used}
		}
	}
	return nil
}

// noToken stands for a token that a vocabulary does not have.
const noToken Token = -1

// marks are the tokens that mark the parts of a prompt.
type marks struct{ prefix, suffix, middle, file, repo Token }
