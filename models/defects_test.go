package models

import (
	"slices"
	"strings"
	"testing"

	"aigw/models/gguf/gguftest"
)

func retyped(v *gguftest.Vocabulary, typ int32, pieces ...string) *gguftest.Vocabulary {
	v.Types = slices.Clone(v.Types)
	for i, p := range v.Pieces {
		if slices.Contains(pieces, p) {
			v.Types[i] = typ
		}
	}
	return v
}

func TestDefects(t *testing.T) {
	codestral := func(entries ...any) *gguftest.Builder {
		return header(gguftest.Mistral(t, 3), "llama", codestral22B, append([]any{nameKey, "codestral"}, entries...)...)
	}
	gemmaShape := shape{layers: 18, width: 2048}
	deepSeek := func(entries ...any) *gguftest.Builder {
		return header(gguftest.DeepSeekCoder(t), "llama", llama13B, entries...)
	}
	llama3 := func(entries ...any) *gguftest.Builder {
		return header(gguftest.Llama3(t), "llama", llama13B, entries...)
	}
	for _, tt := range []struct {
		name      string
		b         *gguftest.Builder
		effect    Effect
		want      string
		overrides []Override
	}{
		{"none", codestral(templateKey, "{{ x }}[INST]", "tokenizer.ggml.fim_pre_token_id", uint32(11)), "", "", nil},
		{"fill-in ids missing", codestral(), Repaired,
			"tokenizer.ggml.fim_pre_token_id is missing, and so are the other fill-in tokens; 11 ([PREFIX]) and 13 ([SUFFIX]) are used", nil},
		{"fill-in ids of codegemma missing", header(gguftest.CodeGemma(t), "gemma", gemmaShape), Repaired,
			"67 (<|fim_prefix|>), 69 (<|fim_suffix|>) and 68 (<|fim_middle|>) are used", nil},
		{"end of turn of codegemma missing", header(gguftest.CodeGemma(t), "gemma", gemmaShape), Repaired,
			"tokenizer.ggml.eot_token_id is missing; 107 (<end_of_turn>) ends an answer too", nil},
		{"end of text of code llama missing", header(gguftest.CodeLlama(t), "llama", llama13B), Repaired,
			"tokenizer.ggml.eot_token_id is missing; 32010 (▁<EOT>) ends an answer too", nil},
		{"fill-in ids wrong", codestral("tokenizer.ggml.fim_pre_token_id", uint32(7), "tokenizer.ggml.fim_suf_token_id", uint32(13)), Repaired,
			`tokenizer.ggml.fim_pre_token_id is 7 ("[/AVAILABLE_TOOLS]"); 11 ([PREFIX]) is used`, nil},
		{"fill-in id out of range", codestral("tokenizer.ggml.prefix_token_id", uint32(4e9)), Repaired, `is 4000000000 (""); 11 ([PREFIX]) is used`, nil},
		{"codestral's first conversion", header(gguftest.Mistral(t, 2), "llama", codestral22B, nameKey, "codestral"), Repaired,
			"has [control_9] and [control_11], as the first conversions of Codestral; 11 and 13 are used", nil},
		{"markers normal", header(retyped(gguftest.Mistral(t, 3), gguftest.Normal, "[PREFIX]", "[SUFFIX]"), "llama", codestral22B, nameKey, "codestral"), Repaired,
			"tokenizer.ggml.token_type calls [PREFIX] [SUFFIX] normal text", nil},
		{"markers user-defined", header(retyped(gguftest.DeepSeekCoder(t), gguftest.UserDefined, "<|EOT|>", "<｜fim▁hole｜>"), "llama", llama13B), Repaired,
			"<|User|> <|Assistant|> <|EOT|> user-defined; they are used by their ids, and text that spells them is cut", nil},
		{"no bos for mistral", codestral("tokenizer.ggml.add_bos_token", false), Repaired, "tokenizer.ggml.add_bos_token is false; true is used", nil},
		{"bos for qwen", header(gguftest.QwenCoder(t), "qwen2", llama13B, nameKey, "qwen-coder", "tokenizer.ggml.add_bos_token", true), Repaired,
			"tokenizer.ggml.add_bos_token is true; false is used", nil},
		{"bos out of range", codestral("tokenizer.ggml.bos_token_id", uint32(99999)), Repaired, "tokenizer.ggml.bos_token_id is 99999 of 32768 pieces; 1 (<s>) is used", nil},
		{"bos twice", codestral(templateKey, mistralTemplate), Repaired, "tokenizer.chat_template writes BOS, and the tokenizer adds one too; one is used", nil},
		{"no dummy space for mistral", codestral("tokenizer.ggml.add_space_prefix", false), Repaired,
			"tokenizer.ggml.add_space_prefix is false; true is used", []Override{{"tokenizer.ggml.add_space_prefix", true}}},
		{"dummy space for gemma", header(gguftest.CodeGemma(t), "gemma", gemmaShape, "tokenizer.ggml.add_space_prefix", true), Repaired,
			"tokenizer.ggml.add_space_prefix is true; false is used", []Override{{"tokenizer.ggml.add_space_prefix", false}}},
		{"gemma says nothing of a dummy space", header(gguftest.CodeGemma(t), "gemma", gemmaShape).Remove("tokenizer.ggml.add_space_prefix"), Repaired,
			"tokenizer.ggml.add_space_prefix is missing; false is used", []Override{{"tokenizer.ggml.add_space_prefix", false}}},
		{"no pre-tokenizer", deepSeek().Remove("tokenizer.ggml.pre"), Repaired,
			`tokenizer.ggml.pre is missing; "deepseek-coder" is used`, []Override{{"tokenizer.ggml.pre", "deepseek-coder"}}},
		{"default pre-tokenizer", deepSeek("tokenizer.ggml.pre", "default"), Repaired,
			`tokenizer.ggml.pre is "default"; "deepseek-coder" is used`, []Override{{"tokenizer.ggml.pre", "deepseek-coder"}}},
		{"no pre-tokenizer, no family", header(gguftest.LlamaVocabulary(t, "gpt-2"), "gpt2", llama13B).Remove("tokenizer.ggml.pre"), Refused,
			"tokenizer.ggml.pre is missing, and no known family tells how text is split; set the family of this model", nil},
		{"eos of a deepseek instruct", deepSeek(nameKey, "deepseek-coder-6.7b-instruct"), Repaired,
			`tokenizer.ggml.eos_token_id is "<｜end▁of▁sentence｜>" in an instruct model; <|EOT|> ends an answer too`, nil},
		{"eos of llama 3 instruct", llama3(nameKey, "llama-3-instruct"), Repaired, `<|eot_id|> ends an answer too`, nil},
		{"eos out of range", codestral("tokenizer.ggml.eos_token_id", uint32(99999)), Repaired, "tokenizer.ggml.eos_token_id is 99999 of 32768 pieces", nil},
		{"no template", codestral(), Repaired, "tokenizer.chat_template is missing; the format of the family is used", nil},
		{"template of v1", codestral(templateKey, "[INST] ' + m + ' [/INST]"), Repaired, "tokenizer.chat_template is one of Mistral v1", nil},
		{"piece without text", header(func() *gguftest.Vocabulary { v := gguftest.Mistral(t, 3); v.Pieces[500] = ""; return v }(), "llama", codestral22B), Warned,
			"tokenizer.ggml.tokens has 1 pieces without text", nil},
		{"byte pieces missing", header(gguftest.SentencePiece("a").Fill(300), "llama", llama13B), "", "", nil},
		{"a byte piece missing", header(func() *gguftest.Vocabulary { v := gguftest.SentencePiece("a"); v.Pieces[10] = "ten"; return v }(), "llama", llama13B), Warned,
			"tokenizer.ggml.tokens has 255 of 256 byte pieces", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Recognise(tt.b.File(t))
			if err != nil {
				t.Fatal(err)
			}
			refusal := r.Err("x.gguf")
			if (refusal != nil) != (tt.effect == Refused) || refusal != nil && !strings.HasPrefix(refusal.Error(), "x.gguf: "+tt.want) {
				t.Errorf("refusal %v", refusal)
			}
			var all []string
			found := tt.want == "" && len(r.Defects) == 0
			for _, d := range r.Defects {
				all = append(all, d.String())
				found = found || tt.want != "" && d.Effect == tt.effect && strings.Contains(d.String(), tt.want)
			}
			if !found {
				t.Errorf("defects:\n%s\nwant %s %q", strings.Join(all, "\n"), tt.effect, tt.want)
			}
			if !slices.Equal(r.Overrides, tt.overrides) {
				t.Errorf("overrides %v, want %v", r.Overrides, tt.overrides)
			}
			if tt.effect == Refused {
				if _, err := For(r, newChunks()); err == nil {
					t.Error("a refused model got a codec")
				}
			}
		})
	}
}
