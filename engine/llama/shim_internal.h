// What the shim's C++ files share.
#ifndef AIGW_SHIM_INTERNAL_H
#define AIGW_SHIM_INTERNAL_H

#if !__has_include("llama.h")
#error "llama.cpp is not built: run 'make llama' (third_party/llama.cpp/build.sh) first"
#endif

#include "llama.h"
#include "shim.h"

#include <atomic>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace aigw {
struct vocab_pieces;
struct worker;
}

struct aigw_model {
	llama_model *model = nullptr;
	const llama_vocab *vocab = nullptr;
	std::once_flag pieces_made{};
	std::shared_ptr<const aigw::vocab_pieces> pieces{}; // for grammars
};

struct aigw_context {
	llama_context *ctx = nullptr;
	llama_memory_t memory = nullptr; // NULL for models that keep nothing, such as BERT
	ggml_threadpool_t pool = nullptr;
	void (*free_pool)(ggml_threadpool_t) = nullptr;
	int32_t n_vocab = 0;
	std::atomic<bool> abort{false};
	std::atomic<uint64_t> decoded{0}; // tokens given to llama_decode

	// The arrays behind step, and those of llama_batch that never change: one sequence a token.
	aigw_step step = {};
	std::vector<aigw_op> ops;
	std::vector<int32_t> token, pos, seq, n_seq, row, sampled;
	std::vector<int32_t *> seq_of;
	std::vector<int8_t> output, state, draft;
	std::vector<aigw_sampler *> sampler;
	std::vector<llama_token_data> candidates;

	aigw::worker *worker = nullptr; // runs steps that Go does not wait for inside of C
};

namespace aigw {

// Live objects by kind; incremented where llama.cpp's object is made.
struct counters {
	std::atomic<int64_t> models{0}, contexts{0}, pools{0}, samplers{0}, templates{0};
};
extern counters live;

// While this is set and true, nothing is logged on this thread: a decode that is told to stop
// reports that as three errors.
extern thread_local const std::atomic<bool> *mute_while;

// While one exists, errors that llama.cpp logs on this thread are kept: most of its functions
// return only "failed" and tell the reason to the log.
class log_capture {
  public:
	explicit log_capture(bool quiet = false);
	~log_capture();
	log_capture(const log_capture &) = delete;
	log_capture &operator=(const log_capture &) = delete;
	const char *text() const;
};

// Receives llama.cpp's log and its last words from now on.
void listen();

inline void set_error(aigw_error *err, const char *text) {
	if (err) snprintf(err->text, sizeof err->text, "%s", text);
}

// Runs f, which returns an AIGW_ code. The reason of a failure is what f wrote into err, else
// what was thrown, else what llama.cpp logged.
template <typename F> int32_t guard(aigw_error *err, F &&f, bool quiet = false) {
	if (err) err->text[0] = 0;
	log_capture log(quiet);
	int32_t code = AIGW_THREW;
	try {
		code = f();
	} catch (const std::exception &e) {
		set_error(err, e.what());
	} catch (...) {
		set_error(err, "an exception of unknown type");
	}
	if (code != AIGW_OK && err && !err->text[0]) set_error(err, log.text());
	return code;
}

// A thread that runs the steps of a context and tells the eventfd done of each end
// (shim_worker.cpp). start_worker returns what is wrong, or NULL; stop_worker may be called
// without one.
const char *start_worker(aigw_context *c, int done);
void stop_worker(aigw_context *c);

// Runs f on a thread of its own with that much stack, and throws what f throws. What is not touched of
// the stack costs address space only.
void run_with_stack(size_t bytes, const std::function<void()> &f);

// Devices of other machines (shim_rpc.cpp). Their memory is what they said when they were added: asking is a question over
// the network that waits behind what they compute.
bool is_remote(ggml_backend_dev_t dev);
void device_memory(ggml_backend_dev_t dev, uint64_t *free_bytes, uint64_t *total_bytes);
// What layers can be given to, in llama.cpp's own order; with remote, other machines too.
std::vector<ggml_backend_dev_t> offload_devices(bool remote);

// Draws one token from n_vocab logits, which are changed meanwhile and restored.
// candidates is scratch for n_vocab entries, shared by the samplers of a context. Returns an AIGW_ROW_.
int8_t sample(aigw_sampler *s, float *logits, llama_token_data *candidates, int32_t *token);

} // namespace aigw

#endif
