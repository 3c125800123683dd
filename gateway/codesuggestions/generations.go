package codesuggestions

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/codesuggestions/postprocess"
	"aigw/gateway/schema"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// GitLab's limits for one generation: of its own definition, and of a prompt that the caller
// wrote.
const (
	maxGenerationTokens = 512
	maxOwnPromptTokens  = 2048
)

// Generations answers POST /v2/code/generations.
func (room *Room) Generations(c *gin.Context) {
	request, ok := wire.Read(c, generationRequest)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).CanFromGitLab(auth.GenerateCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access code generations")
		return
	}
	room.count(request.File, request.Telemetry)
	if room.refusesCustomModel(c, request) {
		return
	}
	if request.PromptID != "" {
		if err := checkDefinition(request); err != nil {
			wire.Detail(c, http.StatusUnprocessableEntity, err.Error())
			return
		}
	}
	room.generate(c, generationOf(request), request.Stream, wanted(request), replyV2{generation: true})
}

// definition is the only prompt that the gateway writes for generations.
const definition = "code_suggestions/generations"

// modelMetadata is what the original makes of a request that leaves the prompt to the gateway. It
// checks it apart from the body, and answers one text.
var modelMetadata = schema.Object(
	schema.Required("model_name", schema.String().Max(255), func(*metadata) *string { return new(string) }),
	schema.Required("model_endpoint", schema.URL().Max(255), func(*metadata) *string { return new(string) }),
	schema.Optional("model_api_key", schema.OrNull(schema.String().Max(255)), func(*metadata) *string { return new(string) }),
	schema.Optional("model_identifier", schema.OrNull(schema.String().Max(255)), func(*metadata) *string { return new(string) }),
)

type metadata struct{}

// checkDefinition returns what is wrong with a request for a prompt of the gateway.
func checkDefinition(r Request) error {
	if err := checkPromptID(r.PromptID); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]*string{"model_name": r.ModelName, "model_endpoint": r.endpoint, "model_api_key": r.apiKey, "model_identifier": r.ModelIdentifier})
	if err != nil {
		return fmt.Errorf("model cannot be read: %w", err)
	}
	_, err = schema.Parse(modelMetadata, "", body)
	var refused schema.Errors
	if err == nil && !isKnown(*r.ModelName) {
		// Where a provider is named, the body's own rule has seen to it.
		return fmt.Errorf("model %.50s is not supported by use case code generations", *r.ModelName)
	}
	if !errors.As(err, &refused) {
		return err
	}
	texts := make([]string, len(refused))
	for i, one := range refused {
		texts[i] = fmt.Sprintf("%v: %s", one.Loc[len(one.Loc)-1], one.Msg)
	}
	return errors.New(strings.Join(texts, "; "))
}

func checkPromptID(id string) error {
	if id != definition {
		return fmt.Errorf("prompt_id %.100q is not known here; use %s, or send a prompt without prompt_id", id, definition)
	}
	return nil
}

// generationOf returns what a request asks for.
func generationOf(r Request) generation {
	g := generation{file: r.File, context: files(r.Context)}
	switch {
	case len(r.Messages) > 0:
		g.own = r.Messages
	case r.PromptID != "":
		g.instruction = r.Prompt
	case r.Prompt != "":
		g.own = []Message{{Role: "user", Content: r.Prompt}}
	}
	return g
}

// generate answers a request for code that was asked for in words.
func (room *Room) generate(c *gin.Context, g generation, streaming bool, w serving.Wanted, as reply) {
	model, err := room.Models.Choose(serving.Generation, w)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	maxTokens := maxGenerationTokens
	if len(g.own) > 0 {
		maxTokens = maxOwnPromptTokens
	}
	maxTokens = min(maxTokens, max(1, model.ContextSize/2))
	laid, err := g.layOut(model, model.ContextSize-maxTokens)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	room.answer(c.Request.Context(), c, &suggestion{
		file:      g.file,
		own:       g.ownText(),
		streaming: streaming,
		model:     model,
		work: engine.Request{
			Prompt:    laid.prompt.Tokens,
			MaxTokens: maxTokens,
			Sampling:  laid.prompt.Sampling,
			Stops:     laid.prompt.Stops,
			Class:     engine.Generation,
		},
		clean:  func(text string) string { return room.PostProcessing.Generation(laid.whole(text), g.file.Above) },
		filter: newGenerationFilter(laid, room.PostProcessing.Runs(postprocess.StripCodeBlock)),
		reply:  as,
		enough: enoughAfter(room.GenerationTime, streaming),
	})
}

// refusesCustomModel answers a request for a self-hosted model where those are switched off.
func (room *Room) refusesCustomModel(c *gin.Context, r Request) bool {
	if r.endpoint == nil || *r.endpoint == "" {
		return false
	}
	if !room.NoCustomModels {
		room.Logger.DebugContext(c.Request.Context(), "the model endpoint in the request is not used: the model runs here")
		return false
	}
	wire.Detail(c, http.StatusUnprocessableEntity, "Self-hosted models are switched off; set AIGW_CUSTOM_MODELS__ENABLED=true on the gateway")
	return true
}
