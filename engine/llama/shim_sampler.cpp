// Choosing the next token from a row of logits.
#include "shim_choice.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace {

struct free_sampler {
	void operator()(llama_sampler *s) const { llama_sampler_free(s); }
};
using sampler_ptr = std::unique_ptr<llama_sampler, free_sampler>;

// Below this temperature the most probable token is taken: a lead of 0.01 in the logits is then
// a factor of e^100, and dividing by still less would overflow.
constexpr float greedy_below = 1e-4f;

// The last tokens of one generation, with their distinct values sorted so that a penalty touches
// each once. Both are allocated at their full size: accepting a token moves at most that much.
class recent_tokens {
  public:
	explicit recent_tokens(int32_t limit) : limit(limit) {
		ring.reserve(limit);
		distinct.reserve((size_t)limit + 1);
	}
	void accept(int32_t token) {
		if (limit == 0) return;
		if ((int32_t)ring.size() < limit) {
			ring.push_back(token);
		} else {
			remove(ring[next]);
			ring[next] = token;
			next = (next + 1) % limit;
		}
		auto it = find(token);
		if (it != distinct.end() && it->token == token) {
			it->count++;
		} else {
			distinct.insert(it, {token, 1});
		}
	}
	struct entry {
		int32_t token, count;
	};
	const std::vector<entry> &entries() const { return distinct; }

  private:
	std::vector<entry>::iterator find(int32_t token) {
		return std::lower_bound(distinct.begin(), distinct.end(), token,
		                        [](const entry &e, int32_t t) { return e.token < t; });
	}
	void remove(int32_t token) {
		auto it = find(token);
		if (--it->count == 0) distinct.erase(it);
	}
	int32_t limit;
	int32_t next = 0;
	std::vector<int32_t> ring;
	std::vector<entry> distinct;
};

} // namespace

struct aigw_sampler {
	aigw_sampler_options options;
	int32_t n_vocab;
	bool greedy;
	recent_tokens recent;
	std::vector<float> original; // logits before the penalty, one for each recent token
	// The grammar is asked about the token that the others choose, and searches the vocabulary only when
	// it rejects that one.
	std::unique_ptr<aigw::grammar_state> grammar;
	std::unique_ptr<aigw::choice_state> choice; // only with a grammar
	sampler_ptr top_p, min_p, temperature, dist; // those that do something

	aigw_sampler(int32_t n_vocab, const aigw_sampler_options &o)
	    : options(o), n_vocab(n_vocab), greedy(o.temperature < greedy_below),
	      recent(o.repeat_penalty == 1.0f ? 0 : o.repeat_last_n) {
		original.reserve(recent.entries().capacity());
		if (greedy) return;
		if (o.top_p < 1.0f) top_p.reset(llama_sampler_init_top_p(o.top_p, 1));
		if (o.min_p > 0.0f) min_p.reset(llama_sampler_init_min_p(o.min_p, 1));
		temperature.reset(llama_sampler_init_temp(o.temperature));
		dist.reset(llama_sampler_init_dist(o.seed));
	}
};

