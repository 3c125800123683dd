package openapi

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"aigw/gateway/schema"
)

// Info says what a document is about.
type Info struct {
	Version string
	// Authenticated says that routes ask for GitLab's token.
	Authenticated bool
}

// Document returns the OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html) of the
// operations.
func Document(info Info, operations []Operation) schema.Description {
	d := &schema.Definitions{}
	paths := schema.Description{}
	for _, op := range sorted(operations) {
		path, parameters := pathOf(op.Path)
		described := schema.Keyword{Name: strings.ToLower(op.Method), Value: op.describe(d, info, path, parameters)}
		if n := len(paths); n > 0 && paths[n-1].Name == path {
			paths[n-1].Value = append(paths[n-1].Value.(schema.Description), described)
			continue
		}
		paths = append(paths, schema.Keyword{Name: path, Value: schema.Description{described}})
	}
	components := schema.Description{{Name: "schemas", Value: append(schema.Description{}, append(d.Named, refusals...)...)}}
	if info.Authenticated {
		components = append(components, schema.Keyword{Name: "securitySchemes", Value: schemes})
	}
	return schema.Description{
		{Name: "openapi", Value: "3.1.0"},
		{Name: "info", Value: schema.Description{
			{Name: "title", Value: "aigw"},
			{Name: "summary", Value: "GitLab's AI Gateway API, answered by models that run in this process"},
			{Name: "version", Value: cmp.Or(info.Version, "dev")},
		}},
		{Name: "paths", Value: paths},
		{Name: "components", Value: components},
	}
}

// sorted returns the operations by path, in the order of versions and names.
func sorted(operations []Operation) []Operation {
	return slices.SortedStableFunc(slices.Values(operations), func(a, b Operation) int {
		return cmp.Or(strings.Compare(a.Path, b.Path), strings.Compare(a.Method, b.Method))
	})
}

// schemes are what GitLab sends with each request (section 3.2 of the wire contract).
var schemes = schema.Description{
	{Name: "token", Value: schema.Description{{Name: "type", Value: "http"}, {Name: "scheme", Value: "bearer"}, {Name: "bearerFormat", Value: "JWT"}}},
	{Name: "kind", Value: schema.Description{
		{Name: "type", Value: "apiKey"}, {Name: "in", Value: "header"}, {Name: "name", Value: "X-Gitlab-Authentication-Type"}, {Name: "description", Value: "always oidc"},
	}},
}

// refusals are the forms that errors have.
var refusals = schema.Description{
	{Name: "Refusal", Value: Of[struct {
		Detail   string   `json:"detail"`
		Progress *float64 `json:"progress,omitempty"` // while a model loads
	}]()},
	{Name: "Invalid", Value: schema.Description{
		{Name: "type", Value: "object"},
		{Name: "properties", Value: schema.Description{{Name: "detail", Value: schema.Description{{Name: "anyOf", Value: []schema.Description{typed("string"), {
			{Name: "type", Value: "array"},
			{Name: "items", Value: schema.Description{
				{Name: "type", Value: "object"},
				{Name: "properties", Value: schema.Description{
					{Name: "type", Value: typed("string")},
					{Name: "loc", Value: append(typed("array"), schema.Keyword{Name: "items", Value: schema.Description{{Name: "type", Value: []string{"string", "number"}}}})},
					{Name: "msg", Value: typed("string")},
					{Name: "input", Value: schema.Description{}},
					{Name: "ctx", Value: typed("object")},
				}},
				{Name: "required", Value: []string{"type", "loc", "msg", "input"}},
			}},
		}}}}}}},
		{Name: "required", Value: []string{"detail"}},
	}},
	{Name: "Stranger", Value: Of[struct {
		Error string `json:"error"`
	}]()},
}

// refused returns an answer in one of those forms.
func refused(status int, form, about string) Answer {
	return Answer{status, about, []Content{{"application/json", schema.Description{{Name: "$ref", Value: "#/components/schemas/" + form}}}}}
}

// Refused returns an answer that says in one text why something is not done.
func Refused(status int, about string) Answer { return refused(status, "Refusal", about) }

