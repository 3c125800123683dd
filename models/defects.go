package models

import (
	"fmt"
	"strings"
)

// findDefects applies the table of model-families.md, section 6: what converters and people get
// wrong, and what is used instead. What llama.cpp would abort on is Check's business.
func (d *detective) findDefects() {
	d.checkFillInKeys()
	d.checkMarkTypes()
	d.checkBOS()
	d.checkEOS()
	d.checkSpacePrefix()
	d.checkPre()
	d.checkTemplate()
	d.checkPieces()
}

func (d *detective) checkFillInKeys() {
	if !d.r.FIM {
		return
	}
	d.checkFillInMissing()
	want := map[string]Token{"prefix": d.r.marks.prefix, "suffix": d.r.marks.suffix, "middle": d.r.marks.middle}
	for _, k := range fillInKeys {
		if id, ok := d.id(k.key); ok && id != want[k.part] && want[k.part] != noToken {
			d.defect(Repaired, k.key, fmt.Sprintf("%d (%s) is used", want[k.part], d.v.piece(want[k.part])),
				"is %s (%q)", d.show(k.key), Clip(d.v.piece(id)))
		}
	}
}

// checkFillInMissing reports that the metadata name no fill-in tokens: today's converter writes none
// for CodeGemma, Code Llama and Codestral. They are in the vocabulary.
func (d *detective) checkFillInMissing() {
	if claims, _ := d.claimsFIM(); claims {
		return
	}
	m := d.r.marks
	used := fmt.Sprintf("%d (%s) and %d (%s) are used", m.prefix, d.v.piece(m.prefix), m.suffix, d.v.piece(m.suffix))
	if m.middle != noToken {
		used = fmt.Sprintf("%d (%s), %d (%s) and %d (%s) are used", m.prefix, d.v.piece(m.prefix), m.suffix, d.v.piece(m.suffix), m.middle, d.v.piece(m.middle))
	}
	d.defect(Repaired, fillInKeys[0].key, used, "is missing, and so are the other fill-in tokens")
}

// checkMarkTypes reports markers that are not typed as control pieces. They are used by id, and
// text that spells them is kept apart by the encoder.
func (d *detective) checkMarkTypes() {
	if len(d.v.types) == 0 {
		return
	}
	var normal, user []string
	for _, id := range d.familyMarks() {
		switch d.v.typeOf(id) {
		case pieceNormal:
			normal = append(normal, d.v.piece(id))
		case pieceUserDefined:
			user = append(user, d.v.piece(id))
		}
	}
	if len(normal) > 0 {
		d.defect(Repaired, keyTokenTypes, "they are used by their ids", "calls %s normal text", strings.Join(normal, " "))
	}
	if len(user) > 0 {
		d.defect(Repaired, keyTokenTypes, "they are used by their ids, and text that spells them is cut before it is tokenized",
			"calls %s user-defined", strings.Join(user, " "))
	}
}

func (d *detective) checkBOS() {
	if id, ok := d.id(keyBOS); ok && int(id) >= d.v.size() {
		used := "no BOS is used"
		if d.r.bos != noToken {
			used = fmt.Sprintf("%d (%s) is used", d.r.bos, d.v.piece(d.r.bos))
		}
		d.defect(Repaired, keyBOS, used, "is %s of %d pieces", d.show(keyBOS), d.v.size())
	}
	add, said := d.f.Bool(keyAddBOS)
	if !d.r.ownBOS {
		return
	}
	if said && add != (d.r.bos != noToken) {
		d.defect(Repaired, keyAddBOS, fmt.Sprintf("%t is used, as the family needs it", !add), "is %t", add)
	}
	writes := strings.Contains(d.r.Template, "bos_token") || strings.HasPrefix(d.r.Template, d.v.piece(d.r.bos))
	if d.r.bos != noToken && (add || !said) && d.r.Template != "" && writes {
		d.defect(Repaired, keyTemplate, "one is used", "writes BOS, and the tokenizer adds one too")
	}
}

