package gateway

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/gateway/openapi"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// monitoring are the routes that need no authentication.
func (s *Server) monitoring() []openapi.Operation {
	nothing := []openapi.Answer{{Status: http.StatusOK, About: "Yes.", Types: []openapi.Content{openapi.JSON[struct{}]()}}}
	return []openapi.Operation{
		{Method: http.MethodGet, Path: "/monitoring/healthz", Handler: s.healthz, Tag: "Monitoring", Summary: "Does the process live?", Answers: nothing, Public: true},
		{Method: http.MethodGet, Path: "/monitoring/ready", Handler: s.ready, Tag: "Monitoring", Summary: "Does everything that was asked for answer?",
			Answers: append(nothing, openapi.Refused(http.StatusServiceUnavailable, "Not yet: a model is loading or failed, or the server stops.")), Public: true},
	}
}

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
