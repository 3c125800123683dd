package codesuggestions

import (
	"context"
	"log/slog"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
)

// plainly is how a completion is asked for once more where the model had nothing to fill in, although a
// line has begun and nothing stands behind it: as the continuation of the text. Some models end at once
// there when they are asked to fill in, since files that end in the middle of a line are rare in what they
// have learned from. GitLab's check of a self-hosted model asks just that, and takes no text for a model
// that does not work (section 15.4 of the wire contract).
func plainly(model *serving.Model, file File, work engine.Request) *engine.Request {
	line := file.Above[strings.LastIndexByte(file.Above, '\n')+1:]
	if strings.TrimSpace(file.Below) != "" || strings.TrimSpace(line) == "" {
		return nil
	}
	prompt, err := model.Codec.Text(file.Above, model.ContextSize-work.MaxTokens)
	if err != nil { // too long: then there is no second question
		return nil
	}
	work.Prompt, work.Sampling = prompt.Tokens, prompt.Sampling
	work.Stops.Tokens = prompt.Stops.Tokens
	return &work
}

// askPlainly has the text written that the model did not fill in. What there was of it is kept where this comes
// to nothing, too.
func (room *Room) askPlainly(ctx context.Context, c *gin.Context, s *suggestion, first *output) (*output, engine.Result, bool) {
	if s.plain == nil || !room.json(s) || strings.TrimSpace(s.clean(first.text.String())) != "" {
		return nil, engine.Result{}, false
	}
	requestlog.Add(c.Request.Context(), slog.Bool("asked_plainly", true))
	out := &output{suggestion: s, stream: first.stream}
	s.filter = s.again()
	result, err := s.model.Generator.Generate(ctx, *s.plain, out.emit)
	return out, result, err == nil && out.finish() == nil
}
