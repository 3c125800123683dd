package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"aigw/engine"
	"aigw/models"
)

// Error is a server that could not answer. Its text names the host and the cause, and nothing of a prompt.
type Error struct {
	Host   string
	Cause  string
	Status int           // of its answer; 0: there was none
	Retry  time.Duration // until another try makes sense; 0: not known
	again  bool          // the same request may be sent again at once
	wrong  bool          // the server works; it does not want this
	err    error
}

func (e *Error) Error() string { return fmt.Sprintf("model server %s: %s", e.Host, e.Cause) }

// RetryAfter is when another try makes sense; 0: not known.
func (e *Error) RetryAfter() time.Duration { return e.Retry }

// Unwrap returns what went wrong below, if that was an error.
func (e *Error) Unwrap() error { return e.err }

// errNotItsFault is a request that says nothing about its server: somebody hung up.
var errNotItsFault = errors.New("given up by the caller")

// blame is what the circuit is told of an exchange.
func blame(ctx context.Context, err error) error {
	var failed *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed):
		if failed.wrong {
			return nil
		}
		return err
	case errors.As(err, new(*engine.BusyError)), errors.As(err, new(*models.TooLongError)):
		return nil // it works
	}
	return errNotItsFault // emit's error, or the end of ctx
}

// failed is a connection that did not come about, or broke. Its reason is shortened to what an administrator needs.
func (x *exchange) failed(ctx context.Context, what string, err error) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errSilent) {
		return cause
	}
	e := &Error{Host: x.m.Host(), Cause: what + ": " + err.Error(), again: true, err: err}
	if errors.Is(context.Cause(ctx), errSilent) {
		e.Cause, e.again = fmt.Sprintf("it has sent nothing for %s", x.m.o.Silence), false
		e.err = context.DeadlineExceeded
	}
	return e
}

// errSilent ends an exchange whose server sends nothing.
var errSilent = errors.New("the server is silent")

// refused makes an error of an answer other than 200.
func (x *exchange) refused(answer *http.Response, body string) error {
	e := &Error{Host: x.m.Host(), Status: answer.StatusCode, Retry: retryAfter(answer.Header, time.Now())}
	status := fmt.Sprintf("it answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))
	switch s := answer.StatusCode; {
	case s == http.StatusTooManyRequests:
		return &engine.BusyError{Wait: max(time.Second, e.Retry), Why: engine.QueueFull}
	case s == http.StatusUnauthorized || s == http.StatusForbidden:
		e.Cause, e.wrong = status+": the key is missing or wrong; see --model-key-file", true
	case s == http.StatusNotFound:
		e.Cause, e.wrong = status+": the address has to end in /v1, and the model has to be one that the server has; name it with --model NAME=URL#MODEL", true
	case s >= 300 && s < 400:
		e.Cause, e.wrong = status+": redirects are not followed; name the address itself", true
	case (s == http.StatusBadRequest || s == http.StatusRequestEntityTooLarge || s == http.StatusUnprocessableEntity) && tooLong(body):
		want := len(x.req.Prompt) + x.req.MaxTokens // at least so many: the server has counted more than it holds
		return &models.TooLongError{Tokens: max(want, int(x.m.limit.Load())+1), Limit: int(x.m.limit.Load())}
	case s < 500:
		e.Cause, e.wrong = status, true
	default:
		e.Cause = status
		e.again = s == http.StatusBadGateway || s == http.StatusServiceUnavailable || s == http.StatusGatewayTimeout
	}
	return e
}

// tooLong reports whether a server complains of the context's length: vLLM, llama-server, TGI and OpenAI in their words.
func tooLong(body string) bool {
	body = strings.ToLower(body)
	for _, words := range []string{"context length", "context_length", "context size", "exceed_context", "max_total_tokens", "max_model_len", "holds", "too long"} {
		if strings.Contains(body, words) {
			return true
		}
	}
	return false
}

// longestWait bounds what a server may ask its callers to wait.
const longestWait = 10 * time.Minute

// retryAfter reads the header, which is a number of seconds or a date.
func retryAfter(h http.Header, now time.Time) time.Duration {
	text := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseFloat(text, 64); err == nil && n >= 0 {
		return time.Duration(min(n, longestWait.Seconds()) * float64(time.Second))
	}
	if at, err := http.ParseTime(text); err == nil {
		return min(max(0, at.Sub(now)), longestWait)
	}
	return 0
}
