package models

import (
	"errors"
	"strings"
	"testing"

	"aigw/models/gguf/gguftest"
)

// shape is what a header says of a network.
type shape struct {
	layers, width, experts uint32
	ropeBase               float32
}

var (
	codestral22B = shape{layers: 56, width: 6144, ropeBase: 1e6}
	mistral7B    = shape{layers: 32, width: 4096, ropeBase: 1e6}
	mixtral8x7B  = shape{layers: 32, width: 4096, experts: 8, ropeBase: 1e6}
	mixtral8x22B = shape{layers: 56, width: 6144, experts: 8, ropeBase: 1e6}
	llama13B     = shape{layers: 40, width: 5120, ropeBase: 1e4}
)

// header builds a header without tensors.
func header(v *gguftest.Vocabulary, arch string, s shape, entries ...any) *gguftest.Builder {
	b := v.Apply((&gguftest.Builder{}).Set("general.architecture", arch))
	b.Set(arch+".block_count", s.layers).Set(arch+".embedding_length", s.width).Set(arch+".context_length", uint32(16384))
	if s.experts > 0 {
		b.Set(arch+".expert_count", s.experts)
	}
	if s.ropeBase > 0 {
		b.Set(arch+".rope.freq_base", s.ropeBase)
	}
	for i := 0; i < len(entries); i += 2 {
		b.Set(entries[i].(string), entries[i+1])
	}
	return b
}

const (
	mistralTemplate = "{{ bos_token }}{% for message in messages %}[INST] {{ message['content'] }}[/INST]{% endfor %}"
	chatMLTemplate  = "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
	gemmaTemplate   = "{{ bos_token }}{% for message in messages %}<start_of_turn>{{ message['role'] }}{% endfor %}"
	zephyrTemplate  = "{% for message in messages %}<|user|>\n{{ message['content'] }}{% endfor %}"
)

const (
	nameKey     = "general.name"
	templateKey = "tokenizer.chat_template"
)

type recognised struct {
	family Family
	role   Role
	layout string
	fim    bool
	chat   ChatFormat
	noFIM  string // part of it
	why    string // part of the evidence
}

