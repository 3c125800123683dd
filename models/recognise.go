package models

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"aigw/models/gguf"
)

// Operator is what somebody who knows has said about a model. Its zero value says nothing.
type Operator struct {
	Family Family
	Role   Role
}

// Recognise tells from a header which family a model is of and what it can do. The file must
// have passed CheckVocabulary. A model that nothing is known of works as a generic one. Whether a
// defect makes it unusable says Recognition.Err: people may want to look at it all the same.
func Recognise(f *gguf.File) (Recognition, error) { return RecogniseAs(f, Operator{}) }

// RecogniseAs does what Recognise does, with family and role as the operator has set them. A
// family that the vocabulary contradicts is refused with a *Refusal.
func RecogniseAs(f *gguf.File, said Operator) (Recognition, error) {
	v, err := readVocabulary(f)
	if err != nil {
		return Recognition{}, named(f, err)
	}
	d := &detective{f: f, v: v, names: names(f)}
	d.arch, _ = f.Architecture()
	d.found = v.find(knownPieces()...)
	if err := d.decide(said); err != nil {
		return Recognition{}, named(f, err)
	}
	return d.r, nil
}

// detective collects what a header tells.
type detective struct {
	f     *gguf.File
	v     *vocabulary
	arch  string
	names []name
	found map[string]Token // of knownPieces, those that the vocabulary has
	noFIM string           // why there is no fill-in-the-middle although one may expect it
	r     Recognition
}

// knownPieces are the pieces that the families are told by and use.
func knownPieces() []string {
	all := map[string]bool{
		"<|im_start|>": true, "<|im_end|>": true, "<|start_header_id|>": true, "<|end_header_id|>": true,
		"<start_of_turn>": true, "<filename>": true, "<reponame>": true, "[INST]": true, "[/INST]": true,
		"[SYSTEM_PROMPT]": true, "[MIDDLE]": true, "<pad>": true, "<|User|>": true, "<|Assistant|>": true,
		"▁<EOT>": true,
	}
	for _, known := range families {
		m := known.marks
		for _, text := range append([]string{known.bos, m.prefix, m.suffix, m.middle, m.file, m.repo}, known.stops...) {
			if text != "" {
				all[text] = true
			}
		}
	}
	return slices.Collect(maps.Keys(all))
}

// number returns a number that describes the network, 0 if it is absent.
func (d *detective) number(key string) uint64 {
	n, _ := d.f.Uint(d.arch + "." + key)
	return n
}

// id returns a token that the metadata name; one beyond every vocabulary if the number is.
func (d *detective) id(key string) (Token, bool) {
	n, ok := d.f.Uint(key)
	return Token(min(n, math.MaxInt32)), ok
}

// show returns a metadata entry as it stands in the file.
func (d *detective) show(key string) string {
	v, _ := d.f.Value(key)
	return v.String()
}

func (d *detective) decide(said Operator) error {
	d.r = Recognition{file: d.f.Path, Architecture: d.arch, Context: int(min(d.number("context_length"), 1<<30)), Layout: layoutPrefix}
	d.r.Template, _ = d.f.Text(keyTemplate)
	d.r.Tokenizer = TokenizerInfo{Model: d.v.kind, Pre: d.v.pre, Pieces: d.v.size()}

	var evidence string
	d.r.Family, evidence = d.identify()
	if said.Family != "" && said.Family != d.r.Family {
		if err := d.contradiction(said.Family); err != nil {
			return err
		}
		evidence = fmt.Sprintf("the operator says so; without that: %s (%s)", d.r.Family, evidence)
		d.r.Family, d.noFIM = said.Family, ""
	}
	d.note("family %s: %s", d.r.Family, evidence)
	d.decideRole(said.Role)
	d.decideTokenizer()
	d.decideFillIn()
	d.decideChat()
	d.findDefects()
	d.collectStops()
	d.collectControl()
	return nil
}

func (d *detective) note(format string, args ...any) {
	d.r.Evidence = append(d.r.Evidence, fmt.Sprintf(format, args...))
}

func (d *detective) defect(effect Effect, key, used, format string, args ...any) {
	d.r.Defects = append(d.r.Defects, Defect{Key: key, Found: fmt.Sprintf(format, args...), Used: used, Effect: effect})
}

// contradiction refuses a family that the vocabulary cannot be of.
func (d *detective) contradiction(family Family) error {
	known, ok := families[family]
	if !ok {
		return refusef("", fmt.Sprintf("known are %v", slices.Sorted(maps.Keys(families))), "no family is called %q", Clip(string(family)))
	}
	if known.tokenizer != "" && known.tokenizer != d.v.kind {
		return refusef(keyTokenizer, "leave the family out, or use another file", "is %q, a model of family %s has %q", d.v.kind, family, known.tokenizer)
	}
	if missing := d.missingMark(family); missing != "" && !(family == Codestral && d.earlyCodestral()) {
		return refusef(keyTokens, "leave the family out, or use another file", "has no piece %s, which models of family %s have", missing, family)
	}
	return nil
}

func (d *detective) decideRole(said Role) {
	known := families[d.r.Family]
	byName, n := roleByName(d.names)
	eos, _ := d.id(keyEOS)
	switch {
	case said != "":
		d.r.Role = said
		d.note("role %s: the operator says so", said)
	case d.r.Family == Codestral:
		d.r.Role = Instruct
		d.note("role %s: Codestral does both", Instruct)
	case d.r.Family == DeepSeekCoder && d.v.piece(eos) == "<|EOT|>":
		d.r.Role = Instruct
		d.note("role %s: EOS is <|EOT|>", Instruct)
	case byName != "":
		d.r.Role = byName
		d.note("role %s: %s is %q", byName, n.source, Clip(n.text))
	case d.r.Template != "" && !known.baseTemplate:
		d.r.Role = Instruct
		d.note("role %s: the file has a chat template", Instruct)
	default:
		d.r.Role = Base
		d.note("role %s: no name and no chat template says otherwise", Base)
	}
}

// decideTokenizer finds BOS and dummy space by the family's rule.
func (d *detective) decideTokenizer() {
	known := families[d.r.Family]
	d.r.bos = noToken
	d.r.ownBOS = known.tokenizer != ""
	if id, ok := d.found[known.bos]; ok && known.bos != "" {
		d.r.bos = id
	}
	d.r.Tokenizer.DummySpace = d.v.kind == sentencePiece
	if said, ok := d.f.Bool(keySpacePrefix); ok {
		d.r.Tokenizer.DummySpace = said
	}
	if d.r.ownBOS {
		d.r.Tokenizer.DummySpace = known.spacePrefix
	}
}
