package openapi

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"aigw/gateway/schema"
)

// Info says what a document is about.
type Info struct {
	Version string
	// Authenticated says that routes ask for what Manners.Schemes says.
	Authenticated bool
	// Manners are what all routes have in common; their zero value is GitLab.
	Manners *Manners
}

// Manners are what all routes of an API have in common.
type Manners struct {
	Summary string // one line
	// Schemes are what a caller sends with each request, all of it, to be known.
	Schemes schema.Description
	// Forms are the forms that errors have, by name.
	Forms schema.Description
	// Refusals are the answers of every route like this one.
	Refusals func(op Operation, authenticated bool) []Answer
}

func (i Info) manners() *Manners {
	if i.Manners == nil {
		return GitLab
	}
	return i.Manners
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
	components := schema.Description{{Name: "schemas", Value: slices.Concat(d.Named, info.manners().Forms)}}
	if info.Authenticated {
		components = append(components, schema.Keyword{Name: "securitySchemes", Value: info.manners().Schemes})
	}
	return schema.Description{
		{Name: "openapi", Value: "3.1.0"},
		{Name: "info", Value: schema.Description{
			{Name: "title", Value: "aigw"},
			{Name: "summary", Value: info.manners().Summary},
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

// answers returns all answers of an operation, in the order of their status.
func (op Operation) answers(info Info) []Answer {
	all := slices.Clone(op.Answers)
	for _, a := range info.manners().Refusals(op, info.Authenticated) {
		if !slices.ContainsFunc(all, func(b Answer) bool { return b.Status == a.Status }) {
			all = append(all, a)
		}
	}
	slices.SortStableFunc(all, func(a, b Answer) int { return cmp.Compare(a.Status, b.Status) })
	return all
}

// In returns an answer whose body has one of an API's forms of errors.
func In(form string, status int, about string) Answer {
	return Answer{status, about, []Content{{"application/json", schema.Description{{Name: "$ref", Value: "#/components/schemas/" + form}}}}}
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
		together := schema.Description{} // one requirement with all members
		for _, scheme := range info.manners().Schemes {
			together = append(together, schema.Keyword{Name: scheme.Name, Value: []string{}})
		}
		add("security", []schema.Description{together})
	}
	var all []schema.Description
	parameter := func(in, name string, shape schema.Description) {
		all = append(all, schema.Description{{Name: "name", Value: name}, {Name: "in", Value: in}, {Name: "required", Value: in != "query"}, {Name: "schema", Value: shape}})
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
	for _, name := range op.Query {
		parameter("query", name, typed("string"))
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
	for _, a := range op.answers(info) {
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
