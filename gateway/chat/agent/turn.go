// Package agent answers POST /v2/chat/agent (section 9 of the wire contract): one turn of Duo Chat. The model
// thinks and then either answers or asks for a tool, which GitLab runs before it asks for the next turn.
package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/conversation"
	"aigw/gateway/featureflags"
	"aigw/gateway/grammar"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// GitLab's own parameters of a turn (section 4.5 of the wire contract). "Observation:" is written by
// GitLab, never by the model.
const (
	maxTokens = 4096
	stopText  = "Observation:"
)

var temperature = 0.1

// Room answers turns. It may be used concurrently.
type Room struct {
	conversations *conversation.Room
	confine       bool
	grammars      sync.Map // of tool names joined, as there are at most some dozens of sets
}

// New returns a room. confine keeps turns inside the form that can be parsed, by a grammar.
func New(r *conversation.Room, confine bool) *Room { return &Room{conversations: r, confine: confine} }

// Events of an answer.
type event struct {
	Type string `json:"type"`
	Data any    `json:"data"`
}

type textData struct {
	Text string `json:"text"`
}

type actionData struct {
	Tool      string `json:"tool"`
	ToolInput string `json:"tool_input"`
	Thought   string `json:"thought"`
}

type errorData struct {
	Message   string `json:"message"`
	Retryable bool   `json:"retryable"`
}

// Turn answers a request.
func (room *Room) Turn(c *gin.Context) {
	request, ok := wire.Read(c, requestKind)
	if !ok {
		return
	}
	principal := auth.From(c.Request.Context())
	if !principal.Can(auth.DuoChat) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access duo chat")
		return
	}
	for _, category := range request.categories() {
		if right := "include_" + category + "_context"; !principal.Can(auth.UnitPrimitive(right)) {
			wire.Detail(c, http.StatusForbidden, "Unauthorized to access "+right)
			return
		}
	}
	if room.conversations.RefusesCustomModel(c, request.Model != nil) {
		return
	}
	offered := asker{principal, c.GetHeader("X-Gitlab-Version"), featureflags.From(c.Request.Context())}.offered()
	room.run(c, request, offered)
}

// run has the model write the turn, and answers with what it means.
func (room *Room) run(c *gin.Context, request body, offered []tool) {
	requestlog.Add(c.Request.Context(), slog.Any("duo_chat.agent_available_tools", toolNames(offered)))
	out := &events{LineStream: wire.NewLineStream(c, room.conversations.WriteTimeout)}
	t, err := newTurn(request, offered)
	if err != nil {
		out.fail(c, err)
		return
	}
	question := conversation.Question{
		Wanted: request.Model.Wanted(), Messages: t.messages, Alike: t.alike(), MaxTokens: maxTokens, Temperature: &temperature, Stops: []string{stopText},
		Class: engine.Chat, Feature: conversation.DuoChat,
	}
	if room.confine {
		if question.Grammar, err = room.grammar(offered); err != nil {
			wire.Failure(c, err)
			return
		}
		question.Choice = t.choice
	}
	asked, err := room.conversations.AskFitting(question, 1, t.last)
	if err != nil {
		out.refuse(c, err)
		return
	}
	var p parser
	read := func(piece string) error {
		delta, begun := p.write(piece)
		switch {
		case p.over:
			return engine.ErrEnough
		case !begun:
			return nil
		}
		return out.send("final_answer_delta", textData{delta})
	}
	if room.conversations.WholeAnswers {
		var text string
		if text, err = asked.Whole(c); err == nil {
			_ = read(text) // noted in out
		}
	} else {
		err = asked.Generate(c, true, read)
	}
	switch {
	case out.gone != nil:
		c.Status(wire.StatusClientGone)
	case err != nil && !errors.Is(err, engine.ErrNoContinuation):
		out.refuse(c, err)
	default:
		if action := out.conclude(&p, offered); action != "" {
			requestlog.Add(c.Request.Context(), slog.String("duo_chat.agent_tool_action", action))
		}
		out.End()
	}
}

func toolNames(tools []tool) []string {
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.Name
	}
	return names
}

// grammar returns the grammar for turns with these tools.
func (room *Room) grammar(offered []tool) (*engine.Grammar, error) {
	names := toolNames(offered)
	key := strings.Join(names, " ")
	if g, ok := room.grammars.Load(key); ok {
		return g.(*engine.Grammar), nil
	}
	g, err := engine.ParseGrammar(grammar.React(names))
	if err != nil {
		return nil, fmt.Errorf("grammar of a turn with %q: %w", key, err)
	}
	room.grammars.Store(key, g)
	return g, nil
}

// events is an answer, one event a line.
type events struct {
	*wire.LineStream
	gone error // the client's connection
	sent bool
}

func (e *events) send(kind string, data any) error {
	e.sent = true
	e.gone = e.Write(event{kind, data})
	return e.gone
}

// conclude sends what a turn that has ended means, as far as it was not sent yet. A tool that was not
// offered must not reach GitLab, which would tell the person to buy something: the text is shown instead.
// It returns the tool that GitLab is to run; "" is none.
func (e *events) conclude(p *parser, offered []tool) (action string) {
	if p.inFinal {
		if rest := p.rest(); rest != "" {
			_ = e.send("final_answer_delta", textData{rest}) // nothing follows
		}
	} else if a, ok := p.toolUse(); ok && offers(offered, a.tool) {
		action = a.tool
		_ = e.send("action", actionData{a.tool, a.input, a.thought})
	} else if text := p.unknown(); text != "" {
		_ = e.send("unknown", textData{text})
	}
	if !e.sent {
		_ = e.send("error", errorData{Message: "the model wrote no answer"})
	}
	return action
}

// refuse answers a turn that could not be written, or not to its end. GitLab tries again on 429; that, and that no
// model is there, is known before anything was sent.
func (e *events) refuse(c *gin.Context, err error) {
	var (
		unavailable *serving.UnavailableError
		unsuitable  *serving.UnsuitableError
		busy        *engine.BusyError
		tooLong     *models.TooLongError
	)
	switch {
	case c.Request.Context().Err() != nil && !errors.Is(context.Cause(c.Request.Context()), serving.ErrStopping):
		c.Status(wire.StatusClientGone)
	case errors.As(err, &tooLong):
		e.fail(c, fmt.Errorf("prompt is too long: %d tokens > %d maximum", tooLong.Tokens, tooLong.Limit))
	case !e.Started() && (errors.As(err, &unavailable) || errors.As(err, &unsuitable) || errors.As(err, &busy) ||
		errors.Is(err, engine.ErrClosed) || errors.Is(err, engine.ErrPoisonous)):
		wire.Failure(c, err)
	case errors.Is(err, context.DeadlineExceeded):
		e.fail(c, errors.New("the model did not answer in time"))
	default:
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
		e.fail(c, errors.New("the model failed; the gateway's log says why"))
	}
}

// fail ends the answer with an error event. Its text is what GitLab maps to what it tells people.
func (e *events) fail(c *gin.Context, err error) {
	requestlog.Add(c.Request.Context(), slog.String("chat_error", err.Error()))
	_ = e.send("error", errorData{Message: err.Error(), Retryable: strings.Contains(err.Error(), "overloaded_error")}) // nothing follows
	e.End()
}
