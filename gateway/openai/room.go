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
}

// Room answers. It may be used concurrently.
type Room struct {
	Options
	made time.Time
}

// New returns a room.
func New(o Options) *Room { return &Room{Options: o, made: time.Now()} }

// route is one of the door's, under the path that Canonical makes of all its spellings.
type route struct {
	method, path string
	handler      func(*Room, *gin.Context)
}

var routes = []route{
	{http.MethodGet, "/v1/models", (*Room).listModels},
	{http.MethodGet, "/v1/models/*id", (*Room).showModel},
	{http.MethodPost, "/v1/completions", (*Room).completions},
	{http.MethodPost, "/v1/chat/completions", (*Room).chat},
	{http.MethodPost, "/v1/embeddings", (*Room).embeddings},
	{http.MethodPost, "/completion", (*Room).nativeCompletion},
	{http.MethodPost, "/infill", (*Room).infill},
	{http.MethodPost, "/tokenize", (*Room).tokenize},
	{http.MethodPost, "/detokenize", (*Room).detokenize},
	{http.MethodGet, HealthPath, (*Room).health},
	{http.MethodGet, "/props", (*Room).props},
}

// HealthPath needs no key, as at llama-server.
const HealthPath = "/health"

// Register adds the room's routes to a router that has checked who asks.
func (room *Room) Register(router gin.IRoutes) {
	for _, r := range routes {
		answer := func(c *gin.Context) { r.handler(room, c) }
		router.Handle(r.method, r.path, answer)
		if r.method == http.MethodGet {
			router.HEAD(r.path, answer)
		}
	}
}

// Canonical returns the path of a route for any of its spellings: people write the base URL with /v1
// and without, programs append /v1 to one that has it, and slashes end up at either end.
func Canonical(path string) (string, bool) {
	path = "/" + strings.Trim(path, "/")
	for range 2 {
		path = strings.TrimPrefix(path, "/v1")
	}
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") {
		return "", false
	}
	for _, r := range routes {
		plain := strings.TrimPrefix(r.path, "/v1")
		if before, found := strings.CutSuffix(plain, "*id"); found && strings.HasPrefix(path, before) {
			return "/v1" + path, true
		}
		if path == plain {
			return r.path, true
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
