package codesuggestions

import (
	"slices"

	"aigw/gateway/serving"
	"aigw/models"
)

// usage is the size of a prompt: what the answer reports, and its parts.
type usage struct {
	consumption
	prefix, suffix int // tokens of the code around the cursor
}

// wanted returns how the request names a model.
func wanted(r Request) serving.Wanted {
	var w serving.Wanted
	if r.ModelIdentifier != nil {
		w.Identifier = *r.ModelIdentifier
	}
	if r.ModelName != nil {
		w.Family = *r.ModelName
	}
	return w
}

// layOut makes the tokens for the model, at most room of them.
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

// readyPrompt returns the text that the caller wants continued as it is, or "" if it leaves the
// prompt to the gateway. (The original ignores it on this path, against the intent of GitLab
// 17.2 to 17.4, which send a complete fill-in-the-middle text.)
//
// Of a conversation the last message of the user is taken: a completion model continues text, and
// GitLab sends one message that holds everything.
func (r Request) readyPrompt() string {
	if r.Prompt != "" {
		return r.Prompt
	}
	for _, m := range slices.Backward(r.Messages) {
		if m.Role == "user" {
			return m.Content
		}
	}
	return ""
}

func (r Request) code() models.Code {
	code := models.Code{FileName: r.File.Name, Language: r.File.editorName(), Prefix: r.File.Above, Suffix: r.File.Below}
	for _, item := range r.Context {
		code.Context = append(code.Context, models.File{Name: item.Name, Text: item.Content})
	}
	return code
}
