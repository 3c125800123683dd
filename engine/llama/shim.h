// The C interface between Go and llama.cpp.
//
// Every function catches all C++ exceptions: one that crossed into Go would end the process.
// What can fail returns AIGW_OK or another code and puts a reason into an aigw_error.
// Nothing here keeps a pointer to Go memory after it returns.
#ifndef AIGW_SHIM_H
#define AIGW_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
	AIGW_OK = 0,
	AIGW_FAILED = 1,     // llama.cpp refused; the text says why as far as its log did
	AIGW_THREW = 2,      // llama.cpp threw
	AIGW_CANCELLED = 3,  // the progress callback said stop
	AIGW_BAD_OP = 4,     // a sequence operation was refused; aigw_step.failed_op says which
	AIGW_DECODE = 5,     // llama_decode did not return 0; aigw_step.decode says what
	AIGW_NO_ROW = 6,     // a row without logits was to be sampled
};

typedef struct {
	char text[1024]; // NUL-terminated, cut at the end if longer
} aigw_error;

// --- process (shim_base.cpp) ---

// Dynamic builds load their back ends before (aigw_backend_load).
int32_t aigw_init(int32_t numa, aigw_error *err);
// The file of the ggml library, whose folder has the plug-ins of dynamic builds (shim_variant.cpp).
int32_t aigw_backend_dir(char *out, size_t size, aigw_error *err);
int32_t aigw_backend_load(const char *path, aigw_error *err);
// Whether the CPU back end at path works here: score 0 if it is for another CPU, the higher the better.
int32_t aigw_backend_prove(const char *path, int32_t *score, aigw_error *err);
int32_t aigw_backend_count(void);
// Each aigw_*_name returns a string that llama.cpp owns and that lives as long as the process.
const char *aigw_backend_name(int32_t i);
int32_t aigw_device_count(void);
typedef struct {
	const char *name, *description;
	int32_t type;
	bool remote;
	uint64_t free_bytes, total_bytes;
} aigw_device;
int32_t aigw_device_get(int32_t i, aigw_device *out, aigw_error *err);
// The i-th CPU feature that is on, or NULL behind the last.
const char *aigw_cpu_feature(int32_t i);
const char *aigw_llama_version(void);
const char *aigw_ggml_version(void);
const char *aigw_ggml_commit(void);

// Live objects, counted where they are made and freed.
typedef struct {
	int64_t models, contexts, pools, samplers, templates;
} aigw_objects;
void aigw_open_objects(aigw_objects *out);

// What the binding assumes of llama.h, by name; returns -1 for an unknown name.
int64_t aigw_layout(const char *name);

// Sends one line through llama.cpp's own logging functions, for tests of the callback.
void aigw_log_test(int32_t level, const char *text);
// Ends the process through ggml_abort, for tests of its last words.
void aigw_abort_test(const char *text);

void aigw_free(void *p);

// --- model and vocabulary (shim_model.cpp, shim_vocab.cpp) ---

typedef struct aigw_model aigw_model;

enum { AIGW_OVERRIDE_INT, AIGW_OVERRIDE_FLOAT, AIGW_OVERRIDE_BOOL, AIGW_OVERRIDE_STRING };

typedef struct {
	int32_t kind;
	char key[128];
	int64_t i64;
	double f64;
	bool flag;
	char str[128];
} aigw_override;

typedef struct {
	int32_t gpu_layers;
	int32_t load_mode;
	bool no_repack, vocab_only, check_tensors, plan_only;
	bool no_remote; // leave out devices of other machines
	int32_t n_overrides;
	uintptr_t progress; // cgo.Handle of a Go function, 0 for none
} aigw_model_options;

typedef struct {
	char description[256];
	uint64_t size_bytes, parameters;
	int32_t train_context, layers, embedding, heads, heads_kv, sliding_window;
	bool recurrent, hybrid, diffusion, encoder, decoder;

	int32_t vocab_type, vocab_size;
	bool add_bos, add_eos, add_sep;
	int32_t bos, eos, eot, sep, nl, pad, mask;
	int32_t fim_pre, fim_suf, fim_mid, fim_pad, fim_rep, fim_sep;
} aigw_model_info;

int32_t aigw_model_load(const char *path, const aigw_model_options *options, const aigw_override *overrides,
                        aigw_model **out, aigw_model_info *info, aigw_error *err);
void aigw_model_free(aigw_model *m);
int32_t aigw_model_meta_count(const aigw_model *m);
// Copy at most size-1 bytes and a NUL; return the full length, or -1 if there is no such entry.
int32_t aigw_model_meta_key(const aigw_model *m, int32_t i, char *buf, size_t size);
int32_t aigw_model_meta_value(const aigw_model *m, const char *key, char *buf, size_t size);
// Points into the model; NULL if there is none. A NULL name means the default template.
const char *aigw_model_chat_template(const aigw_model *m, const char *name);

