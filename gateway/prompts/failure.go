package prompts

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// fail answers a request that no text could be generated for. What a model server would have answered with an
// error is 421 with that error (section 2.6 of the wire contract); what the caller can mend or should
// repeat is answered as on other routes.
func fail(c *gin.Context, err error) {
	var (
		unavailable *serving.UnavailableError
		unsuitable  *serving.UnsuitableError
		busy        *engine.BusyError
		tooLong     *models.TooLongError
	)
	switch {
	case c.Request.Context().Err() != nil, errors.Is(err, engine.ErrClosed), errors.Is(err, engine.ErrPoisonous),
		errors.As(err, &busy), errors.As(err, &unsuitable), errors.As(err, &tooLong):
		wire.Failure(c, err)
	case errors.As(err, &unavailable):
		wire.RetryAfter(c, unavailable.RetryAfter)
		modelAnswered(c, http.StatusServiceUnavailable)
	case errors.Is(err, context.DeadlineExceeded):
		modelAnswered(c, http.StatusGatewayTimeout)
	default:
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
		modelAnswered(c, http.StatusInternalServerError)
	}
}

// modelAnswered passes the error of a model server on. GitLab shows its administrators this text.
func modelAnswered(c *gin.Context, code int) {
	wire.Detail(c, http.StatusMisdirectedRequest, strconv.Itoa(code)+": "+http.StatusText(code))
}
