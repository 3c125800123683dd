package openai

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// Types of errors, which clients make classes of.
const (
	invalidRequest = "invalid_request_error"
	authentication = "authentication_error"
	permission     = "permission_error"
	rateLimit      = "rate_limit_error"
	serverError    = "server_error"
	unavailable    = "service_unavailable_error"
)

// Error is an answer that is an error, in OpenAI's form.
type Error struct {
	Status  int
	Message string
	Type    string
	Param   string        // of the body; empty is null
	Code    string        // empty is null
	Wait    time.Duration // until another try makes sense; 0 says nothing
}

func (e *Error) Error() string { return e.Message }

type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
}

func (e *Error) body() errorBody {
	optional := func(text string) *string {
		if text == "" {
			return nil
		}
		return &text
	}
	return errorBody{errorDetail{e.Message, e.Type, optional(e.Param), optional(e.Code)}}
}

// Answer sends the error and ends the request.
func (e *Error) Answer(c *gin.Context) {
	if e.Wait > 0 {
		wire.RetryAfter(c, e.Wait)
	}
	wire.JSON(c, e.Status, e.body())
	c.Abort()
}

// invalid refuses a parameter.
func invalid(param, format string, args ...any) *Error {
	return refused(param, "invalid_value", format, args)
}

// unsupported refuses a parameter that OpenAI's own API has.
func unsupported(param, format string, args ...any) *Error {
	return refused(param, "unsupported_parameter", format, args)
}

// mistyped refuses a parameter of another type.
func mistyped(param, format string, args ...any) *Error {
	return refused(param, "invalid_type", format, args)
}

// refused refuses a parameter. Of the texts that its message quotes, the caller has sent most.
func refused(param, code, format string, args []any) *Error {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = models.Clip(text)
		}
	}
	return &Error{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...), Type: invalidRequest, Param: param, Code: code}
}

// NoKey refuses a request without a key, WrongKey one with a key that is none.
func NoKey() *Error {
	return &Error{Status: http.StatusUnauthorized, Message: "This server needs an API key: send it as Authorization: Bearer KEY. Its administrator makes one with aigw keys add", Type: authentication}
}

// WrongKey is NoKey for a key that nobody has.
func WrongKey() *Error {
	return &Error{Status: http.StatusUnauthorized, Message: "The API key is not known here, or was revoked; ask the administrator of this server for another", Type: authentication, Code: "invalid_api_key"}
}

// Forbidden refuses a page of a stranger.
func Forbidden(why string) *Error {
	return &Error{Status: http.StatusForbidden, Message: why, Type: permission}
}

// TooMany refuses a request beyond a limit.
func TooMany(why string, wait time.Duration) *Error {
	return &Error{Status: http.StatusTooManyRequests, Message: why, Type: rateLimit, Code: "rate_limit_exceeded", Wait: max(wait, time.Second)}
}

// Internal answers what is a mistake of the program.
func Internal() *Error {
	return &Error{Status: http.StatusInternalServerError, Message: "Internal server error", Type: serverError}
}

// NoRoute answers a path that is none of the door's.
func NoRoute(method, path string) *Error {
	return &Error{Status: http.StatusNotFound, Message: fmt.Sprintf("Unknown request URL: %s %s", method, path), Type: invalidRequest, Code: "unknown_url"}
}

// NoMethod answers a path of the door with another method.
func NoMethod(method, path string) *Error {
	return &Error{Status: http.StatusMethodNotAllowed, Message: fmt.Sprintf("Not allowed to %s on %s", method, path), Type: invalidRequest, Code: "method_not_allowed"}
}

// failure says how to answer that nothing could be generated; nil is that nobody is there any more.
func failure(c *gin.Context, err error) *Error {
	var (
		own          *Error
		notServing   *serving.UnavailableError
		unsuitable   *serving.UnsuitableError
		unknownModel *serving.UnknownModelError
		busy         *engine.BusyError
		tooLong      *models.TooLongError
		wrong        *engine.RequestError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(context.Cause(c.Request.Context()), serving.ErrStopping), errors.Is(err, engine.ErrClosed):
		return failure(c, serving.Stopping())
	case errors.As(err, &notServing):
		return &Error{Status: http.StatusServiceUnavailable, Message: notServing.Error(), Type: unavailable, Code: "model_not_ready", Wait: max(notServing.RetryAfter, time.Second)}
	case gone(c):
		return nil
	case errors.As(err, &unknownModel):
		return &Error{Status: http.StatusNotFound, Message: unknownModel.Error(), Type: invalidRequest, Param: "model", Code: "model_not_found"}
	case errors.As(err, &unsuitable):
		return &Error{Status: http.StatusBadRequest, Message: unsuitable.Error(), Type: invalidRequest, Param: "model", Code: "model_not_suitable"}
	case errors.As(err, &busy):
		return TooMany(busy.Error(), busy.Wait)
	case errors.As(err, &tooLong):
		return lengthy(c, tooLong)
	case errors.As(err, &wrong):
		return &Error{Status: http.StatusBadRequest, Message: wrong.Error(), Type: invalidRequest, Code: "invalid_value"}
	case errors.Is(err, engine.ErrPoisonous):
		return &Error{Status: http.StatusUnprocessableEntity, Message: err.Error(), Type: invalidRequest, Code: "prompt_refused"}
	case errors.Is(err, engine.ErrNoContinuation):
		return &Error{Status: http.StatusBadRequest, Message: err.Error(), Type: invalidRequest, Param: "response_format", Code: "grammar_leads_nowhere"}
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Status: http.StatusServiceUnavailable, Message: "The model did not answer in time", Type: unavailable, Code: "timeout", Wait: time.Second}
	}
	if server := (interface{ RetryAfter() time.Duration })(nil); errors.As(err, &server) {
		return &Error{Status: http.StatusServiceUnavailable, Message: "The server of this model could not answer; the log of this one says why", Type: unavailable, Code: "model_server_failed", Wait: server.RetryAfter()}
	}
	return &Error{Status: http.StatusInternalServerError, Message: "The answer could not be generated; the server's log says why", Type: serverError}
}

// lengthy refuses a prompt that does not fit. The first words are OpenAI's: LiteLLM, and aider with it, know by
// them that a shorter prompt helps.
func lengthy(c *gin.Context, e *models.TooLongError) *Error {
	param := "prompt"
	if c.FullPath() == chatPath {
		param = "messages"
	}
	return &Error{Status: http.StatusBadRequest, Type: invalidRequest, Param: param, Code: "context_length_exceeded",
		Message: fmt.Sprintf("This model's maximum context length is %d tokens, and prompt and answer need %d; shorten the prompt, or have the server's administrator raise --ctx", e.Limit, e.Tokens)}
}

// gone reports whether the client has hung up.
func gone(c *gin.Context) bool { return c.Request.Context().Err() != nil }

// fail answers that nothing could be generated. It may be called only before anything was answered.
func fail(c *gin.Context, err error) {
	e := failure(c, err)
	if e == nil {
		c.Status(wire.StatusClientGone)
		c.Abort()
		return
	}
	if e.Status >= http.StatusInternalServerError {
		requestlog.Add(c.Request.Context(), slog.String("model_exception_message", err.Error()))
	}
	e.Answer(c)
}
