// Loading weights, and what a file says about its model and its vocabulary.
#include "shim_internal.h"

#include <cstring>
#include <new>

// Written in Go (model.go): calls the function behind the handle.
extern "C" bool aigwGoProgress(uintptr_t handle, float fraction);

namespace {

struct progress_state {
	uintptr_t handle;
	bool cancelled;
};

bool on_progress(float fraction, void *data) {
	auto *p = (progress_state *)data;
	// Without a callback llama.cpp would draw dots into the log.
	if (p->handle == 0) return true;
	if (!aigwGoProgress(p->handle, fraction)) p->cancelled = true;
	return !p->cancelled;
}

std::vector<llama_model_kv_override> convert(const aigw_override *in, int32_t n) {
	std::vector<llama_model_kv_override> out((size_t)n + 1); // an empty key ends the list
	for (int32_t i = 0; i < n; i++) {
		llama_model_kv_override &o = out[i];
		memcpy(o.key, in[i].key, sizeof o.key);
		o.key[sizeof o.key - 1] = 0;
		switch (in[i].kind) {
		case AIGW_OVERRIDE_INT:
			o.tag = LLAMA_KV_OVERRIDE_TYPE_INT;
			o.val_i64 = in[i].i64;
			break;
		case AIGW_OVERRIDE_FLOAT:
			o.tag = LLAMA_KV_OVERRIDE_TYPE_FLOAT;
			o.val_f64 = in[i].f64;
			break;
		case AIGW_OVERRIDE_BOOL:
			o.tag = LLAMA_KV_OVERRIDE_TYPE_BOOL;
			o.val_bool = in[i].flag;
			break;
		default:
			o.tag = LLAMA_KV_OVERRIDE_TYPE_STR;
			memcpy(o.val_str, in[i].str, sizeof o.val_str);
			o.val_str[sizeof o.val_str - 1] = 0;
		}
	}
	return out;
}

void describe(const aigw_model *m, bool vocab_only, aigw_model_info *info) {
	const llama_model *model = m->model;
	const llama_vocab *vocab = m->vocab;
	*info = {};
	llama_model_desc(model, info->description, sizeof info->description);
	info->size_bytes = llama_model_size(model);
	info->parameters = llama_model_n_params(model);
	// A load of the vocabulary alone reads no dimensions, and n_head aborts without layers.
	if (!vocab_only) {
		info->train_context = llama_model_n_ctx_train(model);
		info->layers = llama_model_n_layer(model);
		info->embedding = llama_model_n_embd(model);
		info->heads = llama_model_n_head(model);
		info->heads_kv = llama_model_n_head_kv(model);
		info->sliding_window = llama_model_n_swa(model);
	}
	info->recurrent = llama_model_is_recurrent(model);
	info->hybrid = llama_model_is_hybrid(model);
	info->diffusion = llama_model_is_diffusion(model);
	info->encoder = llama_model_has_encoder(model);
	info->decoder = llama_model_has_decoder(model);
	info->vocab_type = llama_vocab_type(vocab);
	info->vocab_size = llama_vocab_n_tokens(vocab);
	info->add_bos = llama_vocab_get_add_bos(vocab);
	info->add_eos = llama_vocab_get_add_eos(vocab);
	info->add_sep = llama_vocab_get_add_sep(vocab);
	info->bos = llama_vocab_bos(vocab);
	info->eos = llama_vocab_eos(vocab);
	info->eot = llama_vocab_eot(vocab);
	info->sep = llama_vocab_sep(vocab);
	info->nl = llama_vocab_nl(vocab);
	info->pad = llama_vocab_pad(vocab);
	info->mask = llama_vocab_mask(vocab);
	info->fim_pre = llama_vocab_fim_pre(vocab);
	info->fim_suf = llama_vocab_fim_suf(vocab);
	info->fim_mid = llama_vocab_fim_mid(vocab);
	info->fim_pad = llama_vocab_fim_pad(vocab);
	info->fim_rep = llama_vocab_fim_rep(vocab);
	info->fim_sep = llama_vocab_fim_sep(vocab);
}

} // namespace

