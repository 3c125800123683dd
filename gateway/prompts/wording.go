package prompts

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"text/template/parse"
)

// wording is the text of a message with places for inputs. Of Go's templates it has {{.name}} and
// {{if .name}} … {{else}} … {{end}}, and nothing that computes: inputs are data, and a text grows with them only.
type wording struct {
	template *template.Template
	names    []string // the inputs that it speaks of
}

// mistake is what is wrong with a line of a text.
type mistake struct {
	line int // from 1
	text string
}

func (m *mistake) Error() string { return fmt.Sprintf("line %d: %s", m.line, m.text) }

var templateError = regexp.MustCompile(`^template: [^:]*:(\d+):(?:\d+:)? ?(.*)`)

// parseWording reads a text. Its errors are *mistake.
func parseWording(text string) (*wording, error) {
	t, err := template.New("text").Option("missingkey=zero").Parse(text)
	if err != nil {
		m := &mistake{1, err.Error()}
		if found := templateError.FindStringSubmatch(err.Error()); found != nil {
			m.line, _ = strconv.Atoi(found[1]) // digits
			m.text = found[2]
		}
		return nil, m
	}
	w := &wording{template: t}
	if len(t.Templates()) > 1 {
		return nil, &mistake{1, "a text cannot define templates"}
	}
	if t.Tree == nil || strings.TrimSpace(text) == "" {
		return nil, &mistake{1, "the text is empty"}
	}
	if bad, why := w.walk(t.Root); bad != nil {
		return nil, &mistake{1 + strings.Count(text[:min(int(bad.Position()), len(text))], "\n"), why}
	}
	return w, nil
}

const allowed = "only {{.name}} and {{if .name}} … {{else}} … {{end}} can stand in a text"

// walk notes the names below a node, and returns the first node that may not be there.
func (w *wording) walk(node parse.Node) (parse.Node, string) {
	switch n := node.(type) {
	case *parse.ListNode:
		if n == nil {
			return nil, ""
		}
		for _, inner := range n.Nodes {
			if bad, why := w.walk(inner); bad != nil {
				return bad, why
			}
		}
		return nil, ""
	case *parse.TextNode:
		return nil, ""
	case *parse.ActionNode:
		return w.name(n, n.Pipe)
	case *parse.IfNode:
		if bad, why := w.name(n, n.Pipe); bad != nil {
			return bad, why
		}
		if bad, why := w.walk(n.List); bad != nil {
			return bad, why
		}
		return w.walk(n.ElseList)
	}
	return node, allowed
}

// name notes the one name that a pipeline consists of.
func (w *wording) name(node parse.Node, pipe *parse.PipeNode) (parse.Node, string) {
	if pipe == nil || len(pipe.Decl) != 0 || len(pipe.Cmds) != 1 || len(pipe.Cmds[0].Args) != 1 {
		return node, allowed
	}
	field, ok := pipe.Cmds[0].Args[0].(*parse.FieldNode)
	if !ok || len(field.Ident) != 1 {
		return node, allowed
	}
	w.names = append(w.names, field.Ident[0])
	return nil, ""
}

// errTooLong is returned for texts that are longer than fits into any model.
var errTooLong = fmt.Errorf("the inputs make a prompt of more than %d bytes", mostRendered)

// mostRendered bounds a message in bytes: an input may stand in it more than once.
const mostRendered = 4 << 20

// render puts the inputs in. An input that is absent is empty.
func (w *wording) render(inputs map[string]string) (string, error) {
	var out limited
	if err := w.template.Execute(&out, inputs); err != nil {
		if errors.Is(err, errTooLong) {
			return "", errTooLong
		}
		return "", fmt.Errorf("render a prompt: %w", err)
	}
	return out.String(), nil
}

// limited is a buffer that ends with errTooLong.
type limited struct{ strings.Builder }

var _ io.Writer = (*limited)(nil)

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > mostRendered {
		return 0, errTooLong
	}
	return l.Builder.Write(p)
}