namespace {

struct row_summary {
	float max = -std::numeric_limits<float>::infinity();
	int32_t argmax = 0; // the lowest id among equals, as llama.cpp's greedy sampler
	bool nan = false;
};

// summarize reads a row once, in blocks that a compiler turns into vector instructions, and looks
// for the place of the maximum only in the block that has it.
row_summary summarize(const float *x, int32_t n) {
	constexpr int32_t lanes = 16, block = 1024;
	row_summary r;
	int32_t best_block = 0;
	bool any = false;
	for (int32_t b = 0; b < n; b += block) {
		const int32_t len = std::min(block, n - b);
		const float *p = x + b;
		float max[lanes];
		int32_t nan[lanes];
		for (int32_t l = 0; l < lanes; l++) {
			max[l] = r.max;
			nan[l] = 0;
		}
		int32_t i = 0;
		for (; i + lanes <= len; i += lanes) {
			for (int32_t l = 0; l < lanes; l++) {
				const float v = p[i + l];
				max[l] = v > max[l] ? v : max[l];
				nan[l] |= v != v;
			}
		}
		for (; i < len; i++) {
			const float v = p[i];
			max[0] = v > max[0] ? v : max[0];
			nan[0] |= v != v;
		}
		for (int32_t l = 0; l < lanes; l++) {
			if (max[l] > r.max) {
				r.max = max[l];
				best_block = b;
				any = true;
			}
			r.nan = r.nan || nan[l] != 0;
		}
	}
	if (any) {
		r.argmax = best_block;
		while (x[r.argmax] != r.max) r.argmax++;
	}
	return r;
}

// best_k puts the k largest logits, largest first and lower ids first among equals, into out.
// It reads the row once and writes only what it keeps: filling llama.cpp's candidate array with
// the whole vocabulary first takes several times as long.
void best_k(const float *x, int32_t n, int32_t k, llama_token_data *out) {
	auto better = [](const llama_token_data &a, const llama_token_data &b) {
		return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
	};
	llama_token_data *const end = out + k;
	for (int32_t i = 0; i < k; i++) out[i] = {i, x[i], 0.0f};
	std::make_heap(out, end, better); // the worst of the kept is in front
	float worst = out->logit;
	constexpr int32_t block = 32;
	for (int32_t i = k; i < n; i += block) {
		const int32_t len = std::min(block, n - i);
		bool any = false;
		for (int32_t j = 0; j < len; j++) any |= x[i + j] > worst;
		if (!any) continue;
		for (int32_t j = i; j < i + len; j++) {
			if (!(x[j] > worst)) continue; // an equal one has a higher id than those kept
			std::pop_heap(out, end, better);
			end[-1] = {j, x[j], 0.0f};
			std::push_heap(out, end, better);
			worst = out->logit;
		}
	}
	std::sort(out, end, better);
}

// How many of the best tokens are tried for top-p. Text of a trained model rarely needs more than
// some dozens; where it does, llama.cpp's own filter takes over, which sorts the vocabulary.
constexpr int32_t top_p_tries = 256;

// best_p puts the fewest tokens that together have probability p into out, largest first, and returns
// how many these are; 0 if top_p_tries are too few. max is the largest logit.
int32_t best_p(const float *x, int32_t n, float p, float max, llama_token_data *out) {
	const int32_t k = std::min(n, top_p_tries);
	best_k(x, n, k, out);
	double all = 0;
	for (int32_t i = 0; i < n; i++) all += std::exp(x[i] - max);
	double sum = 0;
	for (int32_t i = 0; i < k; i++) {
		sum += std::exp(out[i].logit - max);
		if (sum >= p * all) return i + 1;
	}
	return 0;
}

// candidates_of fills the array that llama.cpp's samplers work on, and does the filters that need
// not see the whole vocabulary.
llama_token_data_array candidates_of(const aigw_sampler *s, const float *logits, llama_token_data *out) {
	const int32_t n = s->n_vocab, k = s->options.top_k;
	llama_token_data_array array = {out, (size_t)n, -1, false};
	if (k > 0 && k < n) {
		best_k(logits, n, k, out);
		array.size = k;
		array.sorted = true;
		if (s->top_p) llama_sampler_apply(s->top_p.get(), &array);
		return array;
	}
	if (s->top_p) {
		if (const int32_t kept = best_p(logits, n, s->options.top_p, summarize(logits, n).max, out)) {
			array.size = kept;
			array.sorted = true;
			return array;
		}
	}
	for (int32_t i = 0; i < n; i++) out[i] = {i, logits[i], 0.0f};
	if (s->top_p) llama_sampler_apply(s->top_p.get(), &array);
	return array;
}

// choose draws from candidates by those filters that do something.
int32_t choose(aigw_sampler *s, llama_token_data_array &array, bool top_p) {
	for (llama_sampler *f : {top_p ? s->top_p.get() : nullptr, s->min_p.get(), s->temperature.get(), s->dist.get()}) {
		if (f) llama_sampler_apply(f, &array);
	}
	if (array.selected < 0 || (size_t)array.selected >= array.size) return LLAMA_TOKEN_NULL;
	return array.data[array.selected].id;
}

// by_grammar draws from the tokens that the grammar lets follow: the same filters, over a smaller
// vocabulary.
int8_t by_grammar(aigw_sampler *s, const float *logits, llama_token_data *candidates, int32_t *token) {
	int32_t n = s->grammar->allowed(candidates, logits);
	n = (int32_t)(std::remove_if(candidates, candidates + n, [](const llama_token_data &d) { return std::isinf(d.logit); }) - candidates);
	if (n == 0) return s->grammar->complete() ? AIGW_ROW_COMPLETE : AIGW_ROW_STUCK;
	auto better = [](const llama_token_data &a, const llama_token_data &b) {
		return a.logit > b.logit || (a.logit == b.logit && a.id < b.id);
	};
	if (s->greedy) {
		*token = std::min_element(candidates, candidates + n, better)->id;
		return AIGW_ROW_DRAWN;
	}
	llama_token_data_array array = {candidates, (size_t)n, -1, false};
	if (const int32_t k = s->options.top_k; k > 0 && k < n) {
		std::partial_sort(candidates, candidates + k, candidates + n, better);
		array.size = k;
		array.sorted = true;
	}
	*token = choose(s, array, true);
	return *token == LLAMA_TOKEN_NULL ? AIGW_ROW_BAD : AIGW_ROW_DRAWN;
}

// penalized lowers the logits of recent tokens while it lives (the rule of llama.cpp's penalty
// sampler: a positive logit is divided, another one multiplied).
class penalized {
  public:
	penalized(aigw_sampler *s, float *logits) : s(s), logits(logits) {
		s->original.clear();
		for (const auto &e : s->recent.entries()) {
			float &v = logits[e.token];
			s->original.push_back(v);
			v = v <= 0 ? v * s->options.repeat_penalty : v / s->options.repeat_penalty;
		}
	}
	~penalized() {
		size_t i = 0;
		for (const auto &e : s->recent.entries()) logits[e.token] = s->original[i++];
	}
	penalized(const penalized &) = delete;
	penalized &operator=(const penalized &) = delete;

