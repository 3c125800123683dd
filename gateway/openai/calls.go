package openai

import (
	"context"
	"errors"
	"slices"
	"strings"

	"aigw/engine"
	"aigw/gateway/grammar"
	"aigw/models"
)

// piece is a part of an answer: text, or a part of a call.
type piece struct {
	text   string
	tokens []engine.Drawn // where log probabilities are asked for
	call   *callPiece
}

// callPiece is a part of a call's arguments; the first one of a call has its id and name.
type callPiece struct {
	index     int
	id, name  string
	arguments string
}

// callPlan is how an answer may call tools.
//
// An answer that may call begins without a grammar. Where it writes the mark of a call, or begins like one,
// it is ended, and a second generation goes on from there with the grammar of calls: what was computed
// before is in the cache. So text is free and arguments always follow their schema.
type callPlan struct {
	*toolUse
	format *models.CallFormat
	// lay lays out the conversation with the beginning of the answer.
	lay func(begun string) (models.Prompt, error)
	// stops are the model's own; those of the request are for text.
	stops models.Stops
}

// produce has an answer generated, with calls if it may have them.
func (j *job) produce(ctx context.Context, x *choice, emit func(piece) error) error {
	say := func(text string) error {
		if text == "" {
			return nil
		}
		x.text.WriteString(text)
		return emit(piece{text: text, tokens: x.news()})
	}
	if x.plan == nil {
		return j.generate(ctx, x, say)
	}
	begun, limit := "", x.work.MaxTokens
	var before engine.Result
	functions := x.plan.functions("")
	if !x.plan.must {
		w := callWatch{functions: functions}
		x.work.Stops = x.plan.watched(x.work.Stops)
		err := j.generate(ctx, x, func(text string) error {
			err := say(w.push(text))
			if err == nil && w.called != "" {
				err = engine.ErrEnough
			}
			return err
		})
		if err != nil {
			return err
		}
		switch {
		case w.called != "":
			functions = x.plan.functions(w.called)
		case x.plan.begins(x.result):
			begun = w.all.String()
		default:
			return say(w.rest())
		}
		before = x.result
	}
	prompt, err := x.plan.lay(begun)
	if err != nil {
		return err
	}
	confined, err := engine.ParseGrammar(grammar.Calls(x.plan.frame(), functions))
	if wrong := (*engine.GrammarError)(nil); errors.As(err, &wrong) {
		return invalid("tools", "the schemas of the tools cannot be kept to: %s", err)
	} else if err != nil {
		return err
	}
	x.work.Prompt = slices.Concat(prompt.Tokens, x.plan.format.Begin)
	x.work.Grammar, x.work.Stops = confined, x.plan.stops
	x.work.Tokens, x.work.Bias = nil, nil // both are for text
	x.tokens, x.fresh = within(x.tokens, x.text.Len()), nil
	x.work.MaxTokens = min(limit-before.OutputTokens, x.model.ContextSize-len(x.work.Prompt))
	if x.work.MaxTokens < 1 {
		x.result.Finish = engine.FinishLength
		return nil
	}
	read := callReader{frame: x.plan.frame(), functions: functions}
	var written strings.Builder
	take := func(text string) error {
		written.WriteString(text)
		for _, p := range read.push(text) {
			x.call(p)
			if err := emit(piece{call: &p}); err != nil {
				return err
			}
		}
		return nil
	}
	err = j.generate(ctx, x, take)
	if err == nil && x.plan.must && x.result.Finish == engine.FinishLength {
		// A call was asked for, and the limit has cut it off: what is missing is as short as may be.
		if rest, ok := confined.Complete(written.String()); ok {
			err = take(rest)
		}
	}
	if before.PromptTokens > 0 {
		x.result.PromptTokens, x.result.CachedTokens = before.PromptTokens, before.CachedTokens
		x.result.OutputTokens += before.OutputTokens
		x.result.Queue, x.result.Prefill = before.Queue, before.Prefill
		x.result.Decode += before.Decode
	}
	return err
}

// news are the tokens since the last piece.
func (x *choice) news() (tokens []engine.Drawn) {
	tokens, x.fresh = x.fresh, nil
	return tokens
}

// within are the tokens that begin in the first bytes of an answer: what follows became a call.
func within(tokens []engine.Drawn, bytes int) []engine.Drawn {
	at := 0
	for i, t := range tokens {
		if at >= bytes {
			return tokens[:i]
		}
		at += len(t.Bytes)
	}
	return tokens
}

// call adds a piece to the answer's calls.
func (x *choice) call(p callPiece) {
	if p.index == len(x.calls) {
		x.calls = append(x.calls, models.ToolCall{ID: p.id, Name: p.name})
	}
	x.calls[p.index].Arguments += p.arguments
}

// functions are those that may be called: all, or one.
func (p *callPlan) functions(only string) (out []grammar.Function) {
	for _, t := range p.tools {
		if only == "" || only == t.Name {
			out = append(out, grammar.Function{Name: t.Name, Schema: t.Parameters})
		}
	}
	return out
}

