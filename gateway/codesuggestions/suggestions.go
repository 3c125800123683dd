package codesuggestions

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// CompletionsV3 answers POST /v3/code/completions.
func (room *Room) CompletionsV3(c *gin.Context) { room.suggest(c, replyV3{}) }

// Suggestions answers POST /v4/code/suggestions.
func (room *Room) Suggestions(c *gin.Context) { room.suggest(c, replyV4{}) }

func (room *Room) suggest(c *gin.Context, as reply) {
	body, ok := wire.Read(c, componentsRequest)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).CanFromGitLab(auth.CompleteCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to access code suggestions")
		return
	}
	request := body.request(sendsContext(c.GetHeader("X-Gitlab-Language-Server-Version")))
	room.count(request.File, nil)
	if body.List[0].Type == editorCompletion {
		room.complete(c, request, as)
		return
	}
	if request.PromptID != "" {
		if err := checkPromptID(request.PromptID); err != nil {
			wire.Detail(c, http.StatusUnprocessableEntity, err.Error())
			return
		}
	}
	g := body.List[0].Editor.enhanced(generationOf(request))
	room.generate(c, g, request.Stream, serving.Wanted{}, as)
}

// sendsContext reports whether a language server's context is meant for use, which is so from
// 6.3.0 on. A version that cannot be read is 0.0.0.
func sendsContext(version string) bool {
	version, pre, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(version), "v"), "-")
	least := [3]int{6, 3, 0}
	parts := strings.Split(version, ".")
	if len(parts) != len(least) {
		return false
	}
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return false
		}
		if n != least[i] {
			return n > least[i]
		}
	}
	return pre == "" // 6.3.0-beta comes before 6.3.0
}

// fileOf names a text that has no name of its own by what it is.
func fileOf(kind, text string) models.File {
	return models.File{Name: strings.ReplaceAll(kind, "_", " "), Text: text}
}
