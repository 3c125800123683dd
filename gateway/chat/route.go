// Package chat answers POST /v1/chat/{name} (section 8 of the wire contract): GitLab 17.2 and 17.3
// run Duo Chat through it, and every version asks it to answer from documentation.
package chat

import (
	"cmp"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/conversation"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// rights are the names that can be asked, and the right that each needs.
var rights = map[string]auth.UnitPrimitive{
	"agent":                 auth.DuoChat,
	"explain_code":          auth.DuoChat,
	"write_tests":           auth.DuoChat,
	"refactor_code":         auth.DuoChat,
	"explain_vulnerability": auth.ExplainVulnerability,
	"summarize_comments":    auth.SummarizeComments,
	"troubleshoot_job":      auth.TroubleshootJob,
}

// Room answers requests of chat. It may be used concurrently.
type Room struct{ conversations *conversation.Room }

// New returns a room.
func New(r *conversation.Room) *Room { return &Room{r} }

type answer struct {
	Response string         `json:"response"`
	Metadata answerMetadata `json:"metadata"`
}

type answerMetadata struct {
	Provider  *string `json:"provider"`
	Model     string  `json:"model"`
	Timestamp int64   `json:"timestamp"` // Unix seconds
}

// Invoke answers a request. The body is checked before the name, as in the original.
func (room *Room) Invoke(c *gin.Context) {
	request, ok := wire.Read(c, requestKind)
	if !ok {
		return
	}
	right, known := rights[c.Param("chat_invokable")]
	if !known {
		wire.Detail(c, http.StatusNotFound, "Not found")
		return
	}
	requestlog.UnitPrimitives(c.Request.Context(), string(right))
	if !auth.From(c.Request.Context()).Can(right) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access "+string(right))
		return
	}
	p := request.Components[0].Payload
	if room.conversations.RefusesCustomModel(c, p.endpoint != nil && *p.endpoint != "") {
		return
	}
	params := p.Params.settled()
	question := conversation.Question{
		Wanted:   p.wanted(),
		Messages: p.Messages, MaxTokens: int(params.MaxTokens), Temperature: params.Temperature, Stops: params.Stops,
		Class: engine.Chat, Feature: conversation.DuoChat,
	}
	asked, err := room.ask(c, question)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	// Where streams are switched off the original answers with JSON here, whatever was asked for.
	if request.Stream && !room.conversations.WholeAnswers {
		asked.Stream(c)
		return
	}
	asked.JSON(c, func(text string) any {
		return answer{text, answerMetadata{p.Provider, cmp.Or(p.Model, defaultModel), time.Now().Unix()}}
	})
}

// wanted returns how the request names a model. The name of a cloud's model says nothing here.
func (p payload) wanted() serving.Wanted {
	if p.Provider == nil || *p.Provider != "litellm" {
		return serving.Wanted{}
	}
	w := serving.Wanted{Family: p.Model}
	if p.Identifier != nil {
		w.Identifier = *p.Identifier
	}
	return w
}
