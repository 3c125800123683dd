package models

import (
	"cmp"
	"slices"
	"strings"
)

// Elsewhere is a model that a server of another program has: what is known of it is its names, and what the
// operator says.
type Elsewhere struct {
	Recognition
	Spelling *Spelling
}

// RecogniseElsewhere tells from names, the most telling first, and from the operator which family a model of another
// server is of. One of which nothing is known continues text, and converses as its server lays it out.
func RecogniseElsewhere(said Operator, called ...string) *Elsewhere {
	e := &Elsewhere{Recognition: Recognition{Family: said.Family, Role: said.Role, Layout: layoutPrefix, bos: noToken, end: noToken, ownBOS: true}}
	r := &e.Recognition
	all := make([]name, 0, len(called))
	for _, text := range called {
		all = append(all, name{"the model's name", text})
	}
	if r.Family == "" {
		r.Family = familyElsewhere(all)
	}
	if r.Role == "" {
		r.Role, _ = roleByName(all)
	}
	if r.Role == "" {
		r.Role = Instruct
		if slices.Contains([]Family{CodeGemma, CodeLlama, StarCoder, StarCoder2}, r.Family) {
			r.Role = Base
		}
	}
	r.Chat = chatElsewhere(r, all)
	known := families[r.Family]
	m := known.marks
	s := newSpelling(known.spacePrefix, known.bos,
		slices.Concat([]string{m.prefix, m.suffix, m.middle, m.file, m.repo, "</s>"}, known.stops, chatMarks[r.Chat])...)
	e.Spelling = s
	r.bos, r.end = s.id(known.bos), s.id("</s>")
	r.marks = marks{s.id(m.prefix), s.id(m.suffix), s.id(m.middle), s.id(m.file), s.id(m.repo)}
	r.Tokenizer = TokenizerInfo{Model: known.tokenizer, Pre: known.pre, DummySpace: known.spacePrefix}
	r.chatIDs, r.control = map[string]Token{}, map[Token]string{}
	for _, text := range chatMarks[r.Chat] {
		r.chatIDs[text] = s.id(text)
	}
	for _, text := range known.stops {
		r.stops = append(r.stops, s.id(text))
	}
	for text, id := range s.ids {
		if text == "" || text[0] == 0 {
			continue
		}
		r.control[id] = text
		if r.Chat != ChatMistral1 || !strings.Contains(text, "INST]") { // text like any other, there
			s.parsed = append(s.parsed, strings.TrimPrefix(text, "▁"))
		}
	}
	slices.SortFunc(s.parsed, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	if r.Family == Codestral {
		s.silent[r.marks.prefix], s.silent[r.marks.suffix] = true, true
	}
	_, python := anyName(all, "python")
	r.FIM = known.layout != "" && !(r.Family == CodeGemma && r.Role == Instruct) && !(r.Family == CodeLlama && python)
	if r.FIM {
		r.Layout = known.layout
	}
	return e
}

// familyElsewhere goes by names alone.
func familyElsewhere(all []name) Family {
	if family, _ := familyByName(all); family != "" {
		return family
	}
	for _, n := range all {
		if known, ok := FindGitLabName(n.text); ok && known.Family != "" {
			return known.Family
		}
		text := squeeze(n.text)
		for _, known := range []struct {
			text   string
			family Family
		}{{"qwen25coder", QwenCoder}, {"qwen25", Qwen}, {"llama3", Llama3}, {"llama2", Llama2}, {"gemma3", Gemma3}, {"gemma2", Gemma2}} {
			if strings.Contains(text, known.text) {
				return known.family
			}
		}
	}
	return Generic
}

// chatElsewhere is the format of conversations: the family's, or by the server's template.
func chatElsewhere(r *Recognition, all []name) ChatFormat {
	if r.Role == Base {
		r.NoChat = "it is used as a base model, which continues text and does not answer; say --family NAME=" + string(r.Family) + ":instruct if it does"
		return NoChat
	}
	switch r.Family {
	case Mistral, Mixtral:
		for _, old := range []string{"v0.1", "v0.2", "8x7b"} {
			for _, n := range all {
				if strings.Contains(strings.ToLower(n.text), old) {
					return ChatMistral1
				}
			}
		}
		return ChatMistral3
	}
	if format := families[r.Family].chat; format != NoChat {
		return format
	}
	return ByTemplate
}

// Codec lays out code.
func (e *Elsewhere) Codec() (Codec, error) { return For(e.Recognition, e.Spelling) }

// ChatCodec lays out conversations; nil if the model is used as one that has none.
func (e *Elsewhere) ChatCodec() (ChatCodec, error) {
	switch e.Chat {
	case NoChat:
		return nil, nil
	case ByTemplate:
		return &chat{family: e.Family, format: ByTemplate, layout: serverChat{e.Spelling}, sampling: chatSampling[e.Family]}, nil
	}
	return ForChat(e.Recognition, e.Spelling, nil)
}