func TestRecognise(t *testing.T) {
	v1, v2, v3 := gguftest.Mistral(t, 1), gguftest.Mistral(t, 2), gguftest.Mistral(t, 3)
	llama2, codeLlama, deepSeek := gguftest.Llama2(t), gguftest.CodeLlama(t), gguftest.DeepSeekCoder(t)
	codeGemma, gemma := gguftest.CodeGemma(t), gguftest.Gemma(t, 106)
	qwen, llama3, starCoder2, smol := gguftest.QwenCoder(t), gguftest.Llama3(t), gguftest.StarCoder2(t), gguftest.SmolLM2(t)
	padded := gguftest.Llama2(t)
	for len(padded.Pieces) < 32016 {
		padded.Add("[PAD"+string(rune('0'+len(padded.Pieces)-32000))+"]", gguftest.Control, -1000)
	}
	withChatML := gguftest.Mistral(t, 1)
	withChatML.Add("<|im_end|>", gguftest.UserDefined, 0)
	withChatML.Add("<|im_start|>", gguftest.UserDefined, 0)
	hermes := gguftest.Llama3(t)
	hermes.Replace(128002, "<|im_start|>", gguftest.Control)
	hermes.Replace(128003, "<|im_end|>", gguftest.Control)
	r1 := gguftest.Llama3(t)
	r1.Replace(128000, "<｜begin▁of▁sentence｜>", gguftest.Control)

	for _, tt := range []struct {
		name string
		b    *gguftest.Builder
		want recognised
	}{
		{"codestral by name", header(v3, "llama", codestral22B, nameKey, "Codestral-22B-v0.1"),
			recognised{Codestral, Instruct, "spm", true, ChatMistral3, "", `56 layers of 6144, general.name is "Codestral-22B-v0.1"`}},
		{"codestral by base name", header(v3, "llama", codestral22B, nameKey, "9f3c2e", "general.basename", "codestral"),
			recognised{Codestral, Instruct, "spm", true, ChatMistral3, "", `general.basename is "codestral"`}},
		{"codestral's shape, no name", header(v3, "llama", codestral22B),
			recognised{Mistral, Base, "prefix", false, NoChat, "this file could be Codestral or Mistral", "no name says codestral"}},
		{"mistral small has codestral's shape", header(v3, "llama", codestral22B, nameKey, "Mistral-Small-Instruct-2409", templateKey, mistralTemplate),
			recognised{Mistral, Instruct, "prefix", false, ChatMistral3, "", "Mistral-Small"}},
		{"mistral 7b v0.3 called codestral", header(v3, "llama", mistral7B, nameKey, "codestral"),
			recognised{Mistral, Base, "prefix", false, NoChat, "", "32 layers of 4096: Mistral 7B"}},
		{"mistral 7b instruct v0.3", header(v3, "llama", mistral7B, nameKey, "Mistral-7B-Instruct-v0.3"),
			recognised{Mistral, Instruct, "prefix", false, ChatMistral3, "", "Mistral 7B"}},
		{"mixtral 8x22b", header(v3, "llama", mixtral8x22B, nameKey, "Mixtral 8x22B Instruct"),
			recognised{Mixtral, Instruct, "prefix", false, ChatMistral3, "", "8 experts"}},
		{"mamba codestral", header(v3, "mamba2", shape{layers: 64, width: 4096}, nameKey, "Mamba-Codestral-7B-v0.1"),
			recognised{Generic, Base, "prefix", false, NoChat, "", "architecture mamba2"}},
		{"first conversion of codestral", header(v2, "llama", codestral22B, nameKey, "Codestral-22B-v0.1-hf"),
			recognised{Codestral, Instruct, "spm", true, ChatMistral3, "", "prefix 11, suffix 13"}},
		{"mistral v2", header(v2, "llama", shape{layers: 48, width: 8192}, nameKey, "Mistral medium instruct"),
			recognised{Mistral, Instruct, "prefix", false, ChatMistral2, "", "piece 3 is [INST]"}},
		{"mistral 7b v0.1", header(v1, "llama", mistral7B, nameKey, "Mistral-7B-v0.1"),
			recognised{Mistral, Base, "prefix", false, NoChat, "", "piece 733 is ▁["}},
		{"mistral 7b instruct v0.2", header(v1, "llama", mistral7B, nameKey, "x", templateKey, mistralTemplate),
			recognised{Mistral, Instruct, "prefix", false, ChatMistral1, "", "the file has a chat template"}},
		{"zephyr", header(v1, "llama", mistral7B, nameKey, "zephyr-7b-beta", templateKey, zephyrTemplate),
			recognised{Mistral, Instruct, "prefix", false, ByTemplate, "", "has no [INST]: the model was trained further"}},
		{"hermes on mistral", header(withChatML, "llama", mistral7B, nameKey, "OpenHermes-2.5", templateKey, chatMLTemplate),
			recognised{ChatML, Instruct, "prefix", false, ChatChatML, "", "<|im_start|>, <|im_end|>"}},
		{"mixtral 8x7b", header(v1, "llama", mixtral8x7B, nameKey, "Mixtral-8x7B-Instruct-v0.1"),
			recognised{Mixtral, Instruct, "prefix", false, ChatMistral1, "", "8 experts"}},
		{"llama 2 chat", header(llama2, "llama", llama13B, nameKey, "Llama-2-13b-chat-hf"),
			recognised{Llama2, Instruct, "prefix", false, ChatLlama2, "", "piece 29871 is ▁"}},
		{"code llama 13b", header(codeLlama, "llama", llama13B, nameKey, "CodeLlama-13b-hf"),
			recognised{CodeLlama, Base, "psm", true, NoChat, "", "prefix 32007, suffix 32008, middle 32009"}},
		{"code llama 13b instruct", header(codeLlama, "llama", llama13B, nameKey, "abc", templateKey, "[INST] <<SYS>>"),
			recognised{CodeLlama, Instruct, "psm", true, ChatLlama2, "", "chat template"}},
		{"code llama python", header(codeLlama, "llama", llama13B, nameKey, "CodeLlama-13b-Python"),
			recognised{CodeLlama, Base, "prefix", false, NoChat, "34b and Python variants do not", ""}},
		{"code llama 34b", header(llama2, "llama", shape{layers: 48, width: 8192, ropeBase: 1e6}, nameKey, "34b"),
			recognised{CodeLlama, Base, "prefix", false, NoChat, "this Code Llama has no fill-in-the-middle tokens", "rope base 1e6"}},
		{"code llama without pieces", header(padded, "llama", llama13B, nameKey, "codellama-13b"),
			recognised{CodeLlama, Base, "prefix", false, NoChat, "piece ▁<PRE> is missing (the vocabulary has 32016 pieces", ""}},
		{"code llama 70b instruct", header(llama2, "llama", shape{layers: 80, width: 8192, ropeBase: 1e6}, nameKey, "CodeLlama-70b-Instruct"),
			recognised{CodeLlama, Instruct, "prefix", false, NoChat, "34b and Python", "70b has a chat format of its own"}},
		{"deepseek base", header(deepSeek, "llama", llama13B, nameKey, "deepseek-coder-6.7b-base"),
			recognised{DeepSeekCoder, Base, "psm", true, NoChat, "", "prefix 32016, suffix 32015, middle 32017"}},
		{"deepseek instruct by eos", header(deepSeek, "llama", llama13B, "tokenizer.ggml.eos_token_id", uint32(32021)),
			recognised{DeepSeekCoder, Instruct, "psm", true, ChatDeepSeek, "", "EOS is <|EOT|>"}},
		{"deepseek instruct with a wrong eos", header(deepSeek, "llama", llama13B, nameKey, "deepseek-coder-6.7b-instruct"),
			recognised{DeepSeekCoder, Instruct, "psm", true, ChatDeepSeek, "", ""}},
		{"deepseek v3", header(deepSeek.Fill(128000), "deepseek2", llama13B, nameKey, "DeepSeek-V3"),
			recognised{Generic, Base, "prefix", false, NoChat, "", "neither DeepSeek Coder nor DeepSeek Coder V2"}},
		{"deepseek coder v2", header(deepSeek.Fill(128000), "deepseek2", llama13B, nameKey, "DeepSeek-Coder-V2-Lite-Base"),
			recognised{DeepSeekCoderV2, Base, "psm", true, NoChat, "", "architecture deepseek2"}},
		{"r1 distilled into llama", header(r1, "llama", llama13B, nameKey, "DeepSeek-R1-Distill-Llama-8B", templateKey, "{{ bos_token }}<｜User｜>"),
			recognised{Generic, Instruct, "prefix", false, ByTemplate, "", "DeepSeek, or distilled from it"}},
		{"codegemma 2b", header(codeGemma, "gemma", shape{layers: 18, width: 2048}, nameKey, "codegemma-2b"),
			recognised{CodeGemma, Base, "psm", true, NoChat, "", "prefix 67, suffix 69, middle 68"}},
		{"codegemma 7b-it", header(codeGemma, "gemma", shape{layers: 28, width: 3072}, nameKey, "codegemma-7b-it"),
			recognised{CodeGemma, Instruct, "prefix", false, ChatGemma, "CodeGemma 7b-it was not trained to fill in the middle", `"codegemma-7b-it"`}},
		{"codegemma 7b-it by template", header(codeGemma, "gemma", shape{layers: 28, width: 3072}, nameKey, "model", templateKey, gemmaTemplate),
			recognised{CodeGemma, Instruct, "prefix", false, ChatGemma, "CodeGemma 7b-it", "chat template"}},
		{"gemma that claims to fill in", header(gemma, "gemma", shape{layers: 28, width: 3072}, nameKey, "codegemma", "tokenizer.ggml.prefix_token_id", uint32(67)),
			recognised{Gemma, Base, "prefix", false, NoChat, "piece 67 is <unused60>, this is Gemma, not CodeGemma: no fill-in-the-middle", ""}},
		{"gemma 2", header(gemma, "gemma2", shape{layers: 26, width: 2304}, templateKey, gemmaTemplate),
			recognised{Gemma2, Instruct, "prefix", false, ChatGemma, "", "piece <start_of_turn> is 106"}},
		{"gemma 3", header(gguftest.Gemma(t, 105), "gemma3", shape{layers: 26, width: 1152}, nameKey, "gemma-3-1b-it"),
			recognised{Gemma3, Instruct, "prefix", false, ChatGemma, "", "piece <start_of_turn> is 105"}},
		{"qwen coder base", header(qwen, "qwen2", shape{layers: 28, width: 3584}, nameKey, "Qwen2.5 Coder 7B", templateKey, chatMLTemplate),
			recognised{QwenCoder, Base, "psm", true, NoChat, "", "prefix 151659, suffix 151661, middle 151660"}},
		{"qwen coder instruct", header(qwen, "qwen2", shape{layers: 28, width: 3584}, nameKey, "Qwen2.5 Coder 7B Instruct", templateKey, chatMLTemplate),
			recognised{QwenCoder, Instruct, "psm", true, ChatChatML, "", "coder"}},
		{"qwen coder by tags", header(qwen, "qwen2", shape{layers: 28, width: 3584}, nameKey, "5f0c", "general.tags", []string{"code", "qwen-coder"}),
			recognised{QwenCoder, Base, "psm", true, NoChat, "", `general.tags is "qwen-coder"`}},
		{"general qwen", header(qwen, "qwen2", shape{layers: 28, width: 3584}, nameKey, "Qwen2.5 7B Instruct", templateKey, chatMLTemplate),
			recognised{Qwen, Instruct, "prefix", false, ChatChatML, "set the family of this model to qwen2.5-coder", "no name says coder"}},
		{"qwen 2 without fill-in pieces", header(gguftest.LlamaVocabulary(t, "qwen2"), "qwen2", shape{layers: 28, width: 3584}),
			recognised{ChatML, Instruct, "prefix", false, ChatChatML, "", "<|im_start|>, <|im_end|>"}},
		{"starcoder2", header(starCoder2, "starcoder2", shape{layers: 40, width: 6144}, nameKey, "starcoder2-15b"),
			recognised{StarCoder2, Base, "psm", true, NoChat, "", "prefix 1, suffix 3, middle 2"}},
		{"refact", header(gguftest.LlamaVocabulary(t, "refact"), "refact", shape{layers: 32, width: 2048}),
			recognised{StarCoder, Base, "psm", true, NoChat, "", "architecture refact"}},
		{"llama 3 instruct", header(llama3, "llama", shape{layers: 32, width: 4096}, nameKey, "Meta-Llama-3-8B-Instruct"),
			recognised{Llama3, Instruct, "prefix", false, ChatLlama3, "", "<|start_header_id|>"}},
		{"hermes on llama 3", header(hermes, "llama", shape{layers: 32, width: 4096}, nameKey, "Hermes-3", templateKey, chatMLTemplate),
			recognised{Llama3, Instruct, "prefix", false, ChatChatML, "", "trained further"}},
		{"qwen 3", header(qwen, "qwen3", shape{layers: 28, width: 3584}, nameKey, "Qwen3-8B", templateKey, chatMLTemplate),
			recognised{ChatML, Instruct, "prefix", false, ChatChatML, "", "architecture qwen3"}},
		{"granite code", header(gguftest.LlamaVocabulary(t, "refact"), "granite", shape{layers: 32, width: 2048}, nameKey, "granite-8b-code-base"),
			recognised{StarCoder, Base, "psm", true, NoChat, "", `"granite-8b-code-base"`}},
		{"granite", header(gguftest.LlamaVocabulary(t, "refact"), "granite", shape{layers: 32, width: 2048}, nameKey, "granite-3.0-8b"),
			recognised{Generic, Base, "prefix", false, NoChat, "set the family of this model to starcoder", "no name says code"}},
		{"smollm2", header(smol, "llama", shape{layers: 30, width: 576}, nameKey, "Smollm2 135M 8k"),
			recognised{SmolLM2, Instruct, "prefix", false, ChatChatML, "", "pre-tokenizer smollm"}},
		{"gpt-2", header(gguftest.LlamaVocabulary(t, "gpt-2"), "gpt2", shape{layers: 12, width: 768}),
			recognised{Generic, Base, "prefix", false, NoChat, "", "no family is known that has this vocabulary"}},
		{"phi 3", header(gguftest.LlamaVocabulary(t, "phi-3"), "phi3", shape{layers: 32, width: 3072}, nameKey, "Phi3"),
			recognised{Generic, Instruct, "prefix", false, ByTemplate, "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := Recognise(tt.b.File(t))
			if err != nil {
				t.Fatal(err)
			}
			got := recognised{r.Family, r.Role, r.Layout, r.FIM, r.Chat, r.NoFIM, strings.Join(r.Evidence, "\n")}
			if got.family != tt.want.family || got.role != tt.want.role || got.layout != tt.want.layout || got.fim != tt.want.fim || got.chat != tt.want.chat {
				t.Errorf("got %s %s %s fim=%t chat=%q\n%s", r.Family, r.Role, r.Layout, r.FIM, r.Chat, got.why)
			}
			if !strings.Contains(got.noFIM, tt.want.noFIM) || tt.want.noFIM == "" && got.noFIM != "" {
				t.Errorf("reason %q, want %q", got.noFIM, tt.want.noFIM)
			}
			if !strings.Contains(got.why, tt.want.why) {
				t.Errorf("evidence %q does not say %q", got.why, tt.want.why)
			}
			if r.FIM == (r.NoFIM != "") && r.FIM {
				t.Errorf("fills in and does not: %q", r.NoFIM)
			}
			if (r.Chat == NoChat) != (r.NoChat != "") {
				t.Errorf("chat %q with reason %q", r.Chat, r.NoChat)
			}
		})
	}
}

