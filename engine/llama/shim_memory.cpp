// What a context holds: positions, cells, bytes, and the state of one sequence.
#include "shim_internal.h"

#include <cstring>
#include <map>

// From src/llama-ext.h of v0.5.0, which is C++ and not installed. The mangled name of the function
// does not cover its result: layout_test.go pins the release for which this was read.
struct llama_memory_breakdown_data {
	size_t model = 0;
	size_t context = 0;
	size_t compute = 0;
};
using llama_memory_breakdown = std::map<ggml_backend_buffer_type_t, llama_memory_breakdown_data>;
LLAMA_API llama_memory_breakdown llama_get_memory_breakdown(const struct llama_context *ctx);

int32_t aigw_seq_pos(const aigw_context *c, int32_t seq, int32_t *min, int32_t *max, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		*min = llama_memory_seq_pos_min(c->memory, seq);
		*max = llama_memory_seq_pos_max(c->memory, seq);
		return AIGW_OK;
	});
}

int32_t aigw_memory_clear(aigw_context *c, bool data, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		llama_memory_clear(c->memory, data);
		return AIGW_OK;
	});
}

// llama.h tells nothing about cells. A saved state does, in its first words (v0.5.0): magic, sequence
// id, number of streams, cells of stream 0. With id -1 these are the used cells of all sequences,
// counted in the cache itself. The buffer has room for just these words, so saving stops there
// and copies no tensor; the error that llama.cpp logs about it is kept quiet.
int32_t aigw_used_cells(aigw_context *c, int64_t *out, aigw_error *err) {
	return aigw::guard(
	    err,
	    [&]() -> int32_t {
		    uint32_t head[4] = {0, 0, 0, 0};
		    llama_state_seq_get_data(c->ctx, (uint8_t *)head, sizeof head, -1);
		    if (head[0] != 0xaf143cd8u || head[2] != 1) {
			    aigw::set_error(err, "the saved state does not start as it did in llama.cpp v0.5.0");
			    return AIGW_FAILED;
		    }
		    *out = head[3];
		    return AIGW_OK;
	    },
	    true);
}

int32_t aigw_memory_breakdown(const aigw_context *c, aigw_memory_use *out, int32_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		const llama_memory_breakdown all = llama_get_memory_breakdown(c->ctx);
		const int32_t room = *n;
		*n = 0;
		for (const auto &[type, use] : all) {
			if (*n < room) {
				aigw_memory_use &to = out[*n];
				to = {};
				snprintf(to.name, sizeof to.name, "%s", ggml_backend_buft_name(type));
				ggml_backend_dev_t dev = ggml_backend_buft_get_device(type);
				snprintf(to.device, sizeof to.device, "%s", dev ? ggml_backend_dev_name(dev) : "");
				to.host = ggml_backend_buft_is_host(type);
				to.model = use.model;
				to.context = use.context;
				to.compute = use.compute;
			}
			++*n;
		}
		return AIGW_OK;
	});
}

int32_t aigw_state_size(aigw_context *c, int32_t seq, uint64_t *out, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		*out = llama_state_seq_get_size(c->ctx, seq);
		return *out > 0 ? AIGW_OK : AIGW_FAILED;
	});
}

int32_t aigw_state_get(aigw_context *c, int32_t seq, uint8_t *out, uint64_t size, uint64_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		*n = llama_state_seq_get_data(c->ctx, out, size, seq);
		return *n > 0 ? AIGW_OK : AIGW_FAILED;
	});
}

int32_t aigw_state_set(aigw_context *c, int32_t seq, const uint8_t *in, uint64_t size, uint64_t *n, aigw_error *err) {
	int32_t code = aigw::guard(err, [&]() -> int32_t {
		*n = llama_state_seq_set_data(c->ctx, in, size, seq);
		return *n == size ? AIGW_OK : AIGW_FAILED;
	});
	// A cache of two pools may have taken one of them.
	if (code != AIGW_OK) {
		aigw::guard(nullptr, [&]() -> int32_t {
			llama_memory_seq_rm(c->memory, seq, -1, -1);
			return AIGW_OK;
		});
	}
	return code;
}
