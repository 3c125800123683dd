package openai

import (
	"encoding/json"
	"regexp"
	"strings"

	"aigw/gateway/grammar"
	"aigw/models"
)

// tool is one that a request offers.
type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	// Strict says that a schema that cannot be kept to is an error.
	Strict bool `json:"strict"`
}

// toolCall is a call in a message of the assistant's.
type toolCall struct {
	Index    *int         `json:"index,omitempty"` // in pieces of a stream only
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// Bounds of tools; the first is OpenAI's own.
const (
	mostTools    = 128
	mostToolName = 128
)

var toolName = regexp.MustCompile(`^[A-Za-z0-9_.:/-]{1,128}$`)

// toolUse is what a request says of tools.
type toolUse struct {
	tools    []models.Tool
	must     bool // an answer without a call is none
	parallel bool
	legacy   bool // asked for as functions, the name before there were tools
}

// use returns what the request says of tools; nil if none are to be called.
func (r *chatRequest) use() (*toolUse, error) {
	use := &toolUse{parallel: r.ParallelToolCalls == nil || *r.ParallelToolCalls}
	param, choice := "tools", r.ToolChoice
	offered := make([]function, 0, len(r.Tools)+len(r.Functions))
	for i, t := range r.Tools {
		if t.Type != "" && t.Type != "function" {
			return nil, unsupported("tools", "tools[%d] has the type %q; only functions are supported", i, t.Type)
		}
		offered = append(offered, t.Function)
	}
	if len(r.Functions) > 0 {
		if len(r.Tools) > 0 {
			return nil, invalid("functions", "functions is the older name of tools; a request has one of them")
		}
		param, choice, offered = "functions", r.FunctionCall, r.Functions
		use.legacy, use.parallel = true, false
	}
	named, must, err := chosen(choice, use.legacy)
	switch {
	case err != nil:
		return nil, err
	case string(choice) == `"none"`:
		return nil, nil
	case len(offered) == 0 && (must || named != ""):
		return nil, invalid(choiceName(use.legacy), "%s asks for a call, and there are no %s", choiceName(use.legacy), param)
	case len(offered) > mostTools:
		return nil, invalid(param, "there are %d functions; at most %d are supported", len(offered), mostTools)
	}
	seen := map[string]bool{}
	for i, f := range offered {
		t, err := f.check(param, i)
		switch {
		case err != nil:
			return nil, err
		case seen[f.Name]:
			return nil, invalid(param, "two functions have the name %q", f.Name)
		}
		if seen[f.Name] = true; named == "" || named == f.Name {
			use.tools = append(use.tools, t)
		}
	}
	if named != "" && !seen[named] {
		return nil, invalid(choiceName(use.legacy), "%s names the function %q, which is not among %s", choiceName(use.legacy), named, param)
	}
	use.parallel = use.parallel && named == ""
	if use.must = must || named != ""; len(use.tools) == 0 {
		return nil, nil
	}
	return use, nil
}

// check makes a tool of a function.
func (f function) check(param string, i int) (models.Tool, error) {
	t := models.Tool{Name: f.Name, Description: f.Description}
	if !toolName.MatchString(f.Name) {
		return t, invalid(param, "function %d has the name %q; names have 1 to %d letters, digits, and _ - . : /", i, f.Name, mostToolName)
	}
	if text := strings.TrimSpace(string(f.Parameters)); text != "" && text != "null" {
		if text[0] != '{' {
			return t, invalid(param, "parameters of the function %q have to be a JSON schema, an object", f.Name)
		}
		t.Parameters = f.Parameters
	}
	if f.Strict && t.Parameters != nil {
		if _, err := grammar.FromSchema(t.Parameters); err != nil {
			return t, invalid(param, "the function %q is strict, and its parameters cannot be kept to: %s", f.Name, err)
		}
	}
	return t, nil
}

func choiceName(legacy bool) string {
	if legacy {
		return "function_call"
	}
	return "tool_choice"
}

// chosen reads tool_choice: none, auto, required, or a function's name; function_call, its older name, has
// no required.
func chosen(raw json.RawMessage, legacy bool) (named string, must bool, err error) {
	var word *string
	if len(raw) == 0 || json.Unmarshal(raw, &word) == nil {
		switch {
		case word == nil || *word == "none" || *word == "auto":
			return "", false, nil
		case !legacy && (*word == "required" || *word == "any"): // Mistral's clients say any
			return "", true, nil
		}
		return "", false, invalid(choiceName(legacy), "%s is %q; none, auto, required and the name of a function are supported", choiceName(legacy), *word)
	}
	var one struct {
		Type, Name string
		Function   struct{ Name string }
	}
	if json.Unmarshal(raw, &one) != nil {
		return "", false, mistyped(choiceName(legacy), "%s has to be a string or an object", choiceName(legacy))
	}
	switch {
	case one.Function.Name != "":
		named = one.Function.Name
	case one.Name != "":
		named = one.Name
	case one.Type != "function" && one.Type != "":
		return "", false, unsupported(choiceName(legacy), "%s has the type %q; only a function can be named", choiceName(legacy), one.Type)
	default:
		return "", false, invalid(choiceName(legacy), "%s names no function", choiceName(legacy))
	}
	return named, true, nil
}
