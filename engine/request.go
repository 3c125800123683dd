// Package engine runs a model: it loads weights, decides what is computed next for the many
// people who wait, and hands out text as it is decoded.
package engine

import (
	"errors"
	"fmt"
	"time"

	"aigw/engine/llama"
	"aigw/engine/sched"
	"aigw/models"
)

// Class orders work that waits for the same model: a lower class goes first.
type Class = sched.Class

// The classes.
const (
	Completion = sched.Completion // somebody is typing
	Generation = sched.Generation // somebody asked for code and watches
	Chat       = sched.Chat       // somebody reads an answer
	Background = sched.Background // nobody waits

	Classes = sched.Classes // how many there are
)

// Request is one generation.
type Request struct {
	Prompt    []models.Token
	MaxTokens int // most tokens to generate; at least 1
	Sampling  models.Sampling
	Stops     models.Stops
	Class     Class
	// Owner is whose request it is. With KVSharing "user" only requests of one owner share what is
	// computed of their prompts, and those of unknown owners share nothing.
	Owner string
	// Keep is how many tokens the prompt begins with that many others will begin with, too: they
	// stay in the cache longest.
	Keep int
	// Grammar, unless nil, confines the text to what it derives: the generation ends by a stop token only
	// where the text is complete, or where nothing may follow; a stop text or MaxTokens may still cut it.
	Grammar *Grammar
	// Choice weighs the texts that Grammar lets follow behind the first line of the text; see Weighted.
	Choice []Weighted

	// Bias is added to the logits of tokens.
	Bias []Bias
	// Tokens, unless nil, is told of the answer's tokens, on the caller's goroutine and before their text is
	// emitted. Best is how many others each comes with.
	Tokens func([]Drawn)
	Best   int

	trace func(models.Token) // tests see the ids; called under the engine's lock
}

// Bias is added to the logit of a token.
type Bias = llama.Bias

// Bounds of a request's Bias and Best.
const (
	MaxBias = llama.MaxBias
	MaxBest = llama.MaxLogprobs - 1
)

// Drawn is a token of an answer.
type Drawn struct {
	Ranked
	Best []Ranked // the most probable ones in its place
}

// Ranked is a token with its log probability by the model alone, before penalties, filters and temperature.
type Ranked struct {
	ID      models.Token
	Bytes   string // may be a part of a character
	Logprob float32
}

// Finish says why a generation ended.
type Finish string

const (
	FinishStop   Finish = "stop"   // a stop token or stop text
	FinishLength Finish = "length" // MaxTokens, or the end of the context
)

// Result is what is known of a generation once it has ended.
type Result struct {
	Finish       Finish
	StopText     string        // of the request's Stops, the text that ended it; empty if none did
	StopToken    models.Token  // of the request's Stops, the token that ended it; -1 if none did
	PromptTokens int           // length of the prompt
	CachedTokens int           // of these, taken from the KV cache instead of computed
	OutputTokens int           // generated, the stop token not counted
	Queue        time.Duration // from admission to the first prompt token computed
	Prefill      time.Duration // from there to the first generated token
	Decode       time.Duration // from there to the last
}

// ErrEnough is returned by a caller that needs no more text: the generation then ends as if the
// model itself had stopped.
var ErrEnough = errors.New("no more text is needed")

// RequestError refuses a request that is wrong by itself: whoever sent it has to change it.
type RequestError struct{ reason string }

func (e *RequestError) Error() string { return e.reason }

func wrongf(format string, args ...any) error { return &RequestError{fmt.Sprintf(format, args...)} }

// ErrClosed is returned by an engine that is shutting down.
var ErrClosed = errors.New("engine is closed")

// BusyError refuses a request because its class has no place in the queue, or because its turn
// would come too late to be of use.
type BusyError struct {
	// Wait estimates, from the pace at which requests leave, when it would have its turn.
	Wait time.Duration
	Why  Busy
}

// Busy is why a request cannot be taken, for those who count.
type Busy string

const (
	QueueFull  Busy = "queue_full"  // as many of its class wait as may
	TooLate    Busy = "too_late"    // its turn would come after its deadline
	TurnPassed Busy = "turn_passed" // it waited, and its turn did not come in time
)

func (e *BusyError) Error() string {
	return fmt.Sprintf("all places are taken; try again in %s", e.Wait.Round(time.Second))
}
