package postprocess

import "strings"

// markers are special tokens of the families that write code. As tokens they end a generation
// and are never text; a model can still spell one, and then begins to write its own training
// format.
var markers = []string{
	"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>", "<|file_separator|>", "<|file_sep|>", "<|repo_name|>",
	"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<fim_pad>",
	"<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|eot_id|>", "<|EOT|>", "<EOT>",
	"<PRE>", "<SUF>", "<MID>", "[PREFIX]", "[MIDDLE]", "[SUFFIX]", "[INST]", "[/INST]",
	"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>", "<start_of_turn>", "<end_of_turn>",
}

// stripSpecialTokens ends the text at the first special token in it. One that stands in the file
// itself is left alone: the file is about them.
func stripSpecialTokens(text, prefix, suffix string) string {
	if !strings.ContainsAny(text, "<[") {
		return text
	}
	end := len(text)
	for _, m := range markers {
		if i := strings.Index(text[:end], m); i >= 0 && !strings.Contains(prefix, m) && !strings.Contains(suffix, m) {
			end = i
		}
	}
	return text[:end]
}
