// Vocabulary tables, tokenizing and its inverse.
#include "shim_internal.h"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>
#include <pthread.h>
#include <string>

namespace {

// Several pre-tokenizers run libstdc++'s std::regex over the text, which recurses for every
// character of a match: measured, 256 to 512 bytes of stack each (gcc 12, x86-64, deepseek-coder,
// deepseek-llm, gpt-4o, tekken, falcon). A minified or base64 line of 20 kB overflows a thread's
// usual 8 MiB and ends the process. So texts are tokenized on a thread of their own whose stack
// grows with them; it is address space until it is touched.
constexpr int32_t own_stack_from = 1 << 10; // bytes of text; less fits into any thread's stack
constexpr size_t stack_per_byte = 2 << 10;
constexpr size_t stack_base = 1u << 20;

void with_stack_for(int32_t text_bytes, const std::function<void()> &f) {
	if (text_bytes < own_stack_from) {
		f();
		return;
	}
	aigw::run_with_stack(stack_base + (size_t)text_bytes * stack_per_byte, f);
}

} // namespace

void aigw::run_with_stack(size_t bytes, const std::function<void()> &f) {
	struct call {
		const std::function<void()> *f;
		std::exception_ptr thrown;
	} c = {&f, nullptr};
	pthread_attr_t attr;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, bytes);
	pthread_t thread;
	const int rc = pthread_create(
	    &thread, &attr,
	    [](void *data) -> void * {
		    auto *c = (call *)data;
		    try {
			    (*c->f)();
		    } catch (...) {
			    c->thrown = std::current_exception();
		    }
		    return nullptr;
	    },
	    &c);
	pthread_attr_destroy(&attr);
	if (rc != 0) throw std::bad_alloc(); // too little address space
	pthread_join(thread, nullptr);
	if (c.thrown) std::rethrow_exception(c.thrown);
}

int32_t aigw_vocab_read(const aigw_model *m, aigw_vocab_table *out, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		const int32_t n = llama_vocab_n_tokens(m->vocab);
		std::vector<int32_t> attr(n);
		std::vector<uint8_t> eog(n);
		std::vector<uint64_t> offset(n + 1);
		std::string bytes;
		std::vector<char> piece(256);
		for (int32_t t = 0; t < n; t++) {
			attr[t] = llama_vocab_get_attr(m->vocab, t);
			eog[t] = llama_vocab_is_eog(m->vocab, t);
			int32_t len = llama_token_to_piece(m->vocab, t, piece.data(), (int32_t)piece.size(), 0, true);
			if (len < 0) {
				piece.resize((size_t)-len);
				len = llama_token_to_piece(m->vocab, t, piece.data(), (int32_t)piece.size(), 0, true);
			}
			if (len > 0) bytes.append(piece.data(), len);
			offset[t + 1] = bytes.size();
		}
		// The widest type first keeps every array aligned.
		const size_t size = offset.size() * sizeof(uint64_t) + attr.size() * sizeof(int32_t) + eog.size() + bytes.size();
		char *block = (char *)malloc(size);
		if (!block) throw std::bad_alloc();
		char *p = block;
		auto put = [&p](const void *from, size_t len) {
			if (len > 0) memcpy(p, from, len);
			char *at = p;
			p += len;
			return at;
		};
		out->block = block;
		out->n = n;
		out->offset = (const uint64_t *)put(offset.data(), offset.size() * sizeof(uint64_t));
		out->attr = (const int32_t *)put(attr.data(), attr.size() * sizeof(int32_t));
		out->eog = (const uint8_t *)put(eog.data(), eog.size());
		out->bytes = put(bytes.data(), bytes.size());
		return AIGW_OK;
	});
}

const char *aigw_vocab_text(const aigw_model *m, int32_t token) {
	const char *text = nullptr;
	aigw::guard(nullptr, [&]() -> int32_t {
		text = llama_vocab_get_text(m->vocab, token);
		return AIGW_OK;
	});
	return text;
}

int32_t aigw_tokenize(const aigw_model *m, const char *text, int32_t len, bool add_special, bool parse_special,
                      int32_t *tokens, int32_t cap, int32_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		with_stack_for(len, [&] {
			*n = llama_tokenize(m->vocab, text, len, tokens, cap, add_special, parse_special);
		});
		return AIGW_OK;
	});
}

int32_t aigw_detokenize(const aigw_model *m, const int32_t *tokens, int32_t n_tokens, bool remove_special,
                        bool unparse_special, char *text, int32_t cap, int32_t *n, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		*n = llama_detokenize(m->vocab, tokens, n_tokens, text, cap, remove_special, unparse_special);
		return AIGW_OK;
	});
}
