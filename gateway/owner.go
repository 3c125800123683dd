package gateway

import (
	"context"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/serving"
)

// owned tells the engine whose a request is, so that it can keep people's prompts apart where the
// operator wants that (--kv-sharing user).
type owned struct{ serving.Generator }

func (o owned) Generate(ctx context.Context, req engine.Request, emit func(text string) error) (engine.Result, error) {
	if req.Owner == "" {
		req.Owner = auth.From(ctx).GlobalUserID
	}
	return o.Generator.Generate(ctx, req, emit)
}

// Unwrap returns the generator itself, for what else it can do.
func (o owned) Unwrap() serving.Generator { return o.Generator }

// watched is a generator that can say what it is doing.
type watched interface{ State() engine.State }

// adopt prepares a model that is about to serve.
func (s *Server) adopt(m *serving.Model) {
	s.metrics.KnowModel(m.DisplayName())
	if _, done := m.Generator.(owned); done {
		return
	}
	if g, ok := m.Generator.(watched); ok {
		s.metrics.Watch(m.DisplayName(), g.State)
	}
	m.Generator = owned{m.Generator}
}
