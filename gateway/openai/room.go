// Package openai answers programs that speak OpenAI's API, and that of llama-server: editors, terminals,
// and GitLab's own AI Gateway where it uses this program as its model. Models, limits and what is
// cached are the same as for GitLab.
//
// The API is that of https://platform.openai.com/docs/api-reference, the routes without /v1 and their
// bodies that of tools/server/README.md in llama.cpp. What is asked for and not supported is refused
// with its name, never left out in silence, but for what only says how to compute.
package openai

import (
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/apikeys"
	"aigw/gateway/metrics"
	"aigw/gateway/serving"
)

// Models finds models.
type Models interface {
	// ChooseNamed returns a model for a role, *serving.UnavailableError, *serving.UnsuitableError or
	// *serving.UnknownModelError.
	ChooseNamed(role serving.Role, name string, may func(*serving.Model) bool) (*serving.Model, error)
	// Models returns all that serve, or *serving.UnavailableError.
	Models() ([]*serving.Model, error)
	// Embedding returns the model that computes embeddings; nil if there is none.
	Embedding() *serving.EmbeddingModel
	// Check returns nil when everything that was asked for serves.
	Check() error
}

// Options says what a Room works with.
type Options struct {
	Models  Models
	Metrics *metrics.Metrics
	// Gap is how long an answer may stand still, before its first piece and between pieces.
	Gap time.Duration
	// WriteTimeout is how long a client may take to accept a piece of an answer.
	WriteTimeout time.Duration
	// Version is that of the program.
	Version string
	// Open says that no key is needed.
	Open bool
}

// Room answers. It may be used concurrently.
type Room struct {
	Options
	made      time.Time
	described []byte // the document
}

// New returns a room.
func New(o Options) *Room {
	room := &Room{Options: o, made: time.Now()}
	room.described = room.describe()
	return room
}

// handlers are those of the operations, by their paths.
func (room *Room) handlers() map[string]gin.HandlerFunc {
	return map[string]gin.HandlerFunc{
		"/v1/models":      room.listModels,
		"/v1/models/*id":  room.showModel,
		"/v1/completions": room.completions,
		chatPath:          room.chat,
		"/v1/embeddings":  room.embeddings,
		"/completion":     room.nativeCompletion,
		"/infill":         room.infill,
		"/tokenize":       room.tokenize,
		"/detokenize":     room.detokenize,
		HealthPath:        room.health,
		"/props":          room.props,
		documentPath:      room.document,
	}
}

const chatPath = "/v1/chat/completions"

// HealthPath needs no key, as at llama-server.
const HealthPath = "/health"

// Register adds the room's routes to a router that has checked who asks.
func (room *Room) Register(router gin.IRoutes) {
	handlers := room.handlers()
	for _, op := range operations {
		router.Handle(op.Method, op.Path, handlers[op.Path])
		if op.Method == http.MethodGet {
			router.HEAD(op.Path, handlers[op.Path])
		}
	}
}

// Canonical returns the path of a route for any of its spellings: people write the base URL with /v1
// and without, programs append /v1 to one that has it, and slashes end up at either end.
func Canonical(path string) (string, bool) {
	path = "/" + strings.Trim(path, "/")
	if path == documentPath {
		return path, true
	}
	for range 2 {
		path = strings.TrimPrefix(path, "/v1")
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "", false
	}
	for _, op := range operations {
		plain := strings.TrimPrefix(op.Path, "/v1")
		if before, found := strings.CutSuffix(plain, "*id"); found && strings.HasPrefix(path, before) {
			return "/v1" + path, true
		}
		if path == plain && op.Path != documentPath {
			return op.Path, true
		}
	}
	return "", false
}

// may says which models the request's key may ask.
func may(c *gin.Context) func(*serving.Model) bool {
	key := apikeys.From(c.Request.Context())
	return func(m *serving.Model) bool { return key.Allows(append([]string{m.Name}, m.Aliases...)...) }
}

// choose returns a model for a role by the name in a request.
func (room *Room) choose(c *gin.Context, role serving.Role, name string) (*serving.Model, error) {
	return room.Models.ChooseNamed(role, name, may(c))
}

// owner says whose a request is, for --kv-sharing user: the key's, and of those who share it the
// person that the request names.
func owner(c *gin.Context, user string) string {
	key := apikeys.From(c.Request.Context())
	if key == nil {
		return ""
	}
	return "key\x00" + key.ID + "\x00" + user
}
