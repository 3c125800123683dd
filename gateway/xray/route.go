// Package xray answers POST /v1/x-ray/libraries (section 12.1 of the wire contract): a job of older
// GitLab versions that has a model list what a project depends on.
package xray

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/conversation"
	"aigw/gateway/schema"
	"aigw/gateway/wire"
	"aigw/models"
)

type body struct{ Components []component }

type component struct {
	Type     string
	Payload  payload
	Metadata map[string]string
}

type payload struct{ Prompt, Provider, Model string }

const (
	promptType = "x_ray_package_file_prompt"
	// mostPairs of metadata are taken; the grammar of the refusal is the original's.
	mostPairs = 10
	maxTokens = 2048
)

var requestKind = schema.Object(
	schema.Required("prompt_components", schema.Kind[[]component](schema.List(schema.Object(
		schema.Optional("type", schema.Literal(promptType), func(c *component) *string { return &c.Type }),
		schema.Required("payload", schema.Object(
			schema.Required("prompt", schema.String().Max(400_000), func(p *payload) *string { return &p.Prompt }),
			schema.Required("provider", schema.Members("KindModelProvider", "ANTHROPIC", "anthropic"), func(p *payload) *string { return &p.Provider }),
			schema.Required("model", schema.Members("KindAnthropicModel", "CLAUDE_2_1", "claude-2.1"), func(p *payload) *string { return &p.Model }),
		), func(c *component) *payload { return &c.Payload }),
		schema.Optional("metadata", schema.OrNull(schema.Map(schema.String().Max(100), schema.Kind[string](schema.String().Max(255)))), func(c *component) *map[string]string { return &c.Metadata }).
			Check(func(_ *component, m map[string]string) error {
				if len(m) > mostPairs {
					return errors.New("metadata cannot has more than 10 elements")
				}
				return nil
			}),
	)).Min(1).Max(1)), func(b *body) *[]component { return &b.Components }),
)

type answer struct {
	Response string `json:"response"`
}

// Room answers requests for libraries. It may be used concurrently.
type Room struct{ conversations *conversation.Room }

// New returns a room.
func New(r *conversation.Room) *Room { return &Room{r} }

// Libraries answers a request.
func (room *Room) Libraries(c *gin.Context) {
	request, ok := wire.Read(c, requestKind)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).CanFromGitLab(auth.GenerateCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access X Ray")
		return
	}
	temperature := 0.0
	asked, err := room.conversations.Ask(conversation.Question{
		Messages:  []models.Message{{Role: models.User, Content: request.Components[0].Payload.Prompt}},
		MaxTokens: maxTokens, Temperature: &temperature, Class: engine.Background, Feature: conversation.AbstractionLayer,
	})
	if err != nil {
		wire.Failure(c, err)
		return
	}
	asked.JSON(c, func(text string) any { return answer{text} })
}
