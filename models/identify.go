package models

import (
	"fmt"
	"strings"
)

// identify finds the family from vocabulary and structure, which cannot lie; names decide only
// where both leave a choice (model-families.md, section 4). The first test that hits decides.
func (d *detective) identify() (Family, string) {
	has := func(texts ...string) bool {
		for _, t := range texts {
			if _, ok := d.found[t]; !ok {
				return false
			}
		}
		return true
	}
	spm := d.v.kind == sentencePiece
	switch {
	case has("<｜fim▁begin｜>", "<｜fim▁hole｜>"):
		return d.deepSeek()
	case has("<｜begin▁of▁sentence｜>"):
		return Generic, "piece <｜begin▁of▁sentence｜> without fill-in pieces: DeepSeek, or distilled from it"
	case d.arch == "gemma" && d.v.piece(67) == "<|fim_prefix|>" && d.v.piece(107) == "<end_of_turn>":
		return CodeGemma, "piece 67 is <|fim_prefix|>, piece 107 <end_of_turn>, architecture gemma"
	case has("<|fim_prefix|>", "<|repo_name|>", "<|im_start|>"):
		return d.qwen()
	case has("<fim_prefix>", "<file_sep>", "<repo_name>") && !has("<filename>", "<reponame>"):
		return StarCoder2, "pieces <fim_prefix>, <file_sep>, <repo_name>"
	case has("<fim_prefix>", "<filename>", "<reponame>"):
		return d.starCoder1()
	case has("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"):
		return CodeLlama, "pieces ▁<PRE>, ▁<SUF>, ▁<MID>, ▁<EOT>"
	case spm && d.v.size() >= 32768 && d.v.piece(3) == "[INST]":
		return d.mistralV3()
	case has("<|start_header_id|>"):
		return Llama3, "piece <|start_header_id|>"
	case has("<start_of_turn>"):
		return d.gemma()
	case has("<|im_start|>", "<|im_end|>"):
		if d.v.pre == "smollm" {
			return SmolLM2, "pieces <|im_start|>, <|im_end|>, pre-tokenizer smollm"
		}
		return ChatML, "pieces <|im_start|>, <|im_end|>"
	case spm && d.arch == "llama" && d.v.piece(28705) == "▁" && d.v.piece(733) == "▁[":
		return d.mistralV1()
	case spm && d.arch == "llama" && d.v.piece(29871) == "▁":
		return d.llama2()
	}
	return Generic, "no family is known that has this vocabulary"
}

func (d *detective) deepSeek() (Family, string) {
	const pieces = "pieces <｜fim▁begin｜>, <｜fim▁hole｜>"
	if d.arch == "llama" && d.v.size() < 33000 { // 32256; V2 and later have 100,000 and more
		return DeepSeekCoder, fmt.Sprintf("%s, %d pieces", pieces, d.v.size())
	}
	if n, ok := anyName(d.names, "coder"); ok && d.arch == "deepseek2" {
		return DeepSeekCoderV2, fmt.Sprintf("%s, architecture deepseek2, %s is %q", pieces, n.source, Clip(n.text))
	}
	return Generic, pieces + ", but neither DeepSeek Coder nor DeepSeek Coder V2"
}

func (d *detective) qwen() (Family, string) {
	const pieces = "pieces <|fim_prefix|>, <|repo_name|>, <|im_start|>"
	if d.arch != "qwen2" && d.arch != "qwen2moe" {
		return ChatML, pieces + ", architecture " + d.arch
	}
	if n, ok := anyName(d.names, "coder"); ok && d.arch == "qwen2" {
		return QwenCoder, fmt.Sprintf("%s, architecture qwen2, %s is %q", pieces, n.source, Clip(n.text))
	}
	d.noFIM = "general Qwen models have fill-in-the-middle tokens and were not trained on them; " +
		"if this is Qwen2.5-Coder, set the family of this model to qwen2.5-coder (--family)"
	return Qwen, pieces + ", no name says coder"
}

