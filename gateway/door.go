package gateway

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/limits"
	"aigw/gateway/openai"
	"aigw/gateway/requestlog"
)

// The OpenAI door is a router of its own behind the same port. It is open while there is an API key, or
// on a loopback address where the operator wants it open to everybody there. While it is shut, its paths
// are what they are to GitLab. A key opens nothing but this door, and neither GitLab's tokens nor the variables
// that bypass them open it.

// doorPath returns the path of a request that is for the door.
func (s *Server) doorPath(r *http.Request) (string, bool) {
	if s.options.APIKeys.Len() == 0 && !s.options.OpenAIInsecure {
		return "", false
	}
	if path, ok := openai.Canonical(r.URL.Path); ok {
		return path, true
	}
	// Whoever comes with a key means the door, also where it has no such path.
	return r.URL.Path, apikeys.Looks(apiKey(r.Header))
}

// doorRoutes builds the door's router. What requests pass is the same as in routes.
func (s *Server) doorRoutes() *gin.Engine {
	router := gin.New()
	router.HandleMethodNotAllowed = true
	router.RedirectTrailingSlash = false
	router.RedirectFixedPath = false
	s.trustProxies(router)
	router.Use(noteRoute, s.recovery(func(c *gin.Context) { openai.Internal().Answer(c) }), s.doorCORS, s.doorAuthentication, s.logPayload, s.doorLimit)
	s.openai.Register(router)
	router.NoRoute(func(c *gin.Context) { openai.NoRoute(c.Request.Method, c.Request.URL.Path).Answer(c) })
	router.NoMethod(func(c *gin.Context) { openai.NoMethod(c.Request.Method, c.Request.URL.Path).Answer(c) })
	return router
}

// apiKey returns the key of a request, in any of the headers that clients send it in.
func apiKey(h http.Header) string {
	if kind, key, ok := strings.Cut(h.Get("Authorization"), " "); ok && strings.EqualFold(kind, "bearer") {
		return strings.TrimSpace(key)
	}
	for _, name := range []string{"X-Api-Key", "Api-Key"} {
		if key := h.Get(name); key != "" {
			return key
		}
	}
	return ""
}

// doorCORS lets scripts of all pages use keys that they have, unless the door is open without one.
func (s *Server) doorCORS(c *gin.Context) {
	if c.GetHeader("Origin") == "" || s.options.OpenAIInsecure {
		return
	}
	c.Header("Access-Control-Allow-Origin", "*")
	if c.Request.Method != http.MethodOptions || c.GetHeader("Access-Control-Request-Method") == "" {
		return
	}
	c.Header("Access-Control-Allow-Methods", "GET, POST")
	c.Header("Access-Control-Max-Age", "600") // seconds
	if wanted := c.GetHeader("Access-Control-Request-Headers"); wanted != "" {
		c.Header("Access-Control-Allow-Headers", wanted)
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	c.Abort()
}

// doorAuthentication refuses who has no key, and where none is needed, pages of strangers.
func (s *Server) doorAuthentication(c *gin.Context) {
	if c.FullPath() == openai.HealthPath {
		return
	}
	text := apiKey(c.Request.Header)
	key := s.options.APIKeys.Find(text)
	switch {
	case key != nil:
		requestlog.Add(c.Request.Context(), slog.String("api_key_id", key.ID), slog.String("api_key_name", key.Name))
		c.Request = c.Request.WithContext(apikeys.With(c.Request.Context(), key))
	case s.options.OpenAIInsecure && !apikeys.Looks(text): // programs send any word where a key is demanded of them
		if wrong := checkLocal(c.Request); wrong != "" {
			openai.Forbidden(wrong).Answer(c)
		}
	case text == "":
		s.limits.Stranger(c.Request.Context())
		openai.NoKey().Answer(c)
	default:
		s.limits.Stranger(c.Request.Context())
		openai.WrongKey().Answer(c)
	}
}

// checkLocal is checkBrowser, and refuses what did not come to a loopback address.
func checkLocal(r *http.Request) string {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); !ok || !isLoopback(local.String()) || !isLoopback(r.Host) {
		return "Without a key this server answers only on a loopback address and to names such as localhost; make a key with aigw keys add"
	}
	if origin := r.Header.Get("Origin"); origin != "" && !sameHost(origin, r.Host) {
		return "Pages of another origin need a key; make one with aigw keys add"
	}
	return ""
}

// doorLimit is limit for keys. One without limits of its own counts as one person.
func (s *Server) doorLimit(c *gin.Context) {
	if c.FullPath() == "" || c.Request.Method != http.MethodPost {
		return
	}
	end, err := s.beginOfKey(apikeys.From(c.Request.Context()), c.ClientIP())
	if refusal := (*limits.Refusal)(nil); errors.As(err, &refusal) {
		s.metrics.Refused(refusal.Reason)
		requestlog.Add(c.Request.Context(), slog.String("refused", refusal.Reason))
		openai.TooMany(refusal.Error(), refusal.Wait).Answer(c)
		return
	}
	defer end()
	c.Next()
}

func (s *Server) beginOfKey(key *apikeys.Key, clientIP string) (end func(), err error) {
	switch {
	case key == nil:
		instance, user := accounts(&auth.Principal{Debug: true}, clientIP)
		return s.limits.Begin(instance, user)
	case key.PerMinute == 0 && key.Running == 0:
		return s.limits.Begin("", "key\x00"+key.ID)
	}
	return s.limits.BeginOne("key", key.ID, limits.Limit{Running: key.Running, PerMinute: key.PerMinute})
}
