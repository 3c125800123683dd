package models

import "strings"

// decideChat finds the format of conversations. The pieces decide; a template says whether the
// model was trained further in another format.
func (d *detective) decideChat() {
	known := families[d.r.Family]
	format := known.chat
	switch d.r.Family {
	case Mistral, Mixtral, Codestral:
		format = d.mistralChat()
	}
	switch {
	case d.r.Role == Base:
		d.r.NoChat = "this is a base model, which continues text and does not answer; use the instruct model of the family"
	case d.r.Family == CodeLlama && d.r.Template == "" && d.number("block_count") >= 80:
		d.r.NoChat = "Code Llama 70b has a chat format of its own, and this file has no template; use 7b, 13b or 34b"
	case d.r.Template != "" && known.inTemplate != "" && !strings.Contains(d.r.Template, known.inTemplate):
		format = d.otherTemplate()
		d.note("the file's chat template has no %s: the model was trained further", known.inTemplate)
	case format == NoChat && d.r.Template != "":
		format = ByTemplate
	case format == ByTemplate && d.r.Template == "", format == NoChat:
		d.r.NoChat = "the file has no chat template; set the family of this model (--family)"
	}
	if d.r.NoChat != "" {
		d.note("no chat: %s", d.r.NoChat)
		return
	}
	d.r.Chat = format
	d.note("chat format %s", format)
}

// otherTemplate returns the format of a model that was trained further in another format than its
// family's: ChatML is common and needs no template engine.
func (d *detective) otherTemplate() ChatFormat {
	for _, text := range chatMarks[ChatChatML] {
		if d.mark(text) == noToken || !strings.Contains(d.r.Template, text) {
			return ByTemplate
		}
	}
	return ChatChatML
}

// mistralChat tells the versions of Mistral's tokenizer apart by their pieces.
func (d *detective) mistralChat() ChatFormat {
	switch {
	case d.mark("[SYSTEM_PROMPT]") != noToken: // v7 and later
		return ByTemplate
	case d.v.piece(3) != "[INST]":
		return ChatMistral1
	case d.r.Family != Codestral && d.earlyCodestral():
		return ChatMistral2
	}
	return ChatMistral3
}

// chatMarks are the pieces that mark turns in a chat format.
var chatMarks = map[ChatFormat][]string{
	ChatGemma:    {"<start_of_turn>", "<end_of_turn>"},
	ChatLlama3:   {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
	ChatChatML:   {"<|im_start|>", "<|im_end|>"},
	ChatDeepSeek: {"<|EOT|>"},
	ChatMistral2: {"[INST]", "[/INST]"},
	ChatMistral3: {"[INST]", "[/INST]"},
}

// chatMark returns a marker of the chat format.
func (r *Recognition) chatMark(text string) Token {
	if id, ok := r.chatIDs[text]; ok {
		return id
	}
	return noToken
}

// missingChatMark returns a marker of the chat format that the vocabulary lacks.
func (r *Recognition) missingChatMark() string {
	for _, text := range chatMarks[r.Chat] {
		if r.chatMark(text) == noToken {
			return text
		}
	}
	switch r.Chat {
	case ChatMistral1, ChatMistral2, ChatMistral3, ChatLlama2:
		if r.end == noToken {
			return "</s>"
		}
	}
	return ""
}