// One block of memory for a whole vocabulary, to be given to aigw_free(t.block).
typedef struct {
	void *block;
	int32_t n;
	const int32_t *attr;     // [n]
	const uint8_t *eog;      // [n]
	const uint64_t *offset;  // [n+1] into bytes
	const char *bytes;       // pieces one after the other
} aigw_vocab_table;
int32_t aigw_vocab_read(const aigw_model *m, aigw_vocab_table *out, aigw_error *err);
const char *aigw_vocab_text(const aigw_model *m, int32_t token);
// *n is the number of tokens, or minus the number that would be needed, or INT32_MIN on overflow.
int32_t aigw_tokenize(const aigw_model *m, const char *text, int32_t len, bool add_special, bool parse_special,
                      int32_t *tokens, int32_t cap, int32_t *n, aigw_error *err);
int32_t aigw_detokenize(const aigw_model *m, const int32_t *tokens, int32_t n_tokens, bool remove_special,
                        bool unparse_special, char *text, int32_t cap, int32_t *n, aigw_error *err);

// --- chat templates (shim_template.cpp) ---

typedef struct aigw_template aigw_template;

typedef struct {
	bool tools;       // takes a list of tools
	bool tool_calls;  // writes calls of the assistant
	bool system_role; // takes messages of the system
	bool parts;       // takes a content as a list of parts only
} aigw_template_caps;

int32_t aigw_template_new(const char *source, int32_t len, const char *bos, const char *eos, aigw_template **out,
                          aigw_template_caps *caps, aigw_error *err);
void aigw_template_free(aigw_template *t);
// tree is an object of the variables to set, as template_tree.go writes it. *text is to be given to aigw_free.
int32_t aigw_template_render(const aigw_template *t, const char *tree, char **text, int32_t *n, aigw_error *err);

// --- sampler (shim_sampler.cpp) ---

typedef struct aigw_sampler aigw_sampler;

// A grammar, as laid out in grammar.go, where the lengths of the arrays are explained.
typedef struct {
	const int32_t *items, *sequences, *rules, *classes;
	const uint32_t *ranges;
	const int8_t *negated;
	int32_t n_items, n_sequences, n_rules, n_classes, n_ranges;
	int32_t root;
} aigw_grammar;

// What became of a row.
enum {
	AIGW_ROW_DRAWN = 0,
	AIGW_ROW_BAD = 1,      // NaN or +Inf, or nothing but -Inf
	AIGW_ROW_COMPLETE = 2, // the grammar's text is complete, and no token that ends it is known
	AIGW_ROW_STUCK = 3,    // no token goes on with the grammar's text, or a bound was met
};

typedef struct {
	float temperature;
	int32_t top_k;
	float top_p, min_p;
	float repeat_penalty;
	int32_t repeat_last_n;
	uint32_t seed;
	// Taken from the logits of tokens that were drawn, for each time and once; n_counted is how many of the
	// last ones count. 0 does nothing.
	float frequency_penalty, presence_penalty;
	int32_t n_counted;
	// Added to the logits of tokens.
	const int32_t *bias_tokens;
	const float *bias;
	int32_t n_bias;
	// 0, or 1 and as many tokens as are told beside the one drawn, with their log probabilities.
	int32_t logprobs;
} aigw_sampler_options;

// Texts between which the text of a grammar chooses behind its first line: text i is chars[ends[i - 1]] to
// chars[ends[i] - 1], characters of Unicode, and weights[i] is added to the logarithm of its odds.
typedef struct {
	const uint32_t *chars;
	const int32_t *ends;
	const float *weights;
	int32_t n;
} aigw_choice;

// m and g are NULL without a grammar. ends are the tokens that may end the grammar's text. choice->n may be 0.
int32_t aigw_sampler_new(int32_t n_vocab, const aigw_sampler_options *o, aigw_model *m, const aigw_grammar *g,
                         const int32_t *ends, int32_t n_ends, const aigw_choice *choice, aigw_sampler **out,
                         aigw_error *err);
void aigw_sampler_free(aigw_sampler *s);
void aigw_sampler_accept(aigw_sampler *s, const int32_t *tokens, int32_t n);
// The oldest draw that was not taken yet: its token, its log probability by the logits alone, and the
// most probable tokens, at most options.logprobs - 1. Returns how many these are, or -1 if there is no draw.
int32_t aigw_sampler_take(aigw_sampler *s, int32_t *token, float *logprob, int32_t *tokens, float *logprobs);
// Draws from logits that belong to no context. *row: what became of it, AIGW_ROW_.
int32_t aigw_sampler_draw(aigw_sampler *s, const float *logits, int32_t *token, int8_t *row, aigw_error *err);

// --- context (shim_context.cpp) ---

typedef struct aigw_context aigw_context;

typedef struct {
	uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_outputs_max;
	int32_t n_threads, poll;
	int32_t done; // eventfd that outlives the context
	int32_t flash_attention, type_k, type_v;
	bool unified, swa_full, offload_kv, embeddings;
} aigw_context_options;

