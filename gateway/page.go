package gateway

import (
	"github.com/gin-gonic/gin"

	"aigw/gateway/conversation"
	"aigw/gateway/ui"
	"aigw/gateway/wire"
)

// The status page is a router of its own behind the API's port, like the OpenAI door: what GitLab's
// requests pass is not for browsers, and bodies of its requests are never logged, since one has a key.

// newPage returns the room of the status page.
func (s *Server) newPage(conversations *conversation.Room) *ui.Room {
	o := s.options
	return ui.New(ui.Options{
		Settings: o.UI, Version: o.Version, Keys: o.APIKeys, Models: s.state, Hour: s.hour,
		Searcher: o.Docs.Searcher, Excerpts: s.docs.Find, Link: s.docs.Link,
		Conversations: conversations, WriteTimeout: o.WriteTimeout, Complete: s.code.Completions,
		Begin: s.beginOfKey, Scheme: s.scheme, Quiet: quiet,
		EditorTokens: o.Tokens.Key != nil, Bypass: o.Auth.BypassWarning(),
	})
}

// quiet keeps a request that succeeds out of the log: pages ask every other second.
func quiet(c *gin.Context) { exchangeOf(c.Request.Context()).quiet = true }

// pageRoutes builds the page's router.
func (s *Server) pageRoutes() *gin.Engine {
	router := gin.New()
	router.HandleMethodNotAllowed = true
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	s.trustProxies(router)
	router.Use(noteRoute, s.recovery(func(c *gin.Context) { wire.Detail(c, 500, "Internal Server Error") }))
	s.page.Register(router)
	return router
}
