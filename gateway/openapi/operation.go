// Package openapi describes the gateway's routes: as an OpenAPI 3.1 document, and as a page for
// people that needs nothing from a network.
//
// Bodies are described by the kinds of gateway/schema that check them, answers by the Go types
// that are sent. So the document cannot promise what the server does not do.
package openapi

import (
	"regexp"

	"github.com/gin-gonic/gin"

	"aigw/gateway/schema"
)

// Operation is a route and what is to be known about it.
type Operation struct {
	Method  string
	Path    string // as gin has it: /v1/chat/:chat_invokable, /v1/prompts/*prompt_id
	Handler gin.HandlerFunc

	Tag     string // heading under which it is found
	Summary string // one line
	Text    string // what else a caller should know; may be empty
	// Values are those that a parameter of the path may have; nil: any.
	Values []string
	// Headers must be sent, and not be empty. Query are parameters behind the path, which may be left out.
	Headers, Query []string
	// Body describes the request's body; nil is none.
	Body func(*schema.Definitions) schema.Description
	// Answers are those besides the ones that every route has.
	Answers []Answer
	// Public routes need no authentication.
	Public bool
}

// Answer is one status of a route.
type Answer struct {
	Status int
	About  string
	// Types are the content types, each with what it holds.
	Types []Content
}

// Content is a body of an answer.
type Content struct {
	Type   string // such as application/json
	Schema schema.Description
}

// BodyOf describes bodies of a kind.
func BodyOf[T any](kind schema.Kind[T]) func(*schema.Definitions) schema.Description {
	return func(d *schema.Definitions) schema.Description { return schema.Describe(d, kind) }
}

// JSON is the content of answers that are a T.
func JSON[T any]() Content { return Content{"application/json", Of[T]()} }

// Text is the content of answers that are any text of another type.
func Text(contentType string) Content { return Content{contentType, schema.Description{}} }

// Events is the content of answers that are server-sent events with these names. The schema is that
// of one event, as tools for OpenAPI 3.1 have it.
func Events(names ...string) Content {
	return Content{"text/event-stream", append(typed("object"), schema.Keyword{Name: "properties", Value: schema.Description{
		{Name: "event", Value: schema.Description{{Name: "enum", Value: names}}},
		{Name: "data", Value: append(typed("string"), schema.Keyword{Name: "contentMediaType", Value: "application/json"})},
	}}, schema.Keyword{Name: "required", Value: []string{"event", "data"}})}
}

var parameter = regexp.MustCompile(`[:*]([^/]+)`)

// Template returns the path of a route of gin as OpenAPI, and the original, have it: /v1/chat/{chat_invokable}.
func Template(route string) string {
	path, _ := pathOf(route)
	return path
}

// pathOf returns a path as OpenAPI has it, and its parameters.
func pathOf(path string) (string, []string) {
	var names []string
	for _, m := range parameter.FindAllStringSubmatch(path, -1) {
		names = append(names, m[1])
	}
	return parameter.ReplaceAllString(path, "{$1}"), names
}
