package models

// Family is a group of models that were trained on the same prompt formats.
type Family string

// The families that are told apart. Generic is every other model.
const (
	CodeGemma       Family = "codegemma"
	CodeLlama       Family = "codellama"
	Codestral       Family = "codestral"
	DeepSeekCoder   Family = "deepseekcoder"
	DeepSeekCoderV2 Family = "deepseekcoder-v2"
	Gemma           Family = "gemma"
	Gemma2          Family = "gemma2"
	Gemma3          Family = "gemma3"
	Llama2          Family = "llama2"
	Llama3          Family = "llama3"
	Mistral         Family = "mistral"
	Mixtral         Family = "mixtral"
	Qwen            Family = "qwen2.5"
	QwenCoder       Family = "qwen2.5-coder"
	SmolLM2         Family = "smollm2"
	StarCoder       Family = "starcoder"
	StarCoder2      Family = "starcoder2"
	ChatML          Family = "chatml"
	Generic         Family = "generic"
)

// Role says what a model was trained to do.
type Role string

// The roles. A base model continues text; an instruct model also answers.
const (
	Base     Role = "base"
	Instruct Role = "instruct"
)

// ChatFormat is the way in which a model reads a conversation.
type ChatFormat string

// The chat formats. ByTemplate stands for a format that only the file's own template tells.
const (
	NoChat       ChatFormat = ""
	ChatGemma    ChatFormat = "gemma"
	ChatLlama2   ChatFormat = "llama2"
	ChatLlama3   ChatFormat = "llama3"
	ChatChatML   ChatFormat = "chatml"
	ChatDeepSeek ChatFormat = "deepseek-coder"
	ChatMistral1 ChatFormat = "mistral-v1"
	ChatMistral2 ChatFormat = "mistral-v2"
	ChatMistral3 ChatFormat = "mistral-v3"
	ByTemplate   ChatFormat = "template"
)

// facts are what a family's authors have published (model-families.md, sections 1 and 5).
type facts struct {
	tokenizer   string // tokenizer.ggml.model
	pre         string // tokenizer.ggml.pre
	spacePrefix bool   // the tokenizer puts a dummy space before a text
	bos         string // piece that begins a prompt; empty: none
	layout      string // of fill-in-the-middle; empty: the family has none
	marks       markTexts
	stops       []string // pieces that end a generation, besides the EOS of the file
	chat        ChatFormat
	// inTemplate is a text that the family's chat template has; a template without it belongs
	// to a model that was trained further in another format.
	inTemplate string
	// baseTemplate says that base models carry a chat template too.
	baseTemplate bool
}

// markTexts are the pieces that mark the parts of a prompt.
type markTexts struct {
	prefix, suffix, middle string
	file, repo             string // before or after a file, before a repository's name
}

