package gateway

import (
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth"
	"aigw/gateway/limits"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// limit lets a request pass if its person and GitLab have not too much already. GitLab's clients try
// again on 429. Health checks and what is answered without a model are not counted.
func (s *Server) limit(c *gin.Context) {
	if c.FullPath() == "" || c.Request.Method != http.MethodPost {
		return
	}
	instance, user := accounts(auth.From(c.Request.Context()), c.ClientIP())
	end, err := s.limits.Begin(instance, user)
	var refusal *limits.Refusal
	if errors.As(err, &refusal) {
		s.metrics.Refused(refusal.Reason)
		requestlog.Add(c.Request.Context(), slog.String("refused", refusal.Reason))
		wire.RetryAfter(c, refusal.Wait)
		wire.Detail(c, http.StatusTooManyRequests, refusal.Error())
		c.Abort()
		return
	}
	defer end()
	c.Next()
}

// accounts says who a request counts for. A token of this gateway's own names the person, one of
// GitLab's the instance, whose word on the person counts. Where nobody is authenticated the address
// has to do.
func accounts(p *auth.Principal, clientIP string) (instance, user string) {
	switch {
	case p.Debug:
		return "", clientIP
	case p.SelfSigned:
		return p.Claims.InstanceID, p.Claims.Subject
	}
	return p.Claims.Subject, p.GlobalUserID
}

// SetLimits changes what one person and one GitLab may ask for.
func (s *Server) SetLimits(o limits.Options) { s.limits.Set(o) }
