package gateway

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/openapi"
)

// operations are the routes that say what they take and what they answer. A room that has such a
// list is named here, and its routes appear in the document.
func (s *Server) operations() []openapi.Operation {
	return slices.Concat(s.code.Operations(), s.chat.Operations(), s.agent.Operations(), s.xray.Operations(), s.prompts.Operations(), s.tokens.Operations(), s.docs.Operations(), s.monitoring())
}

// describe adds the document and its pages, where an operator wants them. They need authentication
// like every other path. Routes that describe themselves no further appear with path and method.
func (s *Server) describe(router *gin.Engine, known []openapi.Operation) {
	operations := slices.Clone(known)
	for _, route := range router.Routes() {
		described := slices.ContainsFunc(known, func(op openapi.Operation) bool { return op.Path == route.Path })
		if !described && route.Method != http.MethodHead {
			operations = append(operations, openapi.Operation{Method: route.Method, Path: route.Path})
		}
	}
	info := openapi.Info{Version: s.options.Version, Authenticated: !s.options.Auth.BypassExternal}
	if at := s.options.OpenAPIPath; at != "" {
		text, err := json.Marshal(openapi.Document(info, operations))
		if err != nil {
			panic(fmt.Errorf("the API cannot be described: %w", err)) // an error of the program, found at start-up
		}
		serve(router, at, "application/json", text, "")
	}
	for _, at := range []string{s.options.DocsPath, s.options.RedocPath} {
		if at == "" {
			continue
		}
		text, err := openapi.Page(info, operations, s.options.OpenAPIPath)
		if err != nil {
			panic(err) // an error of the program, found at start-up
		}
		serve(router, at, "text/html; charset=utf-8", text, openapi.PagePolicy)
	}
}

// serve answers GET and HEAD of a path with a text. A path that is taken already keeps its meaning.
func serve(router *gin.Engine, path, contentType string, text []byte, policy string) {
	if slices.ContainsFunc(router.Routes(), func(r gin.RouteInfo) bool { return matches(r.Path, path) }) {
		return
	}
	answer := func(c *gin.Context) {
		if policy != "" {
			c.Header("Content-Security-Policy", policy)
		}
		c.Data(http.StatusOK, contentType, text)
	}
	router.GET(path, answer)
	router.HEAD(path, answer)
}

// CheckPath reports what is wrong with a path for the document or its page, if anything.
func CheckPath(path string) error {
	if path != "" && (!strings.HasPrefix(path, "/") || strings.ContainsAny(path, ":*?# ") || path == "/" || strings.HasPrefix(path, "//")) {
		return fmt.Errorf("%q is no path; write one such as /docs, or leave it empty", path)
	}
	return nil
}
