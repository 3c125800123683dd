// Sizes, offsets and enum values of llama.h as compiled, which layout_test.go compares with what
// the binding assumes: a new release that moves something fails there, loudly, and not in use.
#include "shim_internal.h"

#include <cstddef>
#include <cstring>

int64_t aigw_layout(const char *name) {
	static const struct {
		const char *name;
		int64_t value;
	} table[] = {
#define AIGW_SIZE(t) {"sizeof " #t, (int64_t)sizeof(t)}
#define AIGW_OFFSET(t, f) {#t "." #f, (int64_t)offsetof(t, f)}
#define AIGW_VALUE(v) {#v, (int64_t)(v)}
	    AIGW_SIZE(llama_model_params),
	    AIGW_OFFSET(llama_model_params, n_gpu_layers),
	    AIGW_OFFSET(llama_model_params, load_mode),
	    AIGW_OFFSET(llama_model_params, progress_callback),
	    AIGW_OFFSET(llama_model_params, kv_overrides),
	    AIGW_OFFSET(llama_model_params, vocab_only),
	    AIGW_OFFSET(llama_model_params, use_extra_bufts),
	    AIGW_SIZE(llama_model_kv_override),
	    AIGW_OFFSET(llama_model_kv_override, key),
	    AIGW_OFFSET(llama_model_kv_override, val_str),
	    AIGW_SIZE(llama_context_params),
	    AIGW_OFFSET(llama_context_params, n_outputs_max),
	    AIGW_OFFSET(llama_context_params, n_threads),
	    AIGW_OFFSET(llama_context_params, flash_attn_type),
	    AIGW_OFFSET(llama_context_params, type_k),
	    AIGW_OFFSET(llama_context_params, type_v),
	    AIGW_OFFSET(llama_context_params, abort_callback),
	    AIGW_OFFSET(llama_context_params, embeddings),
	    AIGW_OFFSET(llama_context_params, offload_kqv),
	    AIGW_OFFSET(llama_context_params, swa_full),
	    AIGW_OFFSET(llama_context_params, kv_unified),
	    AIGW_SIZE(llama_batch),
	    AIGW_OFFSET(llama_batch, logits),
	    AIGW_SIZE(llama_token_data),
	    AIGW_SIZE(llama_token_data_array),
	    AIGW_SIZE(ggml_threadpool_params),
	    AIGW_SIZE(llama_token),
	    AIGW_SIZE(llama_pos),
	    AIGW_SIZE(llama_seq_id),
	    AIGW_VALUE(GGML_MAX_N_THREADS),
	    AIGW_VALUE(LLAMA_TOKEN_NULL),
	    AIGW_VALUE(LLAMA_DEFAULT_SEED),
	    AIGW_VALUE(LLAMA_STATE_SEQ_VERSION),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_NONE),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_SPM),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_BPE),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_WPM),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_UGM),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_RWKV),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_PLAMO2),
	    AIGW_VALUE(LLAMA_VOCAB_TYPE_TEST),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_UNKNOWN),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_UNUSED),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_NORMAL),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_CONTROL),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_USER_DEFINED),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_BYTE),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_NORMALIZED),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_LSTRIP),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_RSTRIP),
	    AIGW_VALUE(LLAMA_TOKEN_ATTR_SINGLE_WORD),
	    AIGW_VALUE(LLAMA_LOAD_MODE_AUTO),
	    AIGW_VALUE(LLAMA_LOAD_MODE_NONE),
	    AIGW_VALUE(LLAMA_LOAD_MODE_MMAP),
	    AIGW_VALUE(LLAMA_LOAD_MODE_MLOCK),
	    AIGW_VALUE(LLAMA_LOAD_MODE_MMAP_MLOCK),
	    AIGW_VALUE(LLAMA_LOAD_MODE_DIRECT_IO),
	    AIGW_VALUE(LLAMA_FLASH_ATTN_TYPE_AUTO),
	    AIGW_VALUE(LLAMA_FLASH_ATTN_TYPE_DISABLED),
	    AIGW_VALUE(LLAMA_FLASH_ATTN_TYPE_ENABLED),
	    AIGW_VALUE(LLAMA_POOLING_TYPE_NONE),
	    AIGW_VALUE(LLAMA_POOLING_TYPE_RANK),
	    AIGW_VALUE(GGML_NUMA_STRATEGY_DISABLED),
	    AIGW_VALUE(GGML_NUMA_STRATEGY_DISTRIBUTE),
	    AIGW_VALUE(GGML_NUMA_STRATEGY_ISOLATE),
	    AIGW_VALUE(GGML_NUMA_STRATEGY_NUMACTL),
	    AIGW_VALUE(GGML_NUMA_STRATEGY_MIRROR),
	    AIGW_VALUE(GGML_LOG_LEVEL_NONE),
	    AIGW_VALUE(GGML_LOG_LEVEL_DEBUG),
	    AIGW_VALUE(GGML_LOG_LEVEL_INFO),
	    AIGW_VALUE(GGML_LOG_LEVEL_WARN),
	    AIGW_VALUE(GGML_LOG_LEVEL_ERROR),
	    AIGW_VALUE(GGML_LOG_LEVEL_CONT),
	    AIGW_VALUE(GGML_BACKEND_DEVICE_TYPE_CPU),
	    AIGW_VALUE(GGML_BACKEND_DEVICE_TYPE_GPU),
	    AIGW_VALUE(GGML_BACKEND_DEVICE_TYPE_IGPU),
	    AIGW_VALUE(GGML_BACKEND_DEVICE_TYPE_ACCEL),
	    AIGW_VALUE(GGML_BACKEND_DEVICE_TYPE_META),
	    AIGW_VALUE(GGML_TYPE_F32),
	    AIGW_VALUE(GGML_TYPE_F16),
	    AIGW_VALUE(GGML_TYPE_Q4_0),
	    AIGW_VALUE(GGML_TYPE_Q4_1),
	    AIGW_VALUE(GGML_TYPE_Q5_0),
	    AIGW_VALUE(GGML_TYPE_Q5_1),
	    AIGW_VALUE(GGML_TYPE_Q8_0),
	    AIGW_VALUE(GGML_TYPE_IQ4_NL),
	    AIGW_VALUE(GGML_TYPE_BF16),
	    {"block Q4_0", ggml_blck_size(GGML_TYPE_Q4_0)},
	    {"block Q8_0", ggml_blck_size(GGML_TYPE_Q8_0)},
	    {"block IQ4_NL", ggml_blck_size(GGML_TYPE_IQ4_NL)},
	    {"max sequences", (int64_t)llama_max_parallel_sequences()},
#undef AIGW_SIZE
#undef AIGW_OFFSET
#undef AIGW_VALUE
	};
	for (const auto &entry : table) {
		if (strcmp(entry.name, name) == 0) return entry.value;
	}
	return -1;
}
