// Choosing the next token from a row of logits.
#include "shim_choice.h"

#include <algorithm>
#include <cmath>
#include <deque>
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

// What a draw was like, for those who ask.
struct draw {
	int32_t token = LLAMA_TOKEN_NULL;
	float logprob = 0;
	std::vector<llama_token_data> best; // p is the log probability
};

} // namespace

struct aigw_sampler {
	aigw_sampler_options options;
	int32_t n_vocab;
	bool greedy;
	recent_tokens recent;
	std::vector<float> original; // logits before the penalty, one for each recent token
	recent_tokens counted;       // for the penalties of frequency and presence
	std::vector<std::pair<int32_t, float>> bias;
	std::vector<float> unbiased, uncounted; // logits before both, one for each token in them
	std::deque<draw> draws;                 // not taken yet
	// The grammar is asked about the token that the others choose, and searches the vocabulary only when
	// it rejects that one.
	std::unique_ptr<aigw::grammar_state> grammar;
	std::unique_ptr<aigw::choice_state> choice; // only with a grammar
	sampler_ptr top_p, min_p, temperature, dist; // those that do something

	aigw_sampler(int32_t n_vocab, const aigw_sampler_options &o)
	    : options(o), n_vocab(n_vocab), greedy(o.temperature < greedy_below),
	      recent(o.repeat_penalty == 1.0f ? 0 : o.repeat_last_n),
	      counted(o.frequency_penalty == 0 && o.presence_penalty == 0 ? 0 : o.n_counted) {
		original.reserve(recent.entries().capacity());
		uncounted.reserve(counted.entries().capacity());
		for (int32_t i = 0; i < o.n_bias; i++) bias.emplace_back(o.bias_tokens[i], o.bias[i]);
		unbiased.reserve(bias.size());
		options.bias_tokens = nullptr; // the caller's
		options.bias = nullptr;
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

// biased adds to the logits of tokens that the caller names while it lives.
class biased {
  public:
	biased(aigw_sampler *s, float *logits) : s(s), logits(logits) {
		s->unbiased.clear();
		for (const auto &[token, add] : s->bias) {
			s->unbiased.push_back(logits[token]);
			logits[token] += add;
		}
	}
	~biased() {
		size_t i = s->bias.size(); // from the end: a token may be named twice
		while (i-- > 0) logits[s->bias[i].first] = s->unbiased[i];
	}
	biased(const biased &) = delete;
	biased &operator=(const biased &) = delete;

  private:
	aigw_sampler *s;
	float *logits;
};

// counted lowers the logits of tokens that were drawn while it lives: by the penalty of frequency as often as
// they were, and once by that of presence.
class counted {
  public:
	counted(aigw_sampler *s, float *logits) : s(s), logits(logits) {
		s->uncounted.clear();
		for (const auto &e : s->counted.entries()) {
			float &v = logits[e.token];
			s->uncounted.push_back(v);
			v -= (float)e.count * s->options.frequency_penalty + s->options.presence_penalty;
		}
	}
	~counted() {
		size_t i = 0;
		for (const auto &e : s->counted.entries()) logits[e.token] = s->uncounted[i++];
	}
	counted(const counted &) = delete;
	counted &operator=(const counted &) = delete;

  private:
	aigw_sampler *s;
	float *logits;
};

// describe notes what is known of a draw before it: the logarithm of what all tokens' odds add up to, and
// the most probable ones. The distribution is the model's, before penalties, filters and temperature.
float describe(const aigw_sampler *s, const float *logits, float max, draw *d) {
	double sum = 0;
	for (int32_t i = 0; i < s->n_vocab; i++) sum += std::exp(logits[i] - max);
	const float all = max + (float)std::log(sum);
	const int32_t k = std::min(s->options.logprobs - 1, s->n_vocab);
	d->best.resize(k);
	if (k > 0) best_k(logits, s->n_vocab, k, d->best.data());
	for (llama_token_data &b : d->best) b.p = b.logit - all;
	return all;
}

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
	draw drawn;
	float all = 0;
	if (s->options.logprobs > 0) all = describe(s, logits, row.max, &drawn);
	{
		biased added(s, logits);
		penalized scope(s, logits);
		counted taken(s, logits);
		weighted leaning(s, logits);
		if (s->greedy) {
			if (!s->bias.empty() || !s->recent.entries().empty() || !s->counted.entries().empty() || leaning.changed()) row = summarize(logits, n);
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
	if (s->options.logprobs > 0) {
		drawn.token = *token;
		drawn.logprob = logits[*token] - all;
		s->draws.push_back(std::move(drawn));
	}
	s->recent.accept(*token);
	s->counted.accept(*token);
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

int32_t aigw_sampler_take(aigw_sampler *s, int32_t *token, float *logprob, int32_t *tokens, float *logprobs) {
	if (s->draws.empty()) return -1;
	const draw &d = s->draws.front();
	*token = d.token;
	*logprob = d.logprob;
	for (size_t i = 0; i < d.best.size(); i++) {
		tokens[i] = d.best[i].id;
		logprobs[i] = d.best[i].p;
	}
	const int32_t n = (int32_t)d.best.size();
	s->draws.pop_front();
	return n;
}

int32_t aigw_sampler_draw(aigw_sampler *s, const float *logits, int32_t *token, int8_t *row, aigw_error *err) {
	return aigw::guard(err, [&]() -> int32_t {
		std::vector<float> copy(logits, logits + s->n_vocab);
		std::vector<llama_token_data> candidates(s->n_vocab);
		*row = aigw::sample(s, copy.data(), candidates.data(), token);
		return AIGW_OK;
	});
}
