// Devices of other machines, over ggml's RPC back end.
#include "shim_internal.h"

#include "ggml-rpc.h"

#include <cstring>
#include <string>

namespace {

// What the registry knows of the back end: static builds and plug-ins are asked alike.
template <typename F> F *of_rpc(const char *name) {
	ggml_backend_reg_t reg = ggml_backend_reg_by_name("RPC");
	return reg ? (F *)ggml_backend_reg_get_proc_address(reg, name) : nullptr;
}

struct remote_device {
	ggml_backend_dev_t dev;
	uint64_t free_bytes, total_bytes;
};
std::mutex remote_mutex;
std::vector<remote_device> remotes;

} // namespace

namespace aigw {

bool is_remote(ggml_backend_dev_t dev) { return strcmp(ggml_backend_reg_name(ggml_backend_dev_backend_reg(dev)), "RPC") == 0; }

void device_memory(ggml_backend_dev_t dev, uint64_t *free_bytes, uint64_t *total_bytes) {
	{
		std::lock_guard<std::mutex> lock(remote_mutex);
		for (const remote_device &r : remotes) {
			if (r.dev == dev) {
				*free_bytes = r.free_bytes;
				*total_bytes = r.total_bytes;
				return;
			}
		}
	}
	size_t f = 0, t = 0;
	ggml_backend_dev_memory(dev, &f, &t);
	*free_bytes = f;
	*total_bytes = t;
}

// In llama_prepare_model_devices (v0.5.0) other machines come first, then GPUs.
std::vector<ggml_backend_dev_t> offload_devices(bool remote) {
	std::vector<ggml_backend_dev_t> others, gpus, integrated, all;
	for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
		ggml_backend_dev_t dev = ggml_backend_dev_get(i);
		switch (ggml_backend_dev_type(dev)) {
		case GGML_BACKEND_DEVICE_TYPE_GPU:
			(is_remote(dev) ? others : gpus).push_back(dev);
			break;
		case GGML_BACKEND_DEVICE_TYPE_IGPU:
			integrated.push_back(dev);
			break;
		default:
			break;
		}
	}
	if (remote) all = others;
	const auto &local = gpus.empty() ? integrated : gpus;
	all.insert(all.end(), local.begin(), local.end());
	return all;
}

} // namespace aigw

bool aigw_rpc_available(void) { return of_rpc<decltype(ggml_backend_rpc_init)>("ggml_backend_rpc_init") != nullptr; }

void aigw_rpc_version(int32_t *major, int32_t *minor, int32_t *patch) {
	*major = RPC_PROTO_MAJOR_VERSION;
	*minor = RPC_PROTO_MINOR_VERSION;
	*patch = RPC_PROTO_PATCH_VERSION;
}

int32_t aigw_rpc_add(const char *endpoint, const aigw_remote_memory *memory, int32_t n_memory, int32_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		auto *init = of_rpc<decltype(ggml_backend_rpc_init)>("ggml_backend_rpc_init");
		auto *add = of_rpc<decltype(ggml_backend_rpc_add_server)>("ggml_backend_rpc_add_server");
		if (!init || !add) {
			aigw::set_error(err, "this build of llama.cpp has no RPC back end of ours");
			return AIGW_FAILED;
		}
		// Never freed: connections are shared by everything that uses an endpoint and end with the last of them,
		// and there is no second one.
		if (!init(endpoint, 0)) return AIGW_FAILED;
		ggml_backend_reg_t reg = add(endpoint);
		if (!reg) {
			aigw::set_error(err, "it offers no device");
			return AIGW_FAILED;
		}
		const size_t count = ggml_backend_reg_dev_count(reg);
		if (n_memory > 0 && (size_t)n_memory != count) {
			aigw::set_error(err, "it offers another number of devices than it said before");
			return AIGW_FAILED;
		}
		std::vector<remote_device> found;
		for (size_t i = 0; i < count; i++) {
			ggml_backend_dev_t dev = ggml_backend_reg_dev_get(reg, i);
			remote_device r = {dev, 0, 0};
			if (n_memory > 0) {
				r.free_bytes = memory[i].free_bytes;
				r.total_bytes = memory[i].total_bytes;
			} else {
				aigw::device_memory(dev, &r.free_bytes, &r.total_bytes);
			}
			found.push_back(r);
		}
		{
			std::lock_guard<std::mutex> lock(remote_mutex);
			remotes.insert(remotes.end(), found.begin(), found.end());
		}
		ggml_backend_register(reg);
		*n = (int32_t)count;
		return AIGW_OK;
	});
}

int32_t aigw_rpc_serve(int32_t fd, int32_t n_threads, const int32_t *devices, int32_t n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		auto *start = of_rpc<decltype(ggml_backend_rpc_start_server)>("ggml_backend_rpc_start_server");
		if (!start || !aigw_rpc_available()) {
			aigw::set_error(err, "this build of llama.cpp has no RPC back end of ours");
			return AIGW_FAILED;
		}
		std::vector<ggml_backend_dev_t> offered;
		for (int32_t i = 0; i < n; i++) {
			if (devices[i] < 0 || (size_t)devices[i] >= ggml_backend_dev_count()) return AIGW_FAILED;
			offered.push_back(ggml_backend_dev_get(devices[i]));
		}
		const std::string endpoint = "fd:" + std::to_string(fd);
		start(endpoint.c_str(), nullptr, (size_t)n_threads, offered.size(), offered.data());
		return AIGW_OK;
	});
}