  private:
	aigw_sampler *s;
	float *logits;
};

// weighted lowers the logits of tokens that lead to texts of less weight while it lives.
class weighted {
  public:
	weighted(aigw_sampler *s, float *logits) : logits(logits) {
		if (!s->choice || !s->choice->open()) return;
		for (int32_t t = 0; t < s->n_vocab; t++) {
			const float loss = s->choice->loss(t);
			if (loss == 0) continue;
			original.push_back({t, logits[t]});
			logits[t] += loss;
		}
	}
	~weighted() {
		for (const auto &[token, logit] : original) logits[token] = logit;
	}
	weighted(const weighted &) = delete;
	weighted &operator=(const weighted &) = delete;
	bool changed() const { return !original.empty(); }

  private:
	float *logits;
	std::vector<std::pair<int32_t, float>> original;
};

} // namespace

namespace aigw {

int8_t sample(aigw_sampler *s, float *logits, llama_token_data *candidates, int32_t *token) {
	const int32_t n = s->n_vocab;
	row_summary row = summarize(logits, n);
	if (row.nan || std::isinf(row.max)) return AIGW_ROW_BAD;
	{
		penalized scope(s, logits);
		weighted leaning(s, logits);
		if (s->greedy) {
			if (!s->recent.entries().empty() || leaning.changed()) row = summarize(logits, n);
			*token = row.argmax;
		} else {
			llama_token_data_array array = candidates_of(s, logits, candidates);
			*token = choose(s, array, false);
			if (*token == LLAMA_TOKEN_NULL) return AIGW_ROW_BAD;
		}
		if (s->grammar && !s->grammar->allows(*token)) {
			*token = LLAMA_TOKEN_NULL;
			const int8_t state = by_grammar(s, logits, candidates, token);
			if (state != AIGW_ROW_DRAWN) return state;
		}
	}
	s->recent.accept(*token);
	if (s->grammar) s->grammar->accept(*token);
	if (s->choice) s->choice->accept(*token);
	return AIGW_ROW_DRAWN;
}

} // namespace aigw

int32_t aigw_sampler_new(int32_t n_vocab, const aigw_sampler_options *o, aigw_model *m, const aigw_grammar *g,
                         const int32_t *ends, int32_t n_ends, const aigw_choice *choice, aigw_sampler **out,
                         aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::unique_ptr<aigw_sampler> s(new aigw_sampler(n_vocab, *o));
		if (g) {
			std::call_once(m->pieces_made, [m] { m->pieces = std::make_shared<const aigw::vocab_pieces>(m->vocab); });
			s->grammar.reset(new aigw::grammar_state(*g, m->pieces, ends, n_ends));
			if (choice && choice->n > 0) s->choice.reset(new aigw::choice_state(*choice, m->pieces));
		}
		*out = s.release();
		aigw::live.samplers++;
		return AIGW_OK;
	});
}

void aigw_sampler_free(aigw_sampler *s) {
	if (!s) return;
	delete s;
	aigw::live.samplers--;
}

void aigw_sampler_accept(aigw_sampler *s, const int32_t *tokens, int32_t n) {
	for (int32_t i = 0; i < n; i++) s->recent.accept(tokens[i]);
}

int32_t aigw_sampler_draw(aigw_sampler *s, const float *logits, int32_t *token, int8_t *row, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::vector<float> copy(logits, logits + s->n_vocab);
		std::vector<llama_token_data> candidates(s->n_vocab);
		*row = aigw::sample(s, copy.data(), candidates.data(), token);
		return AIGW_OK;
	});
}
