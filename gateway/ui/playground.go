package ui

import (
	"errors"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/conversation"
	"aigw/gateway/docsearch"
	"aigw/gateway/wire"
	"aigw/models"
	"aigw/search"
)

// userHeader names the person whose editor asks. Here it is the key, whatever the browser says.
const userHeader = "X-Gitlab-Global-User-Id"

// asKey has what follows count as asked by the session's key, with one right and no other.
func asKey(c *gin.Context, right auth.UnitPrimitive) {
	name := "key\x00" + apikeys.From(c.Request.Context()).ID
	c.Request.Header.Set(userHeader, name)
	c.Request = c.Request.WithContext(auth.With(c.Request.Context(), &auth.Principal{
		Claims: auth.Claims{Scopes: []string{string(right)}}, GlobalUserID: name,
	}))
}

// complete answers the playground's editor as an editor behind GitLab is answered: the body is the same, and so is
// everything from there on.
func (room *Room) complete(c *gin.Context) {
	asKey(c, auth.CompleteCode)
	room.Complete(c)
}

const (
	// maxQuestion bounds a question, in characters; passages is how many excerpts the model is given, shown how many
	// a search shows, answerTokens how long an answer may be.
	maxQuestion  = 2000
	passages     = 3
	shown        = 10
	answerTokens = 512
)

// question returns what a form asks, or answers that it is none.
func question(c *gin.Context) (string, bool) {
	text := strings.TrimSpace(c.PostForm("question"))
	switch {
	case !utf8.ValidString(text), text == "":
		wire.Detail(c, http.StatusUnprocessableEntity, "Write a question")
	case utf8.RuneCountInString(text) > maxQuestion:
		wire.Detail(c, http.StatusUnprocessableEntity, "The question is longer than 2000 characters")
	default:
		return text, true
	}
	return "", false
}

// search shows passages of the documentation. The question is in the body: addresses are written into logs.
func (room *Room) search(c *gin.Context) {
	text, ok := question(c)
	if !ok {
		return
	}
	data := room.data(c, "docs")
	var found []search.Passage
	var err error
	if room.Searcher != nil {
		found, err = room.Searcher.Search(c.Request.Context(), text, shown)
		room.linked(found)
	}
	if err != nil {
		data["Wrong"] = "The index could not be searched: " + err.Error()
	}
	data["Question"], data["Asked"], data["Found"] = text, true, found
	show(c, http.StatusOK, "docs", data)
}

// linked makes the addresses of passages such as a browser can follow, or takes them away.
func (room *Room) linked(found []search.Passage) {
	for i := range found {
		found[i].URL = room.Link(found[i].URL)
	}
}

// source is a passage that an answer is based on.
type source struct {
	Number int    `json:"number"` // as the answer cites it: [1]
	Title  string `json:"title"`
	URL    string `json:"url"` // empty if unknown
	Page   string `json:"page"`
}

// ask answers a question from the documentation: one JSON object a line, first the sources, then pieces of the
// answer, and at the end whether it is whole.
func (room *Room) ask(c *gin.Context) {
	text, ok := question(c)
	if !ok {
		return
	}
	asKey(c, auth.DuoChat)
	found, err := room.Excerpts(c.Request.Context(), text, passages)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	room.linked(found)
	asked, found, err := room.lay(text, found)
	if err != nil {
		wire.Failure(c, err)
		return
	}
	out := wire.NewLineStream(c, room.WriteTimeout)
	sources := make([]source, len(found))
	for i, p := range found {
		sources[i] = source{i + 1, p.Title, p.URL, p.Page}
	}
	err = asked.Generate(c, true, func(piece string) error {
		if !out.Started() {
			if err := out.Write(map[string]any{"sources": sources, "model": asked.Model()}); err != nil {
				return err
			}
		}
		return out.Write(map[string]string{"text": piece})
	})
	switch {
	case err == nil && !out.Started(): // the model had nothing to say
		_ = out.Write(map[string]any{"sources": sources, "model": asked.Model()}) // the browser is gone if this fails
		fallthrough
	case err == nil:
		_ = out.Write(map[string]bool{"end": true}) // as above
		out.End()
	case c.Request.Context().Err() != nil:
		c.Status(wire.StatusClientGone)
	case out.Started():
		out.Break()
	default:
		wire.Failure(c, err)
	}
}

// lay lays a question out with as many passages as fit.
func (room *Room) lay(text string, found []search.Passage) (*conversation.Asked, []search.Passage, error) {
	for {
		asked, err := room.Conversations.Ask(conversation.Question{
			Messages: docsearch.Messages(text, found), MaxTokens: answerTokens, Class: engine.Chat, Feature: conversation.DuoChat,
		})
		if tooLong := (*models.TooLongError)(nil); errors.As(err, &tooLong) && len(found) > 0 {
			found = found[:len(found)-1] // the least likely
			continue
		}
		return asked, found, err
	}
}