enum { AIGW_OP_REMOVE, AIGW_OP_COPY, AIGW_OP_KEEP };

typedef struct {
	int32_t kind, seq, dst, from, to;
} aigw_op;

// The memory that Go and the shim share for a step. It belongs to the context, is written by Go
// before aigw_step_run and by the shim during it; so nothing is allocated or pinned in a step.
typedef struct {
	int32_t cap_tokens, cap_ops, cap_rows;

	int32_t n_ops, n_tokens, n_rows;
	aigw_op *ops;
	int32_t *token, *pos, *seq;
	int8_t *output;
	int32_t *row;           // index into the batch
	aigw_sampler **sampler; // one for each row
	int8_t *draft;          // this row's token in the batch is a guess at what the row before draws

	int32_t *sampled;
	int8_t *state; // AIGW_ROW_ of each row
	int32_t failed_op;
	int32_t decode; // what llama_decode returned
	aigw_error err;
} aigw_step;

typedef struct {
	uint32_t n_ctx, n_ctx_seq, n_batch, n_ubatch, n_seq_max;
	bool has_memory;
	int32_t pooling;   // enum llama_pooling_type
	int32_t embedding; // length of one embedding
	aigw_step *step;
} aigw_context_info;

int32_t aigw_context_new(aigw_model *m, const aigw_context_options *o, aigw_context **out, aigw_context_info *info,
                         aigw_error *err);
void aigw_context_free(aigw_context *c);
int32_t aigw_context_set_threads(aigw_context *c, int32_t n, aigw_error *err);
// The only function that may be called from another thread while a step runs.
void aigw_context_abort(aigw_context *c, bool on);
uint64_t aigw_context_decoded(const aigw_context *c);
int32_t aigw_step_reserve(aigw_context *c, int32_t n_ops, int32_t n_rows, aigw_error *err);
int32_t aigw_step_run(aigw_context *c);
// The same on the context's own thread: post returns at once; when the step is over the eventfd
// aigw_context_options.done counts 1, and code gives what aigw_step_run would have returned.
void aigw_step_post(aigw_context *c);
int32_t aigw_step_code(const aigw_context *c);
// Row of the last decode by index in its batch; n_vocab values.
int32_t aigw_context_logits(aigw_context *c, int32_t index, float *out, aigw_error *err);
int32_t aigw_context_embedding(aigw_context *c, bool pooled, int32_t index, int32_t n, float *out, aigw_error *err);

// --- memory and state of a context (shim_memory.cpp) ---

int32_t aigw_seq_pos(const aigw_context *c, int32_t seq, int32_t *min, int32_t *max, aigw_error *err);
int32_t aigw_memory_clear(aigw_context *c, bool data, aigw_error *err);
int32_t aigw_used_cells(aigw_context *c, int64_t *out, aigw_error *err);

typedef struct {
	char name[64];   // of the buffer type, such as "CPU" or "CUDA0"
	char device[64]; // of its device, which for other machines has another name
	bool host;
	uint64_t model, context, compute;
} aigw_memory_use;
// *n is in: room in out, out: number of entries (may be more than the room).
int32_t aigw_memory_breakdown(const aigw_context *c, aigw_memory_use *out, int32_t *n, aigw_error *err);

int32_t aigw_state_size(aigw_context *c, int32_t seq, uint64_t *out, aigw_error *err);
int32_t aigw_state_get(aigw_context *c, int32_t seq, uint8_t *out, uint64_t size, uint64_t *n, aigw_error *err);
int32_t aigw_state_set(aigw_context *c, int32_t seq, const uint8_t *in, uint64_t size, uint64_t *n, aigw_error *err);

// --- devices of other machines (shim_rpc.cpp) ---

// Whether this build has ggml's RPC back end with the sockets of third_party/llama.cpp/patches/rpc.patch.
bool aigw_rpc_available(void);
void aigw_rpc_version(int32_t *major, int32_t *minor, int32_t *patch); // of the protocol
typedef struct {
	uint64_t free_bytes, total_bytes;
} aigw_remote_memory;
// Connects to an endpoint and registers its devices for as long as the process lives; *n is how many. memory is
// what they have, in their order; with n_memory 0 they are asked.
int32_t aigw_rpc_add(const char *endpoint, const aigw_remote_memory *memory, int32_t n_memory, int32_t *n, aigw_error *err);
// Serves devices of this process, by their numbers, to the connection fd, and returns when that has ended.
int32_t aigw_rpc_serve(int32_t fd, int32_t n_threads, const int32_t *devices, int32_t n, aigw_error *err);

// --- number formats (shim_quantize.cpp) ---

int32_t aigw_quantize(const char *from, const char *to, int32_t ftype, int32_t n_threads, aigw_error *err);

#ifdef __cplusplus
}
#endif
#endif
