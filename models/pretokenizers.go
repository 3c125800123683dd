package models

// preTokenizers are the values of tokenizer.ggml.pre that llama.cpp v0.5.0 knows
// (llama_vocab::impl::load in src/llama-vocab.cpp); any other value makes it refuse the file. A
// test compares the list with the pinned sources.
var preTokenizers = map[string]bool{
	"a.x-4.0": true, "afmoe": true, "bailingmoe": true, "bailingmoe2": true, "bloom": true,
	"chameleon": true, "chatglm-bpe": true, "codeshell": true, "cohere2moe": true,
	"command-r": true, "dbrx": true, "deepseek-coder": true, "deepseek-llm": true,
	"deepseek-r1-qwen": true, "deepseek-v3": true, "default": true, "exaone": true,
	"exaone-moe": true, "exaone4": true, "f2llmv2": true, "falcon": true, "falcon-h1": true,
	"falcon3": true, "gemma4": true, "gigachat": true, "glm4": true, "gpt-2": true,
	"gpt-4o": true, "gpt3-finnish": true, "granite-docling": true,
	"granite-embed-multi-311m": true, "granite-embed-multi-97m": true, "grok-2": true,
	"hunyuan": true, "hunyuan-dense": true, "hy_v4": true, "jais": true, "jais-2": true,
	"jina-de": true, "jina-es": true, "jina-v1-en": true, "jina-v2-code": true,
	"jina-v2-de": true, "jina-v2-es": true, "jina-v5-nano": true, "joyai-llm": true,
	"kanana2": true, "kimi-k2": true, "kormo": true, "laguna": true, "lfm2": true,
	"llada-moe": true, "llama-bpe": true, "llama-v3": true, "llama3": true, "llama4": true,
	"megrez": true, "mellum": true, "mellum2": true, "midm-2.0": true, "minerva-7b": true,
	"minicpm5": true, "minimax-m2": true, "modern-bert": true, "mpt": true, "olmo": true,
	"phi-2": true, "pixtral": true, "poro-chat": true, "qwen2": true, "qwen35": true,
	"refact": true, "roberta-bpe": true, "sarvam-moe": true, "seed-coder": true,
	"smaug-bpe": true, "smollm": true, "solar-open": true, "spark2_5": true, "stablelm2": true,
	"starcoder": true, "superbpe": true, "talkie": true, "tekken": true, "tiny_aya": true,
	"trillion": true, "ufakzeka": true, "viking": true, "whitespace": true, "youtu": true,
}
