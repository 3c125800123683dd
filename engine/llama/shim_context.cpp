// Contexts with their thread pool, and the step: sequence operations, decode, sampling.
#include "shim_internal.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace {

#ifdef AIGW_FAULT
// Crashes on demand; see fault.go.
std::atomic<int> fault{0}; // 1: abort, 2: illegal access, at the next node of a graph

void arm_fault(const aigw_step &s) {
	static const char *const wanted = getenv("AIGW_FAULT");
	const char *colon = wanted ? strchr(wanted, ':') : nullptr;
	if (!colon) return;
	const int32_t token = atoi(colon + 1);
	if (std::find(s.token, s.token + s.n_tokens, token) != s.token + s.n_tokens) fault = wanted[0] == 'a' ? 1 : 2;
}

void crash_if_armed() {
	if (fault == 1) GGML_ABORT("fault injection");
	if (fault == 2) *(volatile int *)nullptr = 0;
}
#else
void arm_fault(const aigw_step &) {}
void crash_if_armed() {}
#endif

bool on_graph_node(void *data) {
	crash_if_armed();
	return ((const std::atomic<bool> *)data)->load(std::memory_order_relaxed);
}

using pool_new_fn = decltype(&ggml_threadpool_new);
using pool_free_fn = decltype(&ggml_threadpool_free);

// make_pool starts the context's threads. The functions are asked of the CPU back end because in
// a dynamic build they live in a plug-in that nothing links against.
const char *make_pool(aigw_context *c, int32_t n_threads, int32_t poll) {
	ggml_backend_dev_t dev = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	if (!dev) return "no CPU back end is loaded";
	ggml_backend_reg_t reg = ggml_backend_dev_backend_reg(dev);
	auto pool_new = (pool_new_fn)ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_new");
	auto pool_free = (pool_free_fn)ggml_backend_reg_get_proc_address(reg, "ggml_threadpool_free");
	if (!pool_new || !pool_free) return "the CPU back end has no thread pool";
	ggml_threadpool_params params = ggml_threadpool_params_default(n_threads);
	params.poll = (uint32_t)poll;
	c->pool = pool_new(&params);
	if (!c->pool) return "the thread pool could not be made";
	c->free_pool = pool_free;
	aigw::live.pools++;
	return nullptr;
}

// publish points step at the arrays, after they were made or have grown.
void publish(aigw_context *c) {
	aigw_step &s = c->step;
	s.cap_tokens = (int32_t)c->token.size();
	s.cap_ops = (int32_t)c->ops.size();
	s.cap_rows = (int32_t)c->row.size();
	s.ops = c->ops.data();
	s.token = c->token.data();
	s.pos = c->pos.data();
	s.seq = c->seq.data();
	s.output = c->output.data();
	s.row = c->row.data();
	s.sampler = c->sampler.data();
	s.sampled = c->sampled.data();
	s.state = c->state.data();
	s.draft = c->draft.data();
}

void resize(aigw_context *c, int32_t n_ops, int32_t n_rows) {
	c->ops.resize(n_ops);
	c->row.resize(n_rows);
	c->sampler.resize(n_rows);
	c->sampled.resize(n_rows);
	c->state.resize(n_rows);
	c->draft.resize(n_rows);
	publish(c);
}

struct free_context {
	void operator()(aigw_context *c) const { aigw_context_free(c); }
};

// run_ops runs the sequence operations in order; false leaves the refused one in failed_op.
bool run_ops(aigw_context *c) {
	aigw_step &s = c->step;
	for (int32_t i = 0; i < s.n_ops; i++) {
		const aigw_op &op = s.ops[i];
		switch (op.kind) {
		case AIGW_OP_REMOVE:
			if (!llama_memory_seq_rm(c->memory, op.seq, op.from, op.to)) {
				s.failed_op = i;
				return false;
			}
			break;
		case AIGW_OP_COPY:
			llama_memory_seq_cp(c->memory, op.seq, op.dst, op.from, op.to);
			break;
		case AIGW_OP_KEEP:
			llama_memory_seq_keep(c->memory, op.seq);
			break;
		}
	}
	return true;
}

int32_t run(aigw_context *c) {
	aigw_step &s = c->step;
	if (!run_ops(c)) return AIGW_BAD_OP;
	if (s.n_tokens == 0) return AIGW_OK;

	llama_batch batch = {};
	batch.n_tokens = s.n_tokens;
	batch.token = s.token;
	batch.pos = s.pos;
	batch.n_seq_id = c->n_seq.data();
	batch.seq_id = c->seq_of.data();
	batch.logits = s.output;
	arm_fault(s);
	c->decoded.fetch_add(s.n_tokens, std::memory_order_relaxed);
	s.decode = llama_decode(c->ctx, batch);
	if (s.decode != 0) return AIGW_DECODE;

	for (int32_t i = 0; i < s.n_rows; i++) {
		if (s.draft[i] && s.sampled[i - 1] != s.token[s.row[i]]) { // the guess was wrong
			s.sampled[i] = LLAMA_TOKEN_NULL;
			s.state[i] = AIGW_ROW_DRAWN;
			continue;
		}
		float *logits = llama_get_logits_ith(c->ctx, s.row[i]);
		if (!logits) return AIGW_NO_ROW;
		int32_t token = LLAMA_TOKEN_NULL;
		s.state[i] = aigw::sample(s.sampler[i], logits, c->candidates.data(), &token);
		s.sampled[i] = token;
	}
	return AIGW_OK;
}

} // namespace

