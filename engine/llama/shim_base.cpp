// Process-wide parts of llama.cpp: back ends, log, last words, live objects.
#include "shim_internal.h"

#include <cstdlib>
#include <cstring>
#include <string>
#include <unistd.h>

// Written in Go (log.go).
extern "C" void aigwGoLog(int level, char *text);

namespace aigw {

counters live;
thread_local const std::atomic<bool> *mute_while = nullptr;

namespace {

// Log capture of the current thread; nested guards share it.
struct capture_state {
	int depth = 0;
	int quiet = 0;
	size_t length = 0;
	char text[sizeof(aigw_error::text)] = {0};
};
thread_local capture_state captured;

// keep_error appends one logged error to the captured text, without the name of the C function
// in front and the line end behind.
void keep_error(const char *line) {
	const char *p = line;
	while (*p == '_' || (*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')) p++;
	if (p != line && p[0] == ':' && p[1] == ' ') line = p + 2;
	size_t n = strlen(line);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == ' ')) n--;
	auto add = [](const char *s, size_t len) {
		const size_t room = sizeof(captured.text) - 1 - captured.length;
		if (len > room) len = room;
		memcpy(captured.text + captured.length, s, len);
		captured.length += len;
		captured.text[captured.length] = 0;
	};
	if (n == 0) return;
	if (captured.length > 0) add("; ", 2);
	add(line, n);
}

void on_log(ggml_log_level level, const char *text, void *) {
	if (!text) return;
	if (level == GGML_LOG_LEVEL_ERROR && captured.depth > 0) keep_error(text);
	const bool muted = mute_while && mute_while->load(std::memory_order_relaxed);
	if (captured.quiet == 0 && !muted) aigwGoLog(level, const_cast<char *>(text));
}

// The process is about to end: no allocation, no lock, no Go.
void on_abort(const char *message) {
	static const char head[] = "aigw: llama.cpp aborted: ";
	char line[2304]; // ggml_abort formats at most 2048 bytes
	int n = snprintf(line, sizeof line, "%s%s\n", head, message ? message : "(no message)");
	if (n > (int)sizeof line - 1) n = sizeof line - 1;
	ssize_t written = write(STDERR_FILENO, line, n);
	(void)written;
}

} // namespace

void listen() {
	ggml_set_abort_callback(on_abort);
	llama_log_set(on_log, nullptr);
}

log_capture::log_capture(bool quiet) {
	if (captured.depth++ == 0) {
		captured.quiet = quiet;
		captured.length = 0;
		captured.text[0] = 0;
	}
}
log_capture::~log_capture() {
	if (--captured.depth == 0) captured.quiet = 0;
}
const char *log_capture::text() const { return captured.text; }

} // namespace aigw

int32_t aigw_init(int32_t numa, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		aigw::listen();
		if (!ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU)) {
			aigw::set_error(err, "no CPU back end was loaded");
			return AIGW_FAILED;
		}
		llama_backend_init();
		llama_numa_init((ggml_numa_strategy)numa);
		return AIGW_OK;
	});
}

int32_t aigw_backend_count(void) { return (int32_t)ggml_backend_reg_count(); }

const char *aigw_backend_name(int32_t i) {
	if (i < 0 || (size_t)i >= ggml_backend_reg_count()) return nullptr;
	return ggml_backend_reg_name(ggml_backend_reg_get(i));
}

int32_t aigw_device_count(void) { return (int32_t)ggml_backend_dev_count(); }

int32_t aigw_device_get(int32_t i, aigw_device *out, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		if (i < 0 || (size_t)i >= ggml_backend_dev_count()) return AIGW_FAILED;
		ggml_backend_dev_t dev = ggml_backend_dev_get(i);
		uint64_t free_bytes = 0, total_bytes = 0;
		aigw::device_memory(dev, &free_bytes, &total_bytes);
		*out = {ggml_backend_dev_name(dev), ggml_backend_dev_description(dev), (int32_t)ggml_backend_dev_type(dev),
		        aigw::is_remote(dev), free_bytes, total_bytes};
		return AIGW_OK;
	});
}

const char *aigw_cpu_feature(int32_t i) {
	ggml_backend_dev_t dev = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
	if (!dev) return nullptr;
	auto get = (ggml_backend_get_features_t)ggml_backend_reg_get_proc_address(ggml_backend_dev_backend_reg(dev),
	                                                                         "ggml_backend_get_features");
	if (!get) return nullptr;
	for (ggml_backend_feature *f = get(ggml_backend_dev_backend_reg(dev)); f->name; f++) {
		if (f->value && strcmp(f->value, "0") != 0 && i-- == 0) return f->name;
	}
	return nullptr;
}

const char *aigw_llama_version(void) { return llama_version(); }
const char *aigw_ggml_version(void) { return ggml_version(); }
const char *aigw_ggml_commit(void) { return ggml_commit(); }

void aigw_open_objects(aigw_objects *out) {
	*out = {aigw::live.models, aigw::live.contexts, aigw::live.pools, aigw::live.samplers, aigw::live.templates};
}

void aigw_log_test(int32_t level, const char *text) {
	ggml_log_callback callback = nullptr;
	void *data = nullptr;
	llama_log_get(&callback, &data);
	if (callback) callback((ggml_log_level)level, text, data);
}

void aigw_abort_test(const char *text) { GGML_ABORT("%s", text); }

void aigw_free(void *p) { free(p); }
