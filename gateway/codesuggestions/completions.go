package codesuggestions

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// maxCompletionTokens is GitLab's limit for one completion.
const maxCompletionTokens = 128

// Completions answers POST /v2/code/completions and /v2/completions.
func (room *Room) Completions(c *gin.Context) {
	request, ok := wire.Read(c, completionRequest)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).Can(auth.CompleteCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access code completions")
		return
	}
	room.count(request.File, request.Telemetry)
	if room.refusesCustomModel(c, request) {
		return
	}
	room.complete(c, request, replyV2{})
}

// Warm computes what the completions of a model begin with, and what GitLab's own check asks for
// (section 15.4 of the wire contract), which waits for 3 s only. It is for a model that does not
// serve yet.
func (room *Room) Warm(ctx context.Context, model *serving.Model) error {
	if !model.Can(serving.Completion) {
		return nil
	}
	check := Request{File: File{Name: "test.rb", Above: "def hello_world"}}
	prompt, _, err := layOut(model, check, model.ContextSize-1)
	if err != nil {
		return err
	}
	_, err = model.Generator.Generate(ctx, engine.Request{
		Prompt: prompt.Tokens, MaxTokens: 1, Sampling: prompt.Sampling, Stops: prompt.Stops, Class: engine.Background,
	}, func(string) error { return nil })
	return err
}

// complete answers a request for the code at the cursor.
func (room *Room) complete(c *gin.Context, request Request, as reply) {
	model, err := room.Models.Choose(serving.Completion, wanted(request))
	if err != nil {
		wire.Failure(c, err)
		return
	}
	ctx := c.Request.Context()
	at, known := placeOf(c.GetHeader("X-Gitlab-Global-User-Id"), request)
	var question asked
	if known {
		question = askedBy(request, model.Name)
		var end func()
		ctx, end = room.typing.begin(ctx, at, question, request.File.Above)
		defer end()
	}
	maxTokens := min(maxCompletionTokens, max(1, model.ContextSize/2))
	prompt, used, err := layOut(model, request, model.ContextSize-maxTokens)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	file := request.File
	escapes := model.Family == "mixtral" // it writes \_ for _, as in Markdown
	s := &suggestion{
		file:      file,
		own:       request.readyPrompt(),
		streaming: request.Stream,
		model:     model,
		used:      used,
		work: engine.Request{
			Prompt:    prompt.Tokens,
			MaxTokens: maxTokens,
			Sampling:  prompt.Sampling,
			Stops:     room.stops(prompt.Stops, file),
			Class:     engine.Completion,
		},
		clean: func(text string) string {
			if escapes {
				text = strings.ReplaceAll(text, `\_`, "_")
			}
			return room.PostProcessing.Completion(text, file.Above, file.Below)
		},
		filter: newCompletionFilter(room.PostProcessing, file, escapes),
		reply:  as,
		enough: enoughAfter(room.CompletionTime, request.Stream),
	}
	if s.own == "" && model.FillsIn {
		s.plain = plainly(model, file, s.work)
		s.again = func() filter { return newCompletionFilter(room.PostProcessing, file, escapes) }
	}
	if known {
		s.answered = func(text string) { room.typing.remember(at, question, text) }
		if rest, ok := room.typing.remembered(at, request, question); ok {
			room.again(c, s, rest)
			return
		}
	}
	room.answer(ctx, c, s)
}

// stops adds to the model's own stops the place from which on post-processing would cut.
func (room *Room) stops(of models.Stops, file File) models.Stops {
	if at := room.PostProcessing.StopAt(file.Below); at != "" {
		of.Texts = append(slices.Clone(of.Texts), at)
	}
	return of
}