func (p *callPlan) frame() grammar.Frame {
	f := grammar.Frame{Open: p.format.Open, Between: p.format.Between, Close: p.format.Close, Arguments: p.format.Arguments}
	if !p.parallel {
		f.Between = ""
	}
	return f
}

// watched adds the mark of a call to what ends an answer.
func (p *callPlan) watched(s models.Stops) models.Stops {
	if text := p.format.StopText; text != "" {
		s.Texts = append(s.Texts[:len(s.Texts):len(s.Texts)], text)
	}
	if t := p.format.StopToken; t != models.NoToken {
		s.Tokens = append(s.Tokens[:len(s.Tokens):len(s.Tokens)], t)
	}
	return s
}

// begins says whether an answer has ended with the mark of a call.
func (p *callPlan) begins(r engine.Result) bool {
	if r.Finish != engine.FinishStop {
		return false
	}
	return p.format.StopText != "" && r.StopText == p.format.StopText || p.format.StopToken != models.NoToken && r.StopToken == p.format.StopToken
}

// callWatch passes on what is text of an answer, until it calls. White space is held back until something
// follows, and the beginning of the answer as long as it may be that of a call: models write calls without
// their mark, too.
type callWatch struct {
	functions []grammar.Function
	all       strings.Builder
	held      string
	open      bool   // it is text
	called    string // the function's name
}

// push returns what may be shown.
func (w *callWatch) push(text string) string {
	w.all.WriteString(text)
	w.held += text
	if !w.open {
		name, maybe := w.begins(w.held)
		if w.called = name; name != "" || maybe {
			return ""
		}
		w.open = true
	}
	kept := len(strings.TrimRight(w.held, " \t\r\n"))
	show := w.held[:kept]
	w.held = w.held[kept:]
	return show
}

// rest returns what is left of an answer that calls nothing.
func (w *callWatch) rest() string { return w.held }

// mostHeld bounds what is held back for the beginning of a call, in bytes.
const mostHeld = 1024

// begins says which function a text begins to call; or whether it may still come to it.
func (w *callWatch) begins(text string) (name string, maybe bool) {
	rest := strings.TrimLeft(text, " \t\r\n")
	if len(text) > mostHeld {
		return "", false
	}
	ok := true
	// take takes one of some texts off rest, with the white space behind it.
	take := func(must bool, texts ...string) {
		if !ok || maybe {
			return
		}
		for _, t := range texts {
			if after, found := strings.CutPrefix(rest, t); found {
				rest = strings.TrimLeft(after, " \t\r\n")
				return
			}
			if strings.HasPrefix(t, rest) {
				maybe = true
			}
		}
		ok = !must
	}
	take(false, "```json", "```")
	take(false, "[")
	take(true, "{")
	take(false, `"type"`)
	take(false, `: "function",`, `:"function",`)
	take(true, `"name"`)
	take(true, ":")
	if maybe || !ok {
		return "", maybe
	}
	for _, f := range w.functions {
		if strings.HasPrefix(rest, `"`+f.Name+`"`) {
			return f.Name, false
		}
		maybe = maybe || strings.HasPrefix(`"`+f.Name+`"`, rest)
	}
	return "", maybe
}

// callReader takes calls out of an answer that a grammar keeps to its frame.
type callReader struct {
	frame     grammar.Frame
	functions []grammar.Function
	buffer    string
	calls     int
	within    bool // the arguments of a call
	depth     int
	quoted    bool
	escaped   bool
}

// push returns the parts of calls that a piece of the answer adds.
func (r *callReader) push(text string) (out []callPiece) {
	r.buffer += text
	for {
		if !r.within {
			name, rest, ok := r.head()
			if !ok {
				return out
			}
			r.buffer, r.within = rest, true
			out = append(out, callPiece{index: r.calls, id: newID("call_"), name: name})
		}
		n, over := r.arguments()
		if n > 0 {
			out = append(out, callPiece{index: r.calls, arguments: r.buffer[:n]})
			r.buffer = r.buffer[n:]
		}
		if !over {
			return out
		}
		r.within = false
		r.calls++
	}
}

// head takes what stands before the arguments of the next call.
func (r *callReader) head() (name, rest string, ok bool) {
	before := r.frame.Open
	if r.calls > 0 {
		before = "}" + r.frame.Between
	}
	for _, f := range r.functions {
		if rest, ok := strings.CutPrefix(r.buffer, before+r.frame.Head(f.Name)); ok {
			return f.Name, rest, true
		}
	}
	return "", "", false
}

// arguments returns how much of the buffer belongs to them, and whether they end there.
func (r *callReader) arguments() (n int, over bool) {
	for i := range len(r.buffer) {
		switch c := r.buffer[i]; {
		case r.escaped:
			r.escaped = false
		case r.quoted && c == '\\':
			r.escaped = true
		case c == '"':
			r.quoted = !r.quoted
		case r.quoted:
		case c == '{' || c == '[':
			r.depth++
		case c == '}' || c == ']':
			if r.depth--; r.depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(r.buffer), false
}