int32_t aigw_model_load(const char *path, const aigw_model_options *o, const aigw_override *overrides, aigw_model **out,
                        aigw_model_info *info, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		auto kv = convert(overrides, o->n_overrides);
		progress_state progress = {o->progress, false};
		ggml_backend_dev_t no_devices[] = {nullptr};
		// Where there are other machines, shares follow the memory that they said they have free.
		auto devices = aigw::offload_devices(!o->no_remote);
		std::vector<float> shares(llama_max_devices(), 0);
		bool remote = false;
		for (size_t i = 0; i < devices.size(); i++) remote = remote || aigw::is_remote(devices[i]);
		for (size_t i = 0; remote && i < devices.size() && i < shares.size(); i++) {
			uint64_t free_bytes = 0, total_bytes = 0;
			aigw::device_memory(devices[i], &free_bytes, &total_bytes);
			shares[i] = (float)free_bytes / (1 << 20);
		}
		devices.push_back(nullptr);

		llama_model_params params = llama_model_default_params();
		params.n_gpu_layers = o->gpu_layers;
		// Layers apart, llama.cpp also uses a GPU for large products and the KV cache: with no
		// layer on it, it is not touched at all.
		if (o->gpu_layers == 0) params.devices = no_devices;
		else if (remote) {
			params.devices = devices.data();
			params.tensor_split = shares.data();
		} else if (o->no_remote) params.devices = devices.data();
		params.load_mode = (llama_load_mode)o->load_mode;
		if (o->plan_only) { // maps nothing: llama.cpp asserts that
			params.no_alloc = true;
			params.load_mode = LLAMA_LOAD_MODE_NONE;
		}
		params.use_extra_bufts = !o->no_repack;
		params.vocab_only = o->vocab_only;
		params.check_tensors = o->check_tensors;
		params.kv_overrides = o->n_overrides > 0 ? kv.data() : nullptr;
		params.progress_callback = on_progress;
		params.progress_callback_user_data = &progress;

		llama_model *model = llama_model_load_from_file(path, params);
		if (!model) return progress.cancelled ? AIGW_CANCELLED : AIGW_FAILED;
		auto *m = new (std::nothrow) aigw_model{model, llama_model_get_vocab(model)};
		if (!m) {
			llama_model_free(model);
			throw std::bad_alloc();
		}
		aigw::live.models++;
		describe(m, o->vocab_only, info);
		*out = m;
		return AIGW_OK;
	});
}

void aigw_model_free(aigw_model *m) {
	if (!m) return;
	aigw::guard(nullptr, [&]() -> int32_t {
		llama_model_free(m->model);
		return AIGW_OK;
	});
	delete m;
	aigw::live.models--;
}

int32_t aigw_model_meta_count(const aigw_model *m) { return llama_model_meta_count(m->model); }

int32_t aigw_model_meta_key(const aigw_model *m, int32_t i, char *buf, size_t size) {
	int32_t n = -1;
	aigw::guard(nullptr, [&]() -> int32_t {
		n = llama_model_meta_key_by_index(m->model, i, buf, size);
		return AIGW_OK;
	});
	return n;
}

int32_t aigw_model_meta_value(const aigw_model *m, const char *key, char *buf, size_t size) {
	int32_t n = -1;
	aigw::guard(nullptr, [&]() -> int32_t {
		n = llama_model_meta_val_str(m->model, key, buf, size);
		return AIGW_OK;
	});
	return n;
}

const char *aigw_model_chat_template(const aigw_model *m, const char *name) {
	const char *text = nullptr;
	aigw::guard(nullptr, [&]() -> int32_t {
		text = llama_model_chat_template(m->model, name);
		return AIGW_OK;
	});
	return text;
}