func TestRecogniseAsTheOperatorSays(t *testing.T) {
	v3 := gguftest.Mistral(t, 3)
	r, err := RecogniseAs(header(v3, "llama", codestral22B, nameKey, "model").File(t), Operator{Family: Codestral})
	if err != nil || r.Family != Codestral || !r.FIM || r.NoFIM != "" {
		t.Errorf("codestral by the operator's word: %+v, %v", r, err)
	}
	if !strings.Contains(r.Evidence[0], "the operator says so; without that: mistral") {
		t.Errorf("evidence %q", r.Evidence[0])
	}
	r, err = RecogniseAs(header(gguftest.CodeGemma(t), "gemma", shape{}, nameKey, "x").File(t), Operator{Role: Instruct})
	if err != nil || r.Role != Instruct || r.FIM || r.Chat != ChatGemma {
		t.Errorf("instruct by the operator's word: %+v, %v", r, err)
	}
	for _, tt := range []struct {
		v      *gguftest.Vocabulary
		family Family
		want   string
	}{
		{gguftest.Gemma(t, 106), CodeGemma, "tokenizer.ggml.tokens has no piece <|fim_prefix|>, which models of family codegemma have"},
		{v3, DeepSeekCoder, `tokenizer.ggml.model is "llama", a model of family deepseekcoder has "gpt2"`},
		{v3, "codestrall", `no family is called "codestrall"; known are [chatml code`},
	} {
		_, err := RecogniseAs(header(tt.v, "llama", shape{}).File(t), Operator{Family: tt.family})
		var refusal *Refusal
		if !errors.As(err, &refusal) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("family %s: error %v, want %q", tt.family, err, tt.want)
		}
	}
}
