package openapi

import (
	"bytes"
	_ "embed" // page.html
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"aigw/gateway/schema"
)

// page.html is the whole page: no script, no font and no picture from elsewhere, so that it works
// where there is no internet, and under a policy that forbids all of it.

//go:embed page.html
var pageText string

var page = template.Must(template.New("page").Parse(pageText))

// PagePolicy is the Content-Security-Policy under which the page works.
const PagePolicy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Page returns a page for people about the operations. document is where the document is found,
// or empty.
func Page(info Info, operations []Operation, document string) ([]byte, error) {
	d := &schema.Definitions{}
	type answer struct {
		Status int
		About  string
		Types  string
	}
	type entry struct {
		ID, Method, Path, Tag, Summary, Text string
		Values, Headers                      string
		Public                               bool
		Body                                 []row
		JSON                                 string
		Answers                              []answer
	}
	var entries []entry
	for _, op := range sorted(operations) {
		path, _ := pathOf(op.Path)
		e := entry{ID: strings.ToLower(op.Method) + strings.ReplaceAll(path, "/", "-"), Method: op.Method, Path: path, Tag: op.Tag, Summary: op.Summary, Text: op.Text, Values: strings.Join(op.Values, ", "), Headers: strings.Join(op.Headers, ", "), Public: op.Public}
		if op.Body != nil {
			body := op.Body(d)
			e.Body = rows(d, body, 0)
			text, err := json.MarshalIndent(body, "", "  ")
			if err != nil {
				return nil, fmt.Errorf("describe %s: %w", op.Path, err)
			}
			e.JSON = string(text)
		}
		for _, a := range op.answers(info) {
			var types []string
			for _, c := range a.Types {
				types = append(types, c.Type)
			}
			e.Answers = append(e.Answers, answer{a.Status, a.About, strings.Join(types, ", ")})
		}
		entries = append(entries, e)
	}
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{"Info": info, "Document": document, "Entries": entries})
	if err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return out.Bytes(), nil
}

// row is a line of a table: a member of a body, indented, or the head of one of several shapes.
type row struct {
	Depth    int
	Name     string
	Required bool
	Type     string
	Limits   string
}

// deepest bounds how far members of members are shown; the document has all of it.
const deepest = 6

// rows lists the members of a shape, and those of the objects and lists in it.
func rows(d *schema.Definitions, shape schema.Description, depth int) []row {
	shape = resolve(d, shape)
	if depth > deepest {
		return nil
	}
	var out []row
	for _, one := range alternatives(shape) {
		one = resolve(d, one)
		if items, ok := one.Get("items").(schema.Description); ok {
			out = append(out, rows(d, items, depth)...)
			continue
		}
		properties, _ := one.Get("properties").(schema.Description)
		if len(properties) > 0 && len(alternatives(shape)) > 1 && tagOf(properties) != "" {
			out = append(out, row{Depth: depth, Name: "with " + tagOf(properties)})
		}
		required, _ := one.Get("required").([]string)
		for _, p := range properties {
			value, _ := p.Value.(schema.Description)
			r := row{Depth: depth, Name: p.Name, Type: typeName(d, value), Limits: limitsOf(d, value)}
			for _, name := range required {
				r.Required = r.Required || name == p.Name
			}
			out = append(append(out, r), rows(d, value, depth+1)...)
		}
	}
	return out
}

// alternatives returns the shapes of a union, or the shape itself.
func alternatives(shape schema.Description) []schema.Description {
	if all, ok := shape.Get("anyOf").([]schema.Description); ok {
		return all
	}
	return []schema.Description{shape}
}

// tagOf returns the member that tells the shapes of a union apart, such as "prompt_version 1".
func tagOf(properties schema.Description) string {
	for _, p := range properties {
		value, _ := p.Value.(schema.Description)
		switch all := value.Get("enum").(type) {
		case []any:
			return p.Name + " " + fmt.Sprint(all[0])
		case []string:
			if len(all) == 1 {
				return p.Name + " " + all[0]
			}
		}
	}
	return ""
}

func resolve(d *schema.Definitions, shape schema.Description) schema.Description {
	ref, ok := shape.Get("$ref").(string)
	if !ok {
		return shape
	}
	named, _ := d.Named.Get(ref[strings.LastIndexByte(ref, '/')+1:]).(schema.Description)
	return named
}

// typeName says what a value is, in a few words. Of the forms in which a number or a boolean may
// come, the first is named.
func typeName(d *schema.Definitions, shape schema.Description) string {
	var names []string
	for _, one := range alternatives(resolve(d, shape)) {
		one = resolve(d, one)
		name, _ := one.Get("type").(string)
		if items, ok := one.Get("items").(schema.Description); ok {
			name = "list of " + typeName(d, items)
		}
		if one.Get("format") == "uri" {
			name = "URL"
		}
		if values, ok := one.Get("enum").([]any); ok && name == "" {
			name = fmt.Sprint(values[0]) // the version of a body
		}
		lax := len(names) > 0 && (names[0] == "integer" || names[0] == "number" || names[0] == "boolean") && name != "null"
		if name == "" || lax || len(names) > 0 && names[len(names)-1] == name {
			continue
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return "any"
	}
	return strings.Join(names, " or ")
}

func limitsOf(d *schema.Definitions, shape schema.Description) string {
	var out []string
	first := resolve(d, alternatives(resolve(d, shape))[0])
	for _, limit := range []struct{ keyword, text string }{
		{"minLength", "at least %v characters"}, {"maxLength", "at most %v characters"}, {"minItems", "at least %v items"}, {"maxItems", "at most %v items"},
		{"minimum", "at least %v"}, {"maximum", "at most %v"}, {"default", "default %v"},
	} {
		if value := first.Get(limit.keyword); value != nil {
			out = append(out, fmt.Sprintf(limit.text, value))
		}
	}
	if values, ok := first.Get("enum").([]string); ok {
		out = append(out, strings.Join(values, ", "))
	}
	return strings.Join(out, "; ")
}
