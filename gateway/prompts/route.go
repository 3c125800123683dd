package prompts

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/conversation"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// react is the agent's prompt: GitLab asks for it at /v2/chat/agent, and it cannot be asked for here.
const react = "chat/react"

// Room answers requests for prompts. It may be used concurrently.
type Room struct {
	conversations *conversation.Room
	catalogue     *Catalogue
}

// New returns a room; a nil catalogue is the program's own.
func New(r *conversation.Room, catalogue *Catalogue) *Room {
	if catalogue == nil {
		catalogue = BuiltIn()
	}
	return &Room{r, catalogue}
}

// Invoke answers a request. What is wrong is looked for in the order of the original: body, name, version,
// rights, inputs.
func (room *Room) Invoke(c *gin.Context) {
	request, ok := wire.Read(c, requestKind)
	if !ok {
		return
	}
	id := strings.TrimPrefix(c.Param("prompt_id"), "/")
	prompt, ok := room.find(c, id, request.Version)
	if !ok || room.conversations.RefusesCustomModel(c, request.Model != nil) {
		return
	}
	inputs := request.texts()
	if missing := prompt.missing(inputs); len(missing) > 0 {
		wire.Detail(c, http.StatusUnprocessableEntity, "Input to prompt '"+id+"' is missing variables: "+strings.Join(missing, ", "))
		return
	}
	messages, err := prompt.render(inputs)
	if errors.Is(err, errTooLong) {
		wire.Detail(c, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if err != nil {
		fail(c, err)
		return
	}
	question := conversation.Question{
		Wanted: request.Model.Wanted(), Messages: messages, Alike: prompt.alike(inputs), MaxTokens: prompt.maxTokens, Temperature: prompt.temperature, Stops: prompt.stops,
		Grammar: prompt.grammar(inputs), Class: engine.Chat, Feature: feature(id), Failure: fail,
	}
	if id == modelCheck {
		room.check(c, question, request.Stream)
		return
	}
	asked, err := room.conversations.Ask(question)
	switch {
	case err != nil:
		fail(c, err)
	case request.Stream:
		asked.Stream(c)
	default:
		asked.JSON(c, func(text string) any { return text })
	}
}

// find returns the prompt that is asked for, or answers why not.
func (room *Room) find(c *gin.Context, id string, version *string) (*Prompt, bool) {
	if id != react && !room.catalogue.has(id) {
		wire.Detail(c, http.StatusNotFound, "Prompt '"+id+"' not found")
		return nil, false
	}
	text := ""
	if version != nil {
		text = *version
	}
	within, err := parseConstraint(text)
	if err != nil {
		refuseVersion(c, err.Error())
		return nil, false
	}
	rights := []auth.UnitPrimitive{auth.DuoChat}
	var prompt *Prompt
	if id != react {
		if prompt = room.catalogue.find(id, within); prompt == nil {
			refuseVersion(c, "no version of the prompt is within the constraint")
			return nil, false
		}
		rights = prompt.rights
	}
	requestlog.UnitPrimitives(c.Request.Context(), rightNames(rights)...)
	if !may(auth.From(c.Request.Context()), rights) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access '"+id+"'")
		return nil, false
	}
	if id == react {
		wire.Detail(c, http.StatusUnprocessableEntity, "Prompt '"+react+"' is not supported")
		return nil, false
	}
	return prompt, true
}

// refuseVersion answers in the original's words; the log says more.
func refuseVersion(c *gin.Context, reason string) {
	requestlog.Add(c.Request.Context(), slog.String("prompt_version_error", reason))
	wire.Detail(c, http.StatusUnprocessableEntity, "Invalid version constraint")
}

func feature(id string) string {
	if strings.HasPrefix(id, "chat/") {
		return conversation.DuoChat
	}
	return conversation.AbstractionLayer
}