func (d *detective) starCoder1() (Family, string) {
	const pieces = "pieces <fim_prefix>, <filename>, <reponame>"
	if d.arch == "starcoder" || d.arch == "refact" || d.arch == "starcoder2" {
		return StarCoder, pieces + ", architecture " + d.arch
	}
	if n, ok := anyName(d.names, "code"); ok {
		return StarCoder, fmt.Sprintf("%s, %s is %q", pieces, n.source, Clip(n.text))
	}
	d.noFIM = "this model has StarCoder's fill-in-the-middle tokens, and nothing says that it was trained on them; " +
		"if it was, set the family of this model to starcoder (--family)"
	return Generic, pieces + ", no name says code"
}

// mistralV3 tells apart what shares the vocabulary of Mistral v3. Structure excludes; where it
// does not decide, names do. Fill-in-the-middle is never guessed: a chat model that is asked for
// it answers with prose.
func (d *detective) mistralV3() (Family, string) {
	const pieces = "SentencePiece, piece 3 is [INST]"
	layers, width := d.number("block_count"), d.number("embedding_length")
	shape := fmt.Sprintf("%s, %d layers of %d", pieces, layers, width)
	switch {
	case d.arch != "llama":
		return Generic, fmt.Sprintf("%s, but architecture %s", pieces, d.arch)
	case d.number("expert_count") == 8:
		return Mixtral, pieces + ", 8 experts"
	case layers == 32 && width == 4096:
		return Mistral, shape + ": Mistral 7B"
	}
	switch family, n := familyByName(d.names); family {
	case Codestral:
		return Codestral, fmt.Sprintf("%s, %s is %q", shape, n.source, Clip(n.text))
	case Mistral:
		return Mistral, fmt.Sprintf("%s, %s is %q", shape, n.source, Clip(n.text))
	}
	d.noFIM = "this file could be Codestral or Mistral, which differ only by name; set the family of this model (--family)"
	return Mistral, shape + ", no name says codestral"
}

// mistralV1 has the vocabulary of Mistral 7B v0.1, v0.2 and Mixtral 8x7B.
func (d *detective) mistralV1() (Family, string) {
	const pieces = "SentencePiece, piece 733 is ▁[, piece 28705 is ▁"
	if d.number("expert_count") == 8 {
		return Mixtral, pieces + ", 8 experts"
	}
	return Mistral, pieces
}

// llama2 has the vocabulary of Llama 2 and of the Code Llamas without fill-in tokens.
func (d *detective) llama2() (Family, string) {
	const pieces = "SentencePiece, piece 29871 is ▁"
	reason := ""
	if n, ok := anyName(d.names, "codellama"); ok {
		reason = fmt.Sprintf("%s is %q", n.source, Clip(n.text))
	} else if base, ok := d.f.Value(d.arch + ".rope.freq_base"); ok {
		if hz, _ := base.Float(); hz == 1e6 { // Llama 2 has 1e4
			reason = "rope base 1e6"
		}
	}
	if reason == "" {
		return Llama2, pieces
	}
	d.noFIM = "this Code Llama has no fill-in-the-middle tokens (34b and Python variants do not); use 7b or 13b"
	if missing := d.missingMark(CodeLlama); missing != "" && d.v.size() > 32000 {
		d.noFIM = fmt.Sprintf("piece %s is missing (the vocabulary has %d pieces, the last is %q): no fill-in-the-middle; convert the model again",
			missing, d.v.size(), Clip(d.v.piece(Token(d.v.size()-1))))
	}
	return CodeLlama, pieces + ", " + reason
}

// gemma tells the generations of Gemma apart: by architecture, and by where turns begin.
func (d *detective) gemma() (Family, string) {
	turn := d.found["<start_of_turn>"]
	evidence := fmt.Sprintf("piece <start_of_turn> is %d, architecture %s", turn, d.arch)
	if claims, piece := d.claimsFIM(); claims {
		d.noFIM = fmt.Sprintf("piece %d is %s, this is Gemma, not CodeGemma: no fill-in-the-middle", piece, d.v.piece(piece))
	}
	switch {
	case strings.HasPrefix(d.arch, "gemma3"), turn == 105:
		return Gemma3, evidence
	case d.arch == "gemma2":
		return Gemma2, evidence
	case d.arch == "gemma":
		return Gemma, evidence
	}
	return Generic, evidence
}