// qwenMarks and qwenStops are those of all Qwen models since 2.5.
var (
	qwenMarks = markTexts{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>", "<|repo_name|>"}
	qwenStops = []string{
		"<|endoftext|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>",
		"<|repo_name|>", "<|file_sep|>",
	}
	starCoderMarks  = markTexts{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<file_sep>", "<repo_name>"}
	starCoder1Marks = markTexts{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", "<filename>", "<reponame>"}
	deepSeekMarks   = markTexts{prefix: "<｜fim▁begin｜>", suffix: "<｜fim▁hole｜>", middle: "<｜fim▁end｜>"}
	mistralStops    = []string{"</s>", "[INST]", "[/INST]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]"}
)

var families = map[Family]facts{
	CodeGemma: {
		tokenizer: sentencePiece, pre: "default", bos: "<bos>", layout: layoutPSM,
		marks: markTexts{prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>", file: "<|file_separator|>"},
		stops: []string{"<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|file_separator|>", "<eos>", "<end_of_turn>"},
		chat:  ChatGemma, inTemplate: "<start_of_turn>",
	},
	CodeLlama: {
		tokenizer: sentencePiece, pre: "default", spacePrefix: true, bos: "<s>", layout: layoutPSM,
		marks: markTexts{prefix: "▁<PRE>", suffix: "▁<SUF>", middle: "▁<MID>"},
		stops: []string{"</s>", "▁<EOT>"},
		chat:  ChatLlama2, inTemplate: "[INST]",
	},
	Codestral: {
		tokenizer: sentencePiece, pre: "default", spacePrefix: true, bos: "<s>", layout: layoutSPM,
		marks: markTexts{prefix: "[PREFIX]", suffix: "[SUFFIX]"},
		stops: mistralStops, chat: ChatMistral3, inTemplate: "[INST]",
	},
	DeepSeekCoder: {
		tokenizer: byteLevelBPE, pre: "deepseek-coder", bos: "<｜begin▁of▁sentence｜>", layout: layoutPSM,
		marks: deepSeekMarks, stops: []string{"<｜end▁of▁sentence｜>", "<|EOT|>"},
		chat: ChatDeepSeek, inTemplate: "### Instruction:",
	},
	DeepSeekCoderV2: {
		tokenizer: byteLevelBPE, pre: "deepseek-llm", bos: "<｜begin▁of▁sentence｜>", layout: layoutPSM,
		marks: deepSeekMarks, stops: []string{"<｜end▁of▁sentence｜>", "<|EOT|>"},
		chat: ByTemplate,
	},
	Gemma:  gemmaFacts,
	Gemma2: gemmaFacts,
	Gemma3: gemmaFacts,
	Llama2: {
		tokenizer: sentencePiece, pre: "default", spacePrefix: true, bos: "<s>",
		stops: []string{"</s>"}, chat: ChatLlama2, inTemplate: "[INST]",
	},
	Llama3: {
		tokenizer: byteLevelBPE, pre: "llama-bpe", bos: "<|begin_of_text|>",
		stops: []string{"<|eot_id|>", "<|end_of_text|>", "<|eom_id|>"},
		chat:  ChatLlama3, inTemplate: "<|start_header_id|>",
	},
	Mistral: {
		tokenizer: sentencePiece, pre: "default", spacePrefix: true, bos: "<s>",
		stops: mistralStops, inTemplate: "[INST]", // its chat format follows from its pieces
	},
	Mixtral: {
		tokenizer: sentencePiece, pre: "default", spacePrefix: true, bos: "<s>",
		stops: mistralStops, inTemplate: "[INST]",
	},
	Qwen: {
		tokenizer: byteLevelBPE, pre: "qwen2", stops: qwenStops,
		chat: ChatChatML, inTemplate: "<|im_start|>", baseTemplate: true,
	},
	QwenCoder: {
		tokenizer: byteLevelBPE, pre: "qwen2", layout: layoutPSM, marks: qwenMarks, stops: qwenStops,
		chat: ChatChatML, inTemplate: "<|im_start|>", baseTemplate: true,
	},
	SmolLM2: {
		tokenizer: byteLevelBPE, pre: "smollm", stops: []string{"<|endoftext|>", "<|im_end|>"},
		chat: ChatChatML, inTemplate: "<|im_start|>",
	},
	StarCoder: {
		tokenizer: byteLevelBPE, layout: layoutPSM, marks: starCoder1Marks,
		stops: []string{"<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<filename>", "<reponame>"},
	},
	StarCoder2: {
		tokenizer: byteLevelBPE, pre: "starcoder", layout: layoutPSM, marks: starCoderMarks,
		stops: []string{"<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<repo_name>", "<file_sep>"},
	},
	ChatML: {
		stops: []string{"<|endoftext|>", "<|im_end|>"}, chat: ChatChatML, inTemplate: "<|im_start|>",
	},
	Generic: {},
}

var gemmaFacts = facts{
	tokenizer: sentencePiece, pre: "default", bos: "<bos>",
	stops: []string{"<eos>", "<end_of_turn>"}, chat: ChatGemma, inTemplate: "<start_of_turn>",
}
