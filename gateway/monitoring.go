package gateway

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// healthz says that the process lives.
func (s *Server) healthz(c *gin.Context) { wire.JSON(c, http.StatusOK, struct{}{}) }

// ready says whether everything that was asked for answers.
func (s *Server) ready(c *gin.Context) {
	var unavailable *serving.UnavailableError
	if errors.As(s.state.Check(), &unavailable) {
		wire.RetryAfter(c, unavailable.RetryAfter)
		wire.Detail(c, http.StatusServiceUnavailable, unavailable.Error())
		return
	}
	wire.JSON(c, http.StatusOK, struct{}{})
}
