// Rewriting a GGUF file in another number format.
#include "shim_internal.h"

int32_t aigw_quantize(const char *from, const char *to, int32_t ftype, int32_t n_threads, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		llama_model_quantize_params p = llama_model_quantize_default_params();
		p.ftype = static_cast<llama_ftype>(ftype);
		p.nthread = n_threads;
		p.allow_requantize = true;
		return llama_model_quantize(from, to, &p) == 0 ? AIGW_OK : AIGW_FAILED;
	});
}