func (d *detective) checkEOS() {
	eos, ok := d.id(keyEOS)
	if ok && int(eos) >= d.v.size() {
		d.defect(Repaired, keyEOS, "the family's end tokens are used", "is %s of %d pieces", d.show(keyEOS), d.v.size())
		return
	}
	if _, named := d.id(keyEOT); !named {
		for _, text := range map[Family][]string{CodeLlama: {"▁<EOT>"}, CodeGemma: {"<end_of_turn>"}}[d.r.Family] {
			if id := d.mark(text); id != noToken {
				d.defect(Repaired, keyEOT, fmt.Sprintf("%d (%s) ends an answer too", id, text), "is missing")
			}
		}
	}
	switch piece := d.v.piece(eos); {
	case d.r.Family == DeepSeekCoder && d.r.Role == Instruct && ok && piece != "<|EOT|>":
		d.defect(Repaired, keyEOS, "<|EOT|> ends an answer too", "is %q in an instruct model", Clip(piece))
	case d.r.Family == Llama3 && d.r.Role == Instruct && ok && piece != "<|eot_id|>":
		d.defect(Repaired, keyEOS, "<|eot_id|> ends an answer too", "is %q in an instruct model", Clip(piece))
	}
}

// checkSpacePrefix repairs the dummy space: converters copy it from a configuration that often
// says something else than the tokenizer does.
func (d *detective) checkSpacePrefix() {
	if d.v.kind != sentencePiece || !d.r.ownBOS {
		return
	}
	want := families[d.r.Family].spacePrefix
	got, said := d.f.Bool(keySpacePrefix)
	switch {
	case said && got == want, !said && want: // llama.cpp's default is true
		return
	case said:
		d.defect(Repaired, keySpacePrefix, fmt.Sprintf("%t is used", want), "is %t", got)
	default:
		d.defect(Repaired, keySpacePrefix, fmt.Sprintf("%t is used", want), "is missing")
	}
	d.r.Overrides = append(d.r.Overrides, Override{keySpacePrefix, want})
}

// checkPre repairs or refuses a BPE vocabulary that does not say how text is split before its
// merges: llama.cpp only warns, and every text would be split wrongly.
func (d *detective) checkPre() {
	if d.v.kind != byteLevelBPE {
		return
	}
	known := families[d.r.Family]
	switch {
	case d.v.pre != "" && d.v.pre != "default":
		return
	case known.pre != "":
		found := "is missing"
		if d.v.pre != "" {
			found = fmt.Sprintf("is %q", d.v.pre)
		}
		d.defect(Repaired, keyPre, fmt.Sprintf("%q is used, that of the family", known.pre), "%s", found)
		d.r.Overrides = append(d.r.Overrides, Override{keyPre, known.pre})
		d.r.Tokenizer.Pre = known.pre
	case d.v.pre == "":
		d.defect(Refused, keyPre, "set the family of this model (--family), or "+doConvertAgain,
			"is missing, and no known family tells how text is split")
	}
}

func (d *detective) checkTemplate() {
	switch {
	case d.r.Template == "" && d.r.Role == Instruct && d.r.Chat != NoChat:
		d.defect(Repaired, keyTemplate, "the format of the family is used", "is missing")
	case (d.r.Chat == ChatMistral2 || d.r.Chat == ChatMistral3) && strings.Contains(d.r.Template, "' [/INST]"):
		d.defect(Repaired, keyTemplate, "the format of the vocabulary is used", "is one of Mistral v1, the vocabulary is of v3")
	}
}

// checkPieces reports pieces without text, and byte pieces that are missing in a SentencePiece
// vocabulary: rare characters cannot be encoded without them.
func (d *detective) checkPieces() {
	empty, bytes := 0, 0
	for i := range Token(d.v.size()) {
		switch text := d.v.piece(i); {
		case text == "":
			empty++
		case d.v.kind == sentencePiece && len(text) == 6 && strings.HasPrefix(text, "<0x"):
			bytes++
		}
	}
	if empty > 0 {
		d.defect(Warned, keyTokens, "llama.cpp names them [EMPTY_n]", "has %d pieces without text", empty)
	}
	if d.v.kind == sentencePiece && bytes < 256 {
		d.defect(Warned, keyTokens, "requests with characters that the vocabulary lacks fail", "has %d of 256 byte pieces", bytes)
	}
}
