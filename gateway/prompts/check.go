package prompts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/conversation"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

const (
	// modelCheck is asked by the button with which an administrator of GitLab tries a model.
	modelCheck = "model_configuration/check"
	// checkTime is how long the model may take: GitLab waits for 3 s.
	checkTime = 2 * time.Second
	// codeBeginning is continued by models that hold no conversations.
	codeBeginning = "# Say hello\nprint("
	// greeting answers where the model is there and has no time.
	greeting = "Hello! The model is loaded and busy with other requests."
)

// check answers whether a model is there, with a few words of its own if it has the time for them.
func (room *Room) check(c *gin.Context, q conversation.Question, stream bool) {
	q.Class = engine.Generation
	asked, err := room.conversations.Ask(q)
	if unsuitable := (*serving.UnsuitableError)(nil); errors.As(err, &unsuitable) {
		asked, err = room.conversations.AskText(q, codeBeginning) // a model for completions is tried too
	}
	if err != nil {
		refuseCheck(c, err)
		return
	}
	text, err := within(c, asked, checkTime)
	if busy := (*engine.BusyError)(nil); errors.As(err, &busy) || errors.Is(err, context.DeadlineExceeded) {
		requestlog.Add(c.Request.Context(), slog.Bool("model_check_busy", true))
		err = nil
	}
	if c.Request.Context().Err() != nil || err != nil {
		refuseCheck(c, err)
		return
	}
	if strings.TrimSpace(text) == "" {
		text = greeting
	}
	if !stream {
		wire.JSON(c, http.StatusOK, text)
		return
	}
	out := wire.NewTextStream(c, room.conversations.WriteTimeout)
	_ = out.Write(text) // the client is gone if this fails
	out.End()
}

// within returns what is generated in a time. The engine knows the end, and refuses at once what cannot begin by then.
func within(c *gin.Context, asked *conversation.Asked, limit time.Duration) (string, error) {
	request := c.Request
	ctx, cancel := context.WithTimeout(request.Context(), limit)
	defer cancel()
	c.Request = request.WithContext(ctx)
	defer func() { c.Request = request }()
	var text strings.Builder
	err := asked.Generate(c, false, func(piece string) error {
		text.WriteString(piece)
		return nil
	})
	return text.String(), err
}

// refuseCheck tells the administrator that no model answers.
func refuseCheck(c *gin.Context, err error) {
	if c.Request.Context().Err() != nil || errors.Is(err, engine.ErrClosed) {
		wire.Failure(c, err)
		return
	}
	requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
	if unavailable := (*serving.UnavailableError)(nil); errors.As(err, &unavailable) {
		wire.RetryAfter(c, unavailable.RetryAfter)
	}
	modelAnswered(c, http.StatusServiceUnavailable)
}
