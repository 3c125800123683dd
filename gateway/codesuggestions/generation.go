package codesuggestions

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"aigw/gateway/serving"
	"aigw/models"
)

// generation is a wish for code, in words.
//
// A model that answers in conversations gets a system text with the rules, the file up to the
// cursor and the instruction. Its answer is begun for it, with the fence of a code block: so it
// writes code and no words around it, and the closing fence ends it.
//
// A model that only continues text gets the file up to the cursor, with the instruction as a
// comment at its end.
type generation struct {
	file        File
	context     []models.File
	instruction string    // may be empty: then the code above the cursor says what is wanted
	own         []Message // the caller's own prompt, which is used as it is
}

// ownText returns all texts of the caller's own prompt.
func (g generation) ownText() string {
	var b strings.Builder
	for _, m := range g.own {
		b.WriteString(m.Content)
	}
	return b.String()
}

// laidOut is a prompt, and how its answer begins.
type laidOut struct {
	prompt models.Prompt
	// lead is what has to stand between the cursor and the model's text.
	lead string
	// inFence says that the model's answer continues the opening fence of a code block.
	inFence bool
}

const (
	fence = "```"
	// closingFence ends an answer that is a code block.
	closingFence = "\n" + fence
)

// The sampling of code that was asked for: that of GitLab's gateway on its own path to a
// self-hosted model (section 4.8 of the wire contract). What else a model's vendor recommends
// stays.
const (
	generationTemperature = 0.2
	generationTopP        = 0.95
)

// layOut makes the tokens for the model, at most room of them.
func (g generation) layOut(model *serving.Model, room int) (laidOut, error) {
	if model.Chat == nil {
		return g.layOutText(model.Codec, room)
	}
	var laid laidOut
	var err error
	if len(g.own) > 0 {
		laid.prompt, err = model.Chat.Chat(conversation(g.own), models.ChatOptions{Room: room})
	} else {
		laid, err = g.layOutChat(model.Chat, room)
	}
	laid.prompt.Sampling.Temperature, laid.prompt.Sampling.TopP = generationTemperature, generationTopP
	return laid, err
}

func conversation(messages []Message) []models.Message {
	out := make([]models.Message, len(messages))
	for i, m := range messages {
		out[i] = models.Message{Role: m.Role, Content: m.Content}
	}
	return out
}

// layOutText asks a model that continues text. A caller's own message holds instructions for a
// model that answers, which this one would merely continue; a single text may be meant so.
func (g generation) layOutText(codec models.Codec, room int) (laidOut, error) {
	if len(g.own) == 1 && g.own[0].Role == models.User && g.file.Above == "" {
		prompt, err := codec.Text(g.own[0].Content, room)
		return laidOut{prompt: prompt}, err
	}
	code := models.Code{FileName: g.file.Name, Language: g.file.editorName(), Prefix: g.file.Above, Suffix: g.file.Below, Context: g.context}
	var laid laidOut
	if wish := strings.TrimSpace(g.instruction); wish != "" && !strings.Contains(g.file.Above, wish) {
		if !strings.HasSuffix(code.Prefix, "\n") {
			code.Prefix += "\n"
			laid.lead = "\n"
		}
		code.Prefix += detect(g.file).comment(wish)
	}
	var err error
	laid.prompt, err = codec.Completion(code, room)
	return laid, err
}

// layOutChat asks a model that answers. What does not fit is left out: first other files, then
// the beginning of the file.
func (g generation) layOutChat(codec models.ChatCodec, room int) (laidOut, error) {
	const mostBytes = 8 // of code in a token; what is beyond is not worth counting
	above := cutBefore(g.file.Above, len(g.file.Above)-mostBytes*room)
	context := g.context
	for {
		prompt, err := codec.Chat(g.messages(above, context), models.ChatOptions{Room: room})
		var tooLong *models.TooLongError
		if !errors.As(err, &tooLong) {
			if g.isMarkdown() {
				return laidOut{prompt: prompt}, err
			}
			prompt.Stops.Texts = append(slices.Clone(prompt.Stops.Texts), closingFence)
			return laidOut{prompt: prompt, inFence: true}, err
		}
		switch {
		case len(context) > 0:
			context = context[:len(context)/2] // few attempts: each counts all tokens again
		case above != "":
			excess := tooLong.Tokens - room
			above = cutBefore(above, max(1, len(above)*excess/max(1, tooLong.Tokens))+64)
		default:
			return laidOut{}, err // the instruction alone is too long
		}
	}
}

// cutBefore drops so many bytes of a text, and then the rest of a line that was cut.
func cutBefore(text string, drop int) string {
	if drop <= 0 {
		return text
	}
	if drop >= len(text) {
		return ""
	}
	text = text[drop:]
	if i := strings.IndexByte(text, '\n'); i >= 0 {
		return text[i+1:]
	}
	for text != "" && !utf8.RuneStart(text[0]) {
		text = text[1:]
	}
	return text
}

// systemText is what GitLab's own definitions demand of generated code (section 4.7 of the wire
// contract).
const systemText = `You write source code in an editor.%s
Write new code that belongs at the cursor, behind the existing code, and fulfils the instruction.
The code must be valid%s and consistent with the names in the existing code.
Answer with the new code only, in one code block: no explanation, no repetition of existing code.`

func (g generation) messages(above string, context []models.File) []models.Message {
	name, in := g.file.editorName(), ""
	if l := detect(g.file); l != nil {
		name = l.title
	}
	about := " The file is " + g.file.Name + "."
	if name != "" {
		about = fmt.Sprintf(" The file %s is written in %s.", g.file.Name, name)
		in = " " + name
	}
	var user strings.Builder
	for _, f := range context {
		fmt.Fprintf(&user, "For reference, %s:\n%s\n%s\n%s\n\n", f.Name, fence, strings.TrimSuffix(f.Text, "\n"), fence)
	}
	label := g.label()
	if above != "" {
		fmt.Fprintf(&user, "The existing code above the cursor:\n%s%s\n%s\n%s\n\n", fence, label, strings.TrimSuffix(above, "\n"), fence)
	}
	wish := strings.TrimSpace(g.instruction)
	if wish == "" {
		wish = "Write the best code that follows from the comments and names in the existing code."
	}
	fmt.Fprintf(&user, "Instruction: %s\n\nAnswer with the new code only.", wish)
	out := []models.Message{
		{Role: models.System, Content: fmt.Sprintf(systemText, about, in)},
		{Role: models.User, Content: user.String()},
	}
	if !g.isMarkdown() {
		// No new line: some formats trim the beginning of an answer.
		out = append(out, models.Message{Role: models.Assistant, Content: fence + label})
	}
	return out
}

// label returns the word behind an opening fence.
func (g generation) label() string {
	name := g.file.editorName()
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == '`' || r > '~' }) {
		return ""
	}
	return name
}

// isMarkdown reports whether code blocks may be a part of the file.
func (g generation) isMarkdown() bool {
	switch extension(g.file.Name) {
	case "md", "markdown", "mdx", "rmd", "qmd":
		return true
	}
	return g.file.editorID() == "markdown"
}

// whole returns a model's whole text as it follows the cursor.
func (l laidOut) whole(text string) string {
	if l.inFence {
		text = afterFence(text)
	}
	if text == "" {
		return ""
	}
	return l.lead + text
}

// afterFence drops the rest of the line on which the fence stands that the gateway began.
func afterFence(text string) string {
	line, rest, found := strings.Cut(text, "\n")
	if found && strings.TrimSpace(line) == "" {
		return rest
	}
	return text
}
