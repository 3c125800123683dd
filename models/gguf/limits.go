package gguf

// Limits of what a header may claim. Each is several times what the largest published model
// needs and small enough that reading a hostile file costs little memory and time.
const (
	// MaxKeys bounds the metadata entries. Published models have fewer than 200. llama.cpp
	// compares each key with every earlier one.
	MaxKeys = 1 << 14
	// MaxTensors bounds the tensor tables of all parts together. DeepSeek-V3 has 1,025;
	// conversions with one tensor per expert have a few ten thousand. llama.cpp compares each
	// name with every earlier one.
	MaxTensors = 1 << 16
	// MaxKeyLength bounds a metadata key, in bytes (the limit of the specification).
	MaxKeyLength = 1<<16 - 1
	// MaxTensorName bounds a tensor's name, in bytes: GGML_MAX_NAME less the final zero byte.
	MaxTensorName = 63
	// MaxDims is GGML_MAX_DIMS.
	MaxDims = 4
	// MaxString bounds one string value, in bytes. Chat templates have up to 100 kB.
	MaxString = 1 << 22
	// MaxText bounds keys, string values and tensor names that are kept in memory, in bytes,
	// together. A large header keeps less than 1 MB.
	MaxText = 1 << 24
	// MaxArray bounds the elements of one array. The largest vocabularies have 262,144 pieces
	// and some 520,000 merges.
	MaxArray = 1 << 22
	// MaxHeader bounds metadata and tensor table, in bytes. A vocabulary of 262,144 pieces with
	// merges takes 16 MB.
	MaxHeader = 1 << 27
	// MaxAlignment bounds general.alignment, in bytes; usual are 32 and the page size.
	MaxAlignment = 1 << 20
	// MaxParts bounds the files of a split set.
	MaxParts = 1 << 10
)
