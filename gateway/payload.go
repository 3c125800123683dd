package gateway

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"regexp"
	"slices"

	"github.com/gin-gonic/gin"

	"aigw/gateway/featureflags"
)

// maxPayload is how much of a body is logged, in bytes.
const maxPayload = 64 << 10

// expandedLogging is GitLab's feature flag that asks for bodies in the log.
const expandedLogging = "expanded_ai_logging"

// payload is a request's body and its answer, where the operator wants them in the log. A nil one
// takes nothing.
type payload struct {
	asked, answer bytes.Buffer
}

// logPayload has the bodies of requests logged: of all, or of those for which GitLab asks, if the
// operator allows either. Tokens are never logged.
func (s *Server) logPayload(c *gin.Context) {
	o := s.options
	wanted := o.LogPayloads || o.AllowExpandedLogging && slices.Contains(featureflags.From(c.Request.Context()), expandedLogging)
	if !wanted || c.Request.Method != http.MethodPost || c.FullPath() == "" || c.FullPath() == "/v1/code/user_access_token" {
		return
	}
	p := &payload{}
	exchangeOf(c.Request.Context()).payload = p
	c.Request.Body = struct {
		io.Reader
		io.Closer
	}{io.TeeReader(c.Request.Body, (*bounded)(&p.asked)), c.Request.Body}
}

// bounded is a buffer that takes what fits and drops the rest.
type bounded bytes.Buffer

func (b *bounded) Write(data []byte) (int, error) {
	buffer := (*bytes.Buffer)(b)
	buffer.Write(data[:min(len(data), maxPayload-buffer.Len())])
	return len(data), nil
}

func (p *payload) answered(data []byte) {
	if p != nil {
		_, _ = (*bounded)(&p.answer).Write(data) // never fails
	}
}

// secrets are the fields of bodies that are never logged, also where the end of a body is cut off.
var secrets = regexp.MustCompile(`("(?:model_api_key|api_key)"\s*:\s*)"(?:[^"\\]|\\.)*"?`)

func (p *payload) log(ctx context.Context, log *slog.Logger) {
	if p == nil {
		return
	}
	log.LogAttrs(ctx, slog.LevelInfo, "request and answer", slog.String("logger", "api.payload"),
		slog.String("request", secrets.ReplaceAllString(p.asked.String(), `$1"**********"`)),
		slog.String("answer", p.answer.String()))
}
