package gateway

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth"
	"aigw/gateway/featureflags"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// routes builds the router. What every request passes is, from outside to inside: Server.ServeHTTP
// (request id, log line, limits), recovery from panics, CORS, authentication, the route. Routes
// that do not exist pass the same way, so that they tell a stranger nothing.
func (s *Server) routes() *gin.Engine {
	gin.SetMode(gin.ReleaseMode) // no notices on stdout; the mode is gin's only global state
	router := gin.New()
	router.HandleMethodNotAllowed = true
	router.RedirectTrailingSlash = false // gin would do it before authentication
	router.RedirectFixedPath = false
	s.trustProxies(router)

	internal := func(c *gin.Context) { wire.Detail(c, http.StatusInternalServerError, "Internal Server Error") }
	router.Use(noteRoute, s.recovery(internal), s.cors, s.authentication, s.featureFlags, s.logPayload, s.limit)
	operations := s.operations()
	for _, op := range operations {
		router.Handle(op.Method, op.Path, op.Handler)
		if op.Method == http.MethodGet {
			router.HEAD(op.Path, op.Handler)
		}
	}
	s.describe(router, operations) // all routes that are registered by now

	known := router.Routes()
	router.NoRoute(func(c *gin.Context) { s.noRoute(c, known) })
	router.NoMethod(noMethod)
	return router
}

func (s *Server) trustProxies(router *gin.Engine) {
	proxies := make([]string, len(s.options.TrustedProxies))
	for i, p := range s.options.TrustedProxies {
		proxies[i] = p.String()
	}
	if err := router.SetTrustedProxies(proxies); err != nil {
		panic(err) // a netip.Prefix is always a valid CIDR
	}
}

// authentication refuses strangers with 401, and where there is none, other people's pages.
func (s *Server) authentication(c *gin.Context) {
	if auth.Skips(c.Request.URL.Path) {
		return
	}
	principal, err := s.auth.Authenticate(c.Request)
	if err != nil {
		s.limits.Stranger(c.Request.Context())
		wire.JSON(c, http.StatusUnauthorized, map[string]string{"error": err.Error()})
		c.Abort()
		return
	}
	if wrong := checkBrowser(c.Request, principal); wrong != "" {
		wire.Detail(c, http.StatusForbidden, wrong)
		c.Abort()
		return
	}
	c.Request = c.Request.WithContext(auth.With(c.Request.Context(), principal))
}

// featureFlags notes which flags GitLab has switched on for the request.
func (s *Server) featureFlags(c *gin.Context) {
	flags := s.options.DisallowedFlags.Enabled(c.Request.Header)
	requestlog.Add(c.Request.Context(), slog.Any("enabled_feature_flags", flags))
	c.Request = c.Request.WithContext(featureflags.With(c.Request.Context(), flags))
}

// cloudProxies are where the original passes requests on to clouds. Nothing is here, and it says so in the words in
// which the original's handlers, not its router, do.
var cloudProxies = []string{"/v1/proxy/anthropic/", "/v1/proxy/vertex-ai/"}

// noRoute sends the caller to the path with or without a slash at its end, if there is one, as
// the original's router does.
func (s *Server) noRoute(c *gin.Context, known gin.RoutesInfo) {
	path := c.Request.URL.Path
	for _, proxy := range cloudProxies {
		if strings.HasPrefix(path, proxy) {
			wire.Detail(c, http.StatusNotFound, "Not found")
			return
		}
	}
	other := path + "/"
	if strings.HasSuffix(path, "/") {
		other = strings.TrimRight(path, "/")
	}
	for _, route := range known {
		if matches(route.Path, other) {
			target := *c.Request.URL
			target.Scheme, target.Host = s.scheme(c), c.Request.Host
			target.Path, target.RawPath = other, ""
			c.Header("Location", target.String())
			c.Status(http.StatusTemporaryRedirect)
			c.Writer.WriteHeaderNow()
			return
		}
	}
	wire.Detail(c, http.StatusNotFound, "Not Found")
}

// scheme returns what the client used, as far as that can be known.
func (s *Server) scheme(c *gin.Context) string {
	if forwarded := c.GetHeader("X-Forwarded-Proto"); (forwarded == "http" || forwarded == "https") && s.trusts(c.RemoteIP()) {
		return forwarded
	}
	if c.Request.TLS != nil {
		return "https"
	}
	return "http"
}

// matches reports whether a path fits a route's template.
func matches(template, path string) bool {
	for {
		wantPart, wantRest, wantMore := strings.Cut(template, "/")
		part, rest, more := strings.Cut(path, "/")
		switch {
		case strings.HasPrefix(wantPart, "*"):
			return true
		case strings.HasPrefix(wantPart, ":"):
			if part == "" {
				return false
			}
		case part != wantPart:
			return false
		}
		if !wantMore || !more {
			return wantMore == more
		}
		template, path = wantRest, rest
	}
}

// noMethod answers a known path with another method. gin has set the header Allow; HEAD, which
// only this server answers, is left out of it.
func noMethod(c *gin.Context) {
	c.Header("Allow", strings.TrimSuffix(c.Writer.Header().Get("Allow"), ", HEAD"))
	wire.Detail(c, http.StatusMethodNotAllowed, "Method Not Allowed")
}
