// Package models knows what a model is: the GGUF file, its family, and the exact token ids
// that the family must see. It loads nothing and computes nothing; what it needs of an engine
// it declares as a small interface.
package models

import "fmt"

// Token is an id in a model's vocabulary.
type Token = int32

// Tokenizer is what a codec needs of a loaded vocabulary. It may be used concurrently.
type Tokenizer interface {
	// Tokenize returns the ids of text taken as plain text: no BOS is added and no special
	// token is parsed out of it. Invalid UTF-8 must have been replaced before.
	Tokenize(text string) ([]Token, error)
	// Piece returns the bytes of a token as they appear in a generated text.
	Piece(t Token) string
	// BOS returns the token to start a prompt with, if the vocabulary wants one.
	BOS() (Token, bool)
	// EndTokens returns the ids that end a generation.
	EndTokens() []Token
}

// Sampling says how the next token is chosen. The zero value is greedy decoding.
type Sampling struct {
	Temperature   float32 // 0 picks the most probable token
	TopK          int     // keep the K most probable tokens; 0 keeps all
	TopP          float32 // keep the smallest set with this probability; 0 or 1 keeps all
	MinP          float32 // drop tokens below this share of the best one's probability; 0 drops none
	RepeatPenalty float32 // divides the logits of recent tokens; 0 or 1 is off
	RepeatLastN   int     // how many tokens back RepeatPenalty looks; 0 means 64
	Seed          *uint32 // nil draws a seed
	// FrequencyPenalty is taken from the logit of a token for each time that it stands in the answer,
	// PresencePenalty once if it does; 0 is off.
	FrequencyPenalty, PresencePenalty float32
}

// Stops ends a generation; neither tokens nor texts become part of the answer.
type Stops struct {
	Tokens []Token
	Texts  []string // may straddle tokens
}

// Prompt is what a codec makes of a request, ready for the engine.
type Prompt struct {
	Tokens   []Token
	Stops    Stops
	Sampling Sampling
	// Layout names the arrangement, for logs and `aigw tokenize`: "prefix" (text above the cursor
	// alone), "psm" and "spm" (fill-in-the-middle, the suffix last or first), "text" (as the
	// caller wrote it), "chat".
	Layout string
	// Calls is how the answer writes calls of tools; nil where there are none to call.
	Calls *CallFormat
	// PrefixTokens and SuffixTokens count what was kept of the text around the cursor.
	PrefixTokens, SuffixTokens int
	// ContextSent and ContextUsed count the tokens of other files before and after cutting; of
	// what was cut off they are estimated from its bytes.
	ContextSent, ContextUsed int
}

// Code is a place in a source file that wants a suggestion. All texts are UTF-8.
type Code struct {
	Project  string // path of the project, such as "group/project"; may be empty
	FileName string
	Language string // editor's language id; may be empty
	Prefix   string // text above the cursor
	Suffix   string // text below the cursor
	Context  []File // other files worth knowing, most useful first
}

// File is a named text.
type File struct{ Name, Text string }

// Codec lays out prompts for one model. It may be used concurrently.
type Codec interface {
	// Family is the name of the model family, such as "codestral" or "generic".
	Family() string
	// Completion lays out code for a suggestion at the cursor in at most room tokens, cutting
	// what is farthest from the cursor first.
	Completion(code Code, room int) (Prompt, error)
	// Text takes a prompt that the caller has already written. It is refused with
	// *TooLongError if it needs more than room tokens.
	Text(prompt string, room int) (Prompt, error)
}

// TooLongError refuses a request that can never fit.
type TooLongError struct {
	Tokens int // tokens of prompt and answer wanted
	Limit  int // tokens that one request may hold
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("prompt and answer need %d tokens, this model holds %d for one request; shorten the prompt or raise --ctx", e.Tokens, e.Limit)
}
