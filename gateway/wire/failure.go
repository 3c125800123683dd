package wire

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/models"
)

// Failure answers a request for which no text could be generated. It may be called only before
// anything was answered.
func Failure(c *gin.Context, err error) {
	var (
		unavailable *serving.UnavailableError
		unsuitable  *serving.UnsuitableError
		busy        *engine.BusyError
		tooLong     *models.TooLongError
	)
	switch {
	case errors.Is(context.Cause(c.Request.Context()), serving.ErrStopping), errors.Is(err, engine.ErrClosed):
		Unavailable(c, serving.Stopping())
	case c.Request.Context().Err() != nil:
		// Nobody reads the answer any more.
		c.Status(StatusClientGone)
	case errors.As(err, &unavailable):
		Unavailable(c, unavailable)
	case errors.As(err, &busy):
		// GitLab's clients try again on 429 and on nothing else.
		RetryAfter(c, busy.Wait)
		Detail(c, http.StatusTooManyRequests, busy.Error())
	case errors.Is(err, engine.ErrPoisonous):
		Detail(c, http.StatusUnprocessableEntity, err.Error())
	case errors.As(err, &unsuitable):
		Detail(c, http.StatusUnprocessableEntity, unsuitable.Error())
	case errors.As(err, &tooLong):
		Detail(c, http.StatusUnprocessableEntity, tooLong.Error())
	case errors.Is(err, context.DeadlineExceeded):
		logFailure(c, err)
		Detail(c, http.StatusServiceUnavailable, "Inference timed out")
	default:
		var later interface{ RetryAfter() time.Duration } // a model's server that is not asked for a while
		if errors.As(err, &later) && later.RetryAfter() > 0 {
			RetryAfter(c, later.RetryAfter())
		}
		logFailure(c, err)
		Detail(c, http.StatusServiceUnavailable, "Inference failed")
	}
}

// CauseHeader tells whoever looks for the cause of a 503 what the log says, because GitLab's clients
// want the same few words for all of them. It holds no text of a prompt.
const CauseHeader = "X-Aigw-Cause"

// logFailure adds the reason to the request's log line, and to the answer's headers.
func logFailure(c *gin.Context, err error) {
	requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()), slog.Int("model_exception_status_code", http.StatusServiceUnavailable))
	c.Header(CauseHeader, strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return ' '
		}
		return r
	}, err.Error()))
}

// Unavailable answers 503 and says when to try again; while a model loads, also how far it is.
func Unavailable(c *gin.Context, e *serving.UnavailableError) {
	RetryAfter(c, e.RetryAfter)
	body := struct {
		Detail   string   `json:"detail"`
		Progress *float64 `json:"progress,omitempty"`
	}{Detail: e.Error()}
	if e.Phase == serving.PhaseLoading {
		progress := math.Round(e.Progress*1000) / 1000
		body.Progress = &progress
	}
	JSON(c, http.StatusServiceUnavailable, body)
}