// answers returns all answers of an operation, in the order of their status.
func (op Operation) answers(authenticated bool) []Answer {
	all := slices.Clone(op.Answers)
	add := func(a Answer) {
		if !slices.ContainsFunc(all, func(b Answer) bool { return b.Status == a.Status }) {
			all = append(all, a)
		}
	}
	if authenticated && !op.Public {
		add(refused(http.StatusUnauthorized, "Stranger", "The token is missing or not valid."))
	}
	if !op.Public {
		add(refused(http.StatusForbidden, "Refusal", "The token does not allow this, or a page of another origin asks where authentication is bypassed."))
	}
	if op.Body != nil {
		add(refused(http.StatusBadRequest, "Refusal", "The body is no text in UTF-8, UTF-16 or UTF-32."))
		add(refused(http.StatusRequestTimeout, "Refusal", "The body did not arrive in time."))
		add(refused(http.StatusRequestEntityTooLarge, "Refusal", "The body is too large."))
		add(refused(http.StatusUnprocessableEntity, "Invalid", "The body is not what is described here, its prompt does not fit the model, or no model can do it."))
		add(refused(http.StatusTooManyRequests, "Refusal", "All places are taken; Retry-After says for how long."))
		add(refused(http.StatusServiceUnavailable, "Refusal", "A model is loading, the server stops, or the model failed."))
	}
	add(refused(http.StatusRequestHeaderFieldsTooLarge, "Refusal", "The headers are too large."))
	slices.SortStableFunc(all, func(a, b Answer) int { return cmp.Compare(a.Status, b.Status) })
	return all
}

func (op Operation) describe(d *schema.Definitions, info Info, path string, parameters []string) schema.Description {
	out := schema.Description{}
	add := func(name string, value any) { out = append(out, schema.Keyword{Name: name, Value: value}) }
	if op.Tag != "" {
		add("tags", []string{op.Tag})
	}
	if op.Summary != "" {
		add("summary", op.Summary)
	}
	if op.Text != "" {
		add("description", op.Text)
	}
	add("operationId", strings.ToLower(op.Method)+strings.NewReplacer("/", "_", "{", "", "}", "", "-", "_").Replace(path))
	if info.Authenticated && !op.Public {
		// Both at once: one requirement with two members.
		add("security", []schema.Description{{{Name: "token", Value: []string{}}, {Name: "kind", Value: []string{}}}})
	}
	var all []schema.Description
	parameter := func(in, name string, shape schema.Description) {
		all = append(all, schema.Description{{Name: "name", Value: name}, {Name: "in", Value: in}, {Name: "required", Value: true}, {Name: "schema", Value: shape}})
	}
	for _, name := range parameters {
		shape := typed("string")
		if op.Values != nil {
			shape = append(shape, schema.Keyword{Name: "enum", Value: op.Values})
		}
		parameter("path", name, shape)
	}
	for _, name := range op.Headers {
		parameter("header", name, append(typed("string"), schema.Keyword{Name: "pattern", Value: "^[!-~]+$"}))
	}
	if len(all) > 0 {
		add("parameters", all)
	}
	if op.Body != nil {
		add("requestBody", schema.Description{
			{Name: "required", Value: true},
			{Name: "content", Value: schema.Description{{Name: "application/json", Value: schema.Description{{Name: "schema", Value: op.Body(d)}}}}},
		})
	}
	responses := schema.Description{}
	for _, a := range op.answers(info.Authenticated) {
		responses = append(responses, schema.Keyword{Name: strconv.Itoa(a.Status), Value: a.describe()})
	}
	add("responses", responses)
	return out
}

func (a Answer) describe() schema.Description {
	out := schema.Description{{Name: "description", Value: a.About}}
	if len(a.Types) > 0 {
		content := schema.Description{}
		for _, c := range a.Types {
			content = append(content, schema.Keyword{Name: c.Type, Value: schema.Description{{Name: "schema", Value: c.Schema}}})
		}
		out = append(out, schema.Keyword{Name: "content", Value: content})
	}
	return out
}
