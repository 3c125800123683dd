package codesuggestions

import (
	"slices"
	"strings"

	"aigw/gateway/serving"
	"aigw/models"
)

// usage is the size of a prompt: what the answer reports, and its parts.
type usage struct {
	consumption
	prefix, suffix int // tokens of the code around the cursor
}

// wanted returns how the request names a model. The name of a cloud's model says nothing here.
func wanted(r Request) serving.Wanted {
	var w serving.Wanted
	if r.Provider == anthropic || r.Provider == vertexAI {
		return w
	}
	if r.ModelIdentifier != nil {
		w.Identifier = *r.ModelIdentifier
	}
	if r.ModelName != nil {
		w.Family = *r.ModelName
	}
	return w
}

// layOut makes the tokens of a completion for the model, at most room of them.
func layOut(model *serving.Model, r Request, room int) (models.Prompt, usage, error) {
	if text := r.readyPrompt(); text != "" {
		prompt, err := model.Codec.Text(text, room)
		return prompt, usage{consumption: consumption{Input: len(prompt.Tokens)}}, err
	}
	prompt, err := model.Codec.Completion(r.code(), room)
	return prompt, usage{
		consumption: consumption{
			Input:       prompt.PrefixTokens + prompt.SuffixTokens,
			ContextSent: prompt.ContextSent,
			ContextUsed: prompt.ContextUsed,
		},
		prefix: prompt.PrefixTokens,
		suffix: prompt.SuffixTokens,
	}, err
}

// readyPrompt returns the text that the caller of a completion wants continued as it is, or "" if
// it leaves the prompt to the gateway. (The original ignores it on this path, against the intent
// of GitLab 17.2 to 17.4, which send a complete fill-in-the-middle text.)
//
// Of a conversation the last message of the user is taken: a completion model continues text, and
// GitLab sends one message that holds everything.
func (r Request) readyPrompt() string {
	if r.Prompt != "" {
		return r.Prompt
	}
	return lastOfUser(r.Messages)
}

func lastOfUser(messages []Message) string {
	for _, m := range slices.Backward(messages) {
		if m.Role == models.User {
			return m.Content
		}
	}
	return ""
}

func (r Request) code() models.Code {
	code := models.Code{FileName: r.File.Name, Language: r.File.editorName(), Prefix: r.File.Above, Suffix: r.File.Below, Context: files(r.Context)}
	if r.ProjectPath != nil {
		code.Project = *r.ProjectPath
	}
	return code
}

// files returns the other files of a request, in its order.
func files(context []Context) []models.File {
	var out []models.File
	for _, item := range context {
		out = append(out, models.File{Name: item.Name, Text: item.Content})
	}
	return out
}

// comment writes a text as a comment of the language, one line for each of its lines.
func (l *language) comment(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		switch l.langName() {
		case "c":
			b.WriteString("/* " + strings.ReplaceAll(line, "*/", "* /") + " */\n")
		case "python", "ruby":
			b.WriteString("# " + line + "\n")
		default:
			b.WriteString("// " + line + "\n")
		}
	}
	return b.String()
}
