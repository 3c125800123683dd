package models

import "strings"

// fillInTemplates are the fill-in-the-middle prompts that GitLab 17.2 to 17.4 send ready-made
// (ee/lib/code_suggestions/prompts; ai-gateway-api.md sections 4.6 and 17.1), and StarCoder's.
var fillInTemplates = []struct {
	start, between, end string
	suffixFirst         bool
}{
	{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", false}, // CodeGemma, Qwen2.5-Coder
	{"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", false},       // DeepSeek Coder
	{"<PRE> ", " <SUF>", " <MID>", false},                         // Code Llama: no space behind <SUF>
	{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", false},       // StarCoder
	{"<s>[SUFFIX]", "[PREFIX]", "", true},                         // Codestral
	{"[SUFFIX]", "[PREFIX]", "", true},
}

// ParseFillIn is how Codec.Text takes such a prompt apart, for callers to whom the code matters.
func ParseFillIn(prompt string) (prefix, suffix string, ok bool) { return parseFillIn(prompt) }

// parseFillIn takes a ready-made fill-in-the-middle prompt apart. The markers in it are text of
// the caller, not tokens: it is laid out again for the model at hand, which may be of another
// family than the one that GitLab wrote it for.
func parseFillIn(prompt string) (prefix, suffix string, ok bool) {
	for _, t := range fillInTemplates {
		body, found := strings.CutPrefix(prompt, t.start)
		if !found {
			continue
		}
		if t.end != "" {
			if body, found = strings.CutSuffix(strings.TrimRight(body, " \n"), t.end); !found {
				continue
			}
		}
		first, second, found := strings.Cut(body, t.between)
		switch {
		case !found:
			continue
		case t.suffixFirst:
			return second, first, true
		default:
			return first, second, true
		}
	}
	return "", "", false
}