int32_t aigw_context_new(aigw_model *m, const aigw_context_options *o, aigw_context **out, aigw_context_info *info,
                         aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::unique_ptr<aigw_context, free_context> c(new aigw_context);
		c->n_vocab = llama_vocab_n_tokens(m->vocab);
		if (const char *reason = make_pool(c.get(), o->n_threads, o->poll)) {
			aigw::set_error(err, reason);
			return AIGW_FAILED;
		}

		llama_context_params params = llama_context_default_params();
		params.n_ctx = o->n_ctx;
		params.n_batch = o->n_batch;
		params.n_ubatch = o->n_ubatch;
		params.n_seq_max = o->n_seq_max;
		params.n_outputs_max = o->n_outputs_max;
		params.n_threads = o->n_threads;
		params.n_threads_batch = o->n_threads;
		params.flash_attn_type = (llama_flash_attn_type)o->flash_attention;
		params.type_k = (ggml_type)o->type_k;
		params.type_v = (ggml_type)o->type_v;
		params.abort_callback = on_graph_node;
		params.abort_callback_data = &c->abort;
		params.embeddings = o->embeddings;
		params.offload_kqv = o->offload_kv;
		params.no_perf = true;
		params.swa_full = o->swa_full;
		params.kv_unified = o->unified;
		c->ctx = llama_init_from_model(m->model, params);
		if (!c->ctx) return AIGW_FAILED;
		aigw::live.contexts++;
		// One pool for both roles: with two, each switch between them pauses one and wakes the other.
		llama_attach_threadpool(c->ctx, c->pool, c->pool);
		c->memory = llama_get_memory(c->ctx);

		const uint32_t n_batch = llama_n_batch(c->ctx);
		c->token.resize(n_batch);
		c->pos.resize(n_batch);
		c->seq.resize(n_batch);
		c->output.resize(n_batch);
		c->n_seq.assign(n_batch, 1);
		c->seq_of.resize(n_batch);
		for (uint32_t i = 0; i < n_batch; i++) c->seq_of[i] = &c->seq[i];
		c->candidates.resize(c->n_vocab);
		resize(c.get(), 16, 16);
		if (const char *reason = aigw::start_worker(c.get(), o->done)) {
			aigw::set_error(err, reason);
			return AIGW_FAILED;
		}

		*info = {};
		info->n_ctx = llama_n_ctx(c->ctx);
		info->n_ctx_seq = llama_n_ctx_seq(c->ctx);
		info->n_batch = n_batch;
		info->n_ubatch = llama_n_ubatch(c->ctx);
		info->n_seq_max = llama_n_seq_max(c->ctx);
		info->has_memory = c->memory != nullptr;
		info->pooling = llama_pooling_type(c->ctx);
		info->embedding = info->pooling == LLAMA_POOLING_TYPE_RANK ? (int32_t)llama_model_n_cls_out(m->model)
		                                                           : llama_model_n_embd_out(m->model);
		info->step = &c->step;
		*out = c.release();
		return AIGW_OK;
	});
}

void aigw_context_free(aigw_context *c) {
	if (!c) return;
	aigw::stop_worker(c);
	aigw::guard(nullptr, [&]() -> int32_t {
		if (c->ctx) {
			llama_detach_threadpool(c->ctx);
			llama_free(c->ctx);
			aigw::live.contexts--;
		}
		return AIGW_OK;
	});
	if (c->pool) {
		c->free_pool(c->pool);
		aigw::live.pools--;
	}
	delete c;
}

int32_t aigw_context_set_threads(aigw_context *c, int32_t n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		llama_set_n_threads(c->ctx, n, n);
		return AIGW_OK;
	});
}

void aigw_context_abort(aigw_context *c, bool on) { c->abort.store(on, std::memory_order_relaxed); }

uint64_t aigw_context_decoded(const aigw_context *c) { return c->decoded.load(std::memory_order_relaxed); }

int32_t aigw_step_reserve(aigw_context *c, int32_t n_ops, int32_t n_rows, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		resize(c, std::max(n_ops, c->step.cap_ops), std::max(n_rows, c->step.cap_rows));
		return AIGW_OK;
	});
}

int32_t aigw_step_run(aigw_context *c) {
	c->step.decode = 0;
	c->step.failed_op = -1;
	aigw::mute_while = &c->abort;
	const int32_t code = aigw::guard(&c->step.err, [c] { return run(c); });
	aigw::mute_while = nullptr;
	return code;
}

int32_t aigw_context_logits(aigw_context *c, int32_t index, float *out, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		const float *logits = llama_get_logits_ith(c->ctx, index);
		if (!logits) return AIGW_NO_ROW;
		memcpy(out, logits, (size_t)c->n_vocab * sizeof(float));
		return AIGW_OK;
	});
}

int32_t aigw_context_embedding(aigw_context *c, bool pooled, int32_t index, int32_t n, float *out, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		const float *v = pooled ? llama_get_embeddings_seq(c->ctx, index) : llama_get_embeddings_ith(c->ctx, index);
		if (!v) return AIGW_NO_ROW;
		memcpy(out, v, (size_t)n * sizeof(float));
		return AIGW_OK;
	});
}
