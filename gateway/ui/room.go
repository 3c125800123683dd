// Package ui answers /ui, a page on which an administrator sees what the gateway does and tries its models.
//
// It is opened with an admin's API key (apikeys), which a form turns into a session with a cookie, and
// with nothing else: neither GitLab's tokens nor the variables that bypass them. While there is no such key
// its paths are not found. What it shows never has the text of a prompt or an answer, nor the name of a person.
//
// The server writes every page whole, so that it can be read without scripts; a small script of ours then
// has the parts that change written anew. All of it is embedded, and nothing is asked of another host.
package ui

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"aigw/gateway/apikeys"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/certificate"
	"aigw/gateway/conversation"
	"aigw/gateway/serving"
	"aigw/search"
)

// Settings are what an operator decides, and what the program knows beside the gateway.
type Settings struct {
	// Off answers 404, whatever keys there are (--ui off).
	Off bool
	// Keyring has the keys of tokens; nil: there is none.
	Keyring *keyring.Ring
	// Certificate is what the API is served with; nil: without TLS.
	Certificate *certificate.Holder
}

// Options says what a Room works with.
type Options struct {
	Settings
	Version string
	Keys    *apikeys.Ring
	Models  *serving.State
	// Hour has the times of the last hour's answers.
	Hour *Hour
	// Searcher finds passages of the documentation; nil finds none. Excerpts finds as many as a model can be given.
	// Link makes an address of a passage's.
	Searcher search.Searcher
	Excerpts func(ctx context.Context, question string, n int) ([]search.Passage, error)
	Link     func(url string) string
	// Conversations answers questions. WriteTimeout is how long a browser may take to accept a piece.
	Conversations *conversation.Room
	WriteTimeout  time.Duration
	// Complete answers what GitLab sends to /v2/code/completions.
	Complete gin.HandlerFunc
	// Begin counts a request of a key that a model has to answer, or refuses it with *limits.Refusal.
	Begin func(key *apikeys.Key, clientIP string) (end func(), err error)
	// Scheme is how a client has reached the server: http or https.
	Scheme func(*gin.Context) string
	// Quiet keeps a request that succeeds out of the log.
	Quiet func(*gin.Context)
	// EditorTokens says that tokens for editors can be made, Bypass what is not authenticated; empty: nothing.
	EditorTokens bool
	Bypass       string
}

// Room answers. It may be used concurrently.
type Room struct {
	Options
	made     time.Time
	sessions *sessions
	failures *failures
	looks    *rate.Limiter // of all open pages together
	now      snapshots
	written  writtenParts
}

const (
	// looksPerSecond bounds how often the parts that change are written for all pages together; a page asks
	// every two seconds, so that many can be open: looksInStock.
	looksPerSecond = 8
	looksInStock   = 16
)

// New returns a room.
func New(o Options) *Room {
	return &Room{
		Options: o, made: time.Now(), sessions: newSessions(), failures: newFailures(),
		looks: rate.NewLimiter(looksPerSecond, looksInStock),
	}
}

// Path is where the page is.
const Path = "/ui"

// Is reports whether a path is one of the page's.
func Is(path string) bool { return path == Path || strings.HasPrefix(path, Path+"/") }

// Open reports whether anybody may sign in.
func (room *Room) Open() bool { return !room.Off && room.Keys.Admins() > 0 }

// Register adds the room's routes to a router that nothing but the page uses.
func (room *Room) Register(router *gin.Engine) {
	router.Use(headers, room.door)
	read := func(path string, handlers ...gin.HandlerFunc) {
		router.GET(path, handlers...)
		router.HEAD(path, handlers...)
	}
	read(Path+"/assets/:name", asset)
	read(Path+"/signin", room.signInPage)
	router.POST(Path+"/signin", small, sameSite, room.signIn)

	within := room.session
	read(Path, within, room.page("status"))
	read(Path+"/", within, room.page("status"))
	read(Path+"/live", within, room.live)
	read(Path+"/connection", within, room.page("connection"))
	read(Path+"/docs", within, room.page("docs"))
	read(Path+"/playground", within, room.page("playground"))
	router.POST(Path+"/signout", small, sameSite, within, genuine, room.signOut)
	router.POST(Path+"/docs", small, sameSite, within, genuine, room.search)
	router.POST(Path+"/complete", sameSite, within, genuine, room.limited, room.complete)
	router.POST(Path+"/ask", small, sameSite, within, genuine, room.limited, room.ask)
	router.NoRoute(notFound)
	router.NoMethod(func(c *gin.Context) { c.String(http.StatusMethodNotAllowed, "method not allowed\n") })
}

// door answers 404 while nobody may sign in.
func (room *Room) door(c *gin.Context) {
	if !room.Open() {
		notFound(c)
		c.Abort()
	}
}

func notFound(c *gin.Context) { c.String(http.StatusNotFound, "not found\n") }

// writtenParts keeps the parts that change as they were written last, by the class whose times they show.
type writtenParts struct {
	mu    sync.Mutex
	parts map[string]writtenPart
}

type writtenPart struct {
	of   *snapshot
	text []byte
}
