// Chat templates, by llama.cpp's own engine for the language Jinja (common/jinja).
//
// A template is a program from a model file. It reads nothing but the conversation; here it also gets
// an end: a number of evaluations, a depth of calls, a size of texts and lists, and a stack to match.
#include "shim_internal.h"

#if !__has_include("jinja/runtime.h")
#error "the template engine is not built: run 'make llama' (third_party/llama.cpp/jinja.sh) first"
#endif

// Its headers define functions that only some of its files use.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wextra"
#include "jinja/caps.h"
#include "jinja/lexer.h"
#include "jinja/parser.h"
#include "jinja/runtime.h"
#pragma GCC diagnostic pop

#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <string>

namespace {

// What one use of a template may take. A conversation of 50 messages takes some thousand evaluations; the
// largest templates in use are 25 kB.
constexpr int64_t most_evaluations = 1'000'000;
constexpr double most_seconds = 1; // of the processor, looked at every 64 evaluations
constexpr int32_t most_depth = 2'000;
constexpr size_t most_bytes = 4 << 20; // of one text, or list
constexpr size_t stack_base = 64 << 20;
constexpr size_t stack_per_byte = 8 << 10; // of a template's source: brackets within brackets

thread_local int64_t evaluations = 0;
thread_local int32_t depth = 0;

// The time that this thread has computed; each use has a thread of its own.
double seconds() {
	timespec t = {};
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

} // namespace

// The library calls these; see third_party/llama.cpp/jinja.sh.
void aigw_jinja_enter() {
	if (++evaluations > most_evaluations || (evaluations % 64 == 0 && seconds() > most_seconds)) throw std::runtime_error("the template does not come to an end");
	if (depth >= most_depth) throw std::runtime_error("the template calls itself too often");
	depth++;
}
void aigw_jinja_leave() { depth--; }
void aigw_jinja_room(unsigned long bytes) {
	if (bytes > most_bytes) throw std::runtime_error("the template makes too long a text or list");
}

struct aigw_template {
	jinja::program program;
	std::string source, bos, eos;
};

namespace {

// run is run_with_stack with the counters of a new use.
void run(size_t source_bytes, const std::function<void()> &f) {
	aigw::run_with_stack(stack_base + source_bytes * stack_per_byte, [&] {
		evaluations = 0;
		depth = 0;
		f();
	});
}

// reason is the last line of what the engine throws, which quotes source in front of it.
std::string reason(const std::exception &e) {
	std::string text = e.what();
	const size_t at = text.rfind("Error: ");
	if (at != std::string::npos) text = text.substr(at + 7);
	for (char &c : text) {
		if (c == '\n') c = ' ';
	}
	return text;
}

jinja::value text_value(const std::string &text) { return jinja::mk_val<jinja::value_string>(text); }

} // namespace

int32_t aigw_template_new(const char *source, int32_t len, const char *bos, const char *eos, aigw_template **out,
                          aigw_template_caps *caps, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::unique_ptr<aigw_template> t;
		std::string why;
		run((size_t)len, [&] {
			try {
				std::unique_ptr<aigw_template> made(new aigw_template);
				made->source.assign(source, len);
				made->bos = bos;
				made->eos = eos;
				jinja::lexer lexer;
				made->program = jinja::parse_from_tokens(lexer.tokenize(made->source));
				const jinja::caps c = jinja::caps_get(made->program);
				const bool parts = !c.supports_string_content && c.supports_typed_content;
				// What takes lists of parts only is not tried with tools.
				*caps = {c.supports_tools && !parts, c.supports_tool_calls && !parts, c.supports_system_role, parts};
				t = std::move(made);
			} catch (const std::exception &e) {
				why = reason(e);
			}
		});
		if (!t) {
			aigw::set_error(err, why.c_str());
			return AIGW_FAILED;
		}
		*out = t.release();
		aigw::live.templates++;
		return AIGW_OK;
	});
}

void aigw_template_free(aigw_template *t) {
	if (!t) return;
	// The tree of the program is as deep as it was parsed.
	aigw::guard(nullptr, [&]() -> int32_t {
		run(t->source.size(), [t] { delete t; });
		aigw::live.templates--;
		return AIGW_OK;
	});
}

namespace {

// text_of reads a length and as many bytes from what Go wrote (template_tree.go), and moves p behind them.
std::string text_of(const char *&p) {
	int32_t n;
	memcpy(&n, p, sizeof n);
	p += sizeof n;
	std::string text(p, n);
	p += n;
	return text;
}

template <typename T> T number_of(const char *&p) {
	T n;
	memcpy(&n, p, sizeof n);
	p += sizeof n;
	return n;
}

// value_of reads a value from what Go wrote, which has a bounded depth and is whole.
jinja::value value_of(const char *&p) {
	switch (*p++) {
	case 't': return jinja::mk_val<jinja::value_bool>(true);
	case 'f': return jinja::mk_val<jinja::value_bool>(false);
	case 'i': return jinja::mk_val<jinja::value_int>(number_of<int64_t>(p));
	case 'd': return jinja::mk_val<jinja::value_float>(number_of<double>(p));
	case 's': return text_value(text_of(p));
	case '[': {
		auto list = jinja::mk_val<jinja::value_array>();
		while (*p != ']') list->push_back(value_of(p));
		p++;
		return list;
	}
	case '{': {
		auto object = jinja::mk_val<jinja::value_object>();
		while (*p != '}') {
			const std::string name = text_of(++p);
			object->insert(name, value_of(p));
		}
		p++;
		return object;
	}
	}
	return jinja::mk_val<jinja::value_none>();
}

} // namespace

int32_t aigw_template_render(const aigw_template *t, const char *tree, char **text, int32_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::string result, why;
		run(t->source.size(), [&] {
			try {
				jinja::context context(t->source);
				const char *p = tree + 1; // it is an object
				while (*p != '}') {
					const std::string name = text_of(++p);
					context.set_val(name, value_of(p));
				}
				context.set_val("bos_token", text_value(t->bos));
				context.set_val("eos_token", text_value(t->eos));
				context.set_val("add_generation_prompt", jinja::mk_val<jinja::value_bool>(true));
				context.set_val("enable_thinking", jinja::mk_val<jinja::value_bool>(false));
				jinja::runtime runtime(context);
				const jinja::value made = runtime.execute(t->program);
				result = jinja::runtime::gather_string_parts(made)->as_string().str();
			} catch (const std::exception &e) {
				why = reason(e);
				if (why.empty()) why = "it failed without a reason";
			}
		});
		if (!why.empty() || result.size() > most_bytes) {
			aigw::set_error(err, why.empty() ? "the template makes too long a text" : why.c_str());
			return AIGW_FAILED;
		}
		*text = (char *)malloc(result.size() + 1);
		if (!*text) throw std::bad_alloc();
		memcpy(*text, result.data(), result.size());
		*n = (int32_t)result.size();
		return AIGW_OK;
	});
}
