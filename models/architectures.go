package models

// architectures are the values of general.architecture that llama.cpp v0.5.0 knows
// (LLM_ARCH_NAMES in src/llama-arch.cpp). A test compares the list with the pinned sources.
var architectures = map[string]bool{
	"clip": true, "llama": true, "llama4": true, "deci": true, "falcon": true, "grok": true,
	"gpt2": true, "gptj": true, "gptneox": true, "mpt": true, "baichuan": true, "starcoder": true,
	"refact": true, "bert": true, "modern-bert": true, "nomic-bert": true, "nomic-bert-moe": true,
	"neo-bert": true, "jina-bert-v2": true, "jina-bert-v3": true, "eurobert": true, "bloom": true,
	"stablelm": true, "qwen": true, "qwen2": true, "qwen2moe": true, "qwen2vl": true,
	"qwen3": true, "qwen3moe": true, "qwen3next": true, "qwen3vl": true, "qwen3vlmoe": true,
	"qwen35": true, "qwen35moe": true, "qwen4exp": true, "phi2": true, "phi3": true,
	"phimoe": true, "plamo": true, "plamo2": true, "plamo3": true, "codeshell": true,
	"orion": true, "internlm2": true, "minicpm": true, "minicpm3": true, "gemma": true,
	"gemma2": true, "gemma3": true, "gemma3n": true, "gemma4": true, "gemma4-assistant": true,
	"gemma-embedding": true, "starcoder2": true, "mamba": true, "mamba2": true, "maple": true,
	"jamba": true, "falcon-h1": true, "xverse": true, "command-r": true, "cohere2": true,
	"cohere2moe": true, "dbrx": true, "olmo": true, "olmo2": true, "olmoe": true,
	"muse-glimmer": true, "openelm": true, "arctic": true, "deepseek": true, "deepseek2": true,
	"deepseek2-ocr": true, "deepseek32": true, "deepseek4": true, "chatglm": true, "glm4": true,
	"glm4moe": true, "glm-dsa": true, "bitnet": true, "t5": true, "t5encoder": true, "jais": true,
	"jais2": true, "nemotron": true, "nemotron_h": true, "nemotron_h_moe": true, "exaone": true,
	"exaone4": true, "exaone-moe": true, "rwkv6": true, "rwkv6qwen2": true, "rwkv7": true,
	"arwkv7": true, "granite": true, "granitemoe": true, "granitehybrid": true,
	"graniteswitch": true, "granite_swa": true, "chameleon": true, "wavtokenizer-dec": true,
	"plm": true, "bailingmoe": true, "bailingmoe2": true, "bailingmoe3": true, "dots1": true,
	"dots3note": true, "arcee": true, "afmoe": true, "laguna": true, "ernie4_5": true,
	"ernie4_5-moe": true, "hunyuan-moe": true, "hunyuan-dense": true, "hunyuan_vl": true,
	"hy_v3": true, "hy_v4": true, "smollm3": true, "gpt-oss": true, "lfm2": true, "lfm2moe": true,
	"dream": true, "smallthinker": true, "llada": true, "llada-moe": true, "seed_oss": true,
	"grovemoe": true, "apertus": true, "minimax-01": true, "hrm_text": true, "minimax-m2": true,
	"minimax-m3": true, "cogvlm": true, "rnd1": true, "pangu-embedded": true, "mistral3": true,
	"eagle3": true, "dflash": true, "mistral4": true, "paddleocr": true, "mimo2": true,
	"step35": true, "spark2_5": true, "llama-embed": true, "maincoder": true, "kimi-linear": true,
	"kimi-k3": true, "talkie": true, "mellum": true, "nanbeige": true, "qwen3tts": true,
	"pockettts": true,
}

// What the architectures are that write no text from left to right.
const (
	embeds    = "an encoder, which computes embeddings and writes no text"
	diffuses  = "a diffusion model, which does not write from left to right"
	speaks    = "a model that makes sound"
	drafts    = "a draft head, which only works beside the model it was made for"
	translate = "an encoder-decoder model, which this program does not run"
)

// notGenerative are the architectures that llama.cpp can load, but that cannot be asked for a
// continuation: encoders abort in llama_decode without their own calls, diffusion models
// (llm_arch_is_diffusion) have no causal memory.
var notGenerative = map[string]string{
	"clip": "this is the image part of a model",

	"bert": embeds, "modern-bert": embeds, "nomic-bert": embeds, "nomic-bert-moe": embeds, "neo-bert": embeds,
	"jina-bert-v2": embeds, "jina-bert-v3": embeds, "eurobert": embeds, "gemma-embedding": embeds,
	"llama-embed": embeds, "t5encoder": embeds,

	"t5": translate,

	"dream": diffuses, "llada": diffuses, "llada-moe": diffuses, "rnd1": diffuses,

	"wavtokenizer-dec": speaks, "qwen3tts": speaks, "pockettts": speaks,

	"eagle3": drafts, "dflash": drafts, "gemma4-assistant": drafts,
}
