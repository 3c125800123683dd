// One back-end plug-in at a time: is the CPU variant in it usable here, and does it compute right?
// Called in a throw-away process (variant.go), because the answer may be SIGILL or SIGSEGV: a machine
// may advertise instructions, AMX above all, that it does not let anybody use.
#include "shim_internal.h"

#include "ggml-backend.h"
#include "ggml.h"

#include <cmath>
#include <dlfcn.h>
#include <memory>
#include <string>

namespace {

using backend_ptr = std::unique_ptr<ggml_backend, decltype(&ggml_backend_free)>;
using buffer_ptr = std::unique_ptr<ggml_backend_buffer, decltype(&ggml_backend_buffer_free)>;
using context_ptr = std::unique_ptr<ggml_context, decltype(&ggml_free)>;

// Large enough that every path with tiles and blocks is taken: two super-blocks of 256 weights a row.
constexpr int64_t columns = 512, rows = 64;

// The formats of weights that matter, one for each family of kernels.
constexpr ggml_type formats[] = {GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q4_0, GGML_TYPE_Q8_0,
                                 GGML_TYPE_Q4_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL};

context_ptr small_context() {
	return context_ptr(ggml_init({64 * ggml_tensor_overhead() + ggml_graph_overhead(), nullptr, true}), ggml_free);
}

// Numbers that look like weights and do not repeat soon.
std::vector<float> numbers(size_t n, uint32_t seed) {
	std::vector<float> out(n);
	for (auto &x : out) {
		seed = seed * 1664525u + 1013904223u;
		x = (float)(seed >> 8) / (float)(1 << 24) - 0.5f;
	}
	return out;
}

// product multiplies weights of one format, kept in one kind of buffer, with activations, and compares
// with the same product in plain arithmetic. An empty string: right, or not supported.
std::string product(ggml_backend_t backend, ggml_backend_dev_t dev, ggml_backend_buffer_type_t kind, ggml_type format, int64_t batch) {
	const auto weights = numbers(columns * rows, 1), input = numbers(columns * batch, 2);
	std::vector<uint8_t> packed(ggml_row_size(format, columns) * rows);
	if (ggml_quantize_chunk(format, weights.data(), packed.data(), 0, rows, columns, nullptr) != packed.size()) return "quantisation";
	std::vector<float> plain(columns * rows);
	ggml_get_type_traits(format)->to_float(packed.data(), plain.data(), columns * rows);

	auto ctx_w = small_context(), ctx = small_context();
	ggml_tensor *w = ggml_new_tensor_2d(ctx_w.get(), format, columns, rows);
	buffer_ptr held(ggml_backend_alloc_ctx_tensors_from_buft(ctx_w.get(), kind), ggml_backend_buffer_free);
	if (!held) return "";
	ggml_tensor *x = ggml_new_tensor_2d(ctx.get(), GGML_TYPE_F32, columns, batch);
	ggml_tensor *y = ggml_mul_mat(ctx.get(), w, x);
	if (!ggml_backend_dev_supports_op(dev, y)) return "";
	ggml_tensor *z = ggml_soft_max(ctx.get(), ggml_rms_norm(ctx.get(), y, 1e-6f));
	buffer_ptr working(ggml_backend_alloc_ctx_tensors_from_buft(ctx.get(), ggml_backend_dev_buffer_type(dev)), ggml_backend_buffer_free);
	if (!working) return "memory";
	ggml_backend_tensor_set(w, packed.data(), 0, packed.size());
	ggml_backend_tensor_set(x, input.data(), 0, input.size() * sizeof(float));
	ggml_cgraph *graph = ggml_new_graph(ctx.get());
	ggml_build_forward_expand(graph, z);
	if (ggml_backend_graph_compute(backend, graph) != GGML_STATUS_SUCCESS) return "computing";
	std::vector<float> out(rows * batch), shares(rows * batch);
	ggml_backend_tensor_get(y, out.data(), 0, out.size() * sizeof(float));
	ggml_backend_tensor_get(z, shares.data(), 0, shares.size() * sizeof(float));

	double error = 0, norm = 0;
	for (int64_t b = 0; b < batch; b++) {
		double sum = 0;
		for (int64_t r = 0; r < rows; r++) {
			double want = 0;
			for (int64_t c = 0; c < columns; c++) want += (double)plain[r * columns + c] * input[b * columns + c];
			const double got = out[b * rows + r];
			error += (got - want) * (got - want);
			norm += want * want;
			sum += shares[b * rows + r];
		}
		if (!(std::fabs(sum - 1) < 1e-3)) return "the softmax";
	}
	// Activations are rounded to eight bits on the way; ggml's own tests allow 5e-4.
	return error / norm < 5e-3 ? "" : "the product";
}

// prove computes in every kind of buffer that the back end has for weights: AMX and the repacked
// layouts are such kinds.
std::string prove(ggml_backend_reg_t reg) {
	ggml_backend_dev_t dev = ggml_backend_reg_dev_get(reg, 0);
	backend_ptr backend(ggml_backend_dev_init(dev, nullptr), ggml_backend_free);
	if (!backend) return "it does not start";
	// One thread: several would wait for each other, for seconds on a machine that is busy.
	auto threads = (ggml_backend_set_n_threads_t)ggml_backend_reg_get_proc_address(reg, "ggml_backend_set_n_threads");
	if (threads) threads(backend.get(), 1);
	std::vector<ggml_backend_buffer_type_t> kinds = {ggml_backend_dev_buffer_type(dev)};
	auto extra = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(reg, "ggml_backend_dev_get_extra_bufts");
	for (auto kind = extra ? extra(dev) : nullptr; kind && *kind; kind++) kinds.push_back(*kind);
	for (auto kind : kinds)
		for (auto format : formats)
			for (int64_t batch : {1, 33}) {
				const std::string wrong = product(backend.get(), dev, kind, format, batch);
				if (!wrong.empty())
					return wrong + " is wrong with " + ggml_type_name(format) + " weights in " + ggml_backend_buft_name(kind) + " memory";
			}
	return "";
}

} // namespace

int32_t aigw_backend_prove(const char *path, int32_t *score, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		aigw::listen();
		*score = 0;
		void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!library) {
			aigw::set_error(err, dlerror());
			return AIGW_FAILED;
		}
		if (auto rate = (int (*)(void))dlsym(library, "ggml_backend_score")) *score = rate();
		if (*score <= 0) return AIGW_OK;
		ggml_backend_reg_t reg = ggml_backend_load(path);
		if (!reg) return AIGW_FAILED;
		const std::string wrong = prove(reg);
		if (wrong.empty()) return AIGW_OK;
		aigw::set_error(err, wrong.c_str());
		return AIGW_FAILED;
	});
}

int32_t aigw_backend_load(const char *path, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		aigw::listen();
		// ggml says nothing of why, and the linker's words are the ones that help: a missing driver.
		if (!dlopen(path, RTLD_NOW | RTLD_LOCAL)) {
			aigw::set_error(err, dlerror());
			return AIGW_FAILED;
		}
		return ggml_backend_load(path) ? AIGW_OK : AIGW_FAILED;
	});
}

int32_t aigw_backend_dir(char *out, size_t size, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		Dl_info info;
		if (!dladdr((const void *)ggml_backend_reg_count, &info) || !info.dli_fname) {
			aigw::set_error(err, "the folder of the ggml library is unknown; name the back ends' folder");
			return AIGW_FAILED;
		}
		snprintf(out, size, "%s", info.dli_fname);
		return AIGW_OK;
	});
}
