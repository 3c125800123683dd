// A grammar over the characters of tokens.
//
// The rules are run as a push-down automaton that follows all derivations at once, as llama.cpp's
// own grammar does. Its sampler is not used: it aborts the process when a token that it did not allow
// is accepted, takes the spelling of control tokens for text, knows other ends than the family's, and
// neither its time nor its memory is bounded. Here every bound that is met makes the text end.
#include "shim_grammar.h"

#include <algorithm>
#include <climits>
#include <string>

namespace aigw {

namespace {

constexpr int32_t end_of_sequence = INT32_MIN; // grammar.go

// Bounds of one generation: about 20 MB for the stacks, and some tenths of a second for one search.
constexpr size_t most_nodes = 1 << 18;
constexpr size_t most_stacks = 1 << 12;
constexpr int64_t work_per_char = 32; // stacks looked at in one search, for each character of the vocabulary

// How many bytes a character has, by its first one; 0 if no character begins so.
int32_t utf8_length(uint8_t first) {
	if (first < 0x80) return 1;
	if (first < 0xC2) return 0;
	if (first < 0xE0) return 2;
	if (first < 0xF0) return 3;
	return first < 0xF5 ? 4 : 0;
}

// decode appends the characters of bytes, which goes on from p, to out and leaves in p what lacks at
// the end. False: that is no UTF-8.
bool decode(const char *bytes, size_t n, std::vector<uint32_t> &out, partial_char &p) {
	for (size_t i = 0; i < n; i++) {
		const auto b = (uint8_t)bytes[i];
		if (p.lacks > 0) {
			if ((b & 0xC0) != 0x80) return false;
			p.bits = p.bits << 6 | (b & 0x3F);
			p.lacks--;
		} else {
			const int32_t len = utf8_length(b);
			if (len == 0) return false;
			p.bits = len == 1 ? b : b & (0x7F >> len);
			p.lacks = len - 1;
		}
		if (p.lacks == 0) {
			out.push_back(p.bits);
			p = {};
		}
	}
	return true;
}

} // namespace

vocab_pieces::vocab_pieces(const llama_vocab *vocab) {
	const int32_t n = llama_vocab_n_tokens(vocab);
	offset.assign((size_t)n + 1, 0);
	tail.resize(n);
	is_text.assign(n, 0);
	std::vector<char> piece(256);
	constexpr int32_t no_text = LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_UNKNOWN | LLAMA_TOKEN_ATTR_UNUSED;
	for (int32_t t = 0; t < n; t++) {
		int32_t len = 0;
		if (!(llama_vocab_get_attr(vocab, t) & no_text) && !llama_vocab_is_eog(vocab, t)) {
			len = llama_token_to_piece(vocab, t, piece.data(), (int32_t)piece.size(), 0, true);
			if (len < 0) {
				piece.resize((size_t)-len);
				len = llama_token_to_piece(vocab, t, piece.data(), (int32_t)piece.size(), 0, true);
			}
		}
		if (len > 0 && ((uint8_t)piece[0] & 0xC0) == 0x80) {
			rests.emplace(t, std::string(piece.data(), len));
		} else if (len > 0) {
			const size_t from = chars.size();
			is_text[t] = decode(piece.data(), len, chars, tail[t]);
			if (is_text[t]) {
				order.push_back(t);
			} else {
				chars.resize(from);
			}
		}
		offset[t + 1] = (uint32_t)chars.size();
	}
	const uint32_t *c = chars.data();
	std::sort(order.begin(), order.end(), [this, c](int32_t a, int32_t b) {
		return std::lexicographical_compare(c + offset[a], c + offset[a + 1], c + offset[b], c + offset[b + 1]);
	});
	common.assign(order.size(), 0);
	for (size_t i = 1; i < order.size(); i++) {
		const uint32_t a = offset[order[i - 1]], b = offset[order[i]];
		const uint32_t most = std::min(offset[order[i - 1] + 1] - a, offset[order[i] + 1] - b);
		uint32_t k = 0;
		while (k < most && chars[a + k] == chars[b + k]) k++;
		common[i] = (int32_t)k;
	}
}

grammar_state::grammar_state(const aigw_grammar &g, std::shared_ptr<const vocab_pieces> p, const int32_t *e, int32_t n_ends)
    : items(g.items, g.items + g.n_items), sequences(g.sequences, g.sequences + g.n_sequences),
      rules(g.rules, g.rules + g.n_rules + 1), classes(g.classes, g.classes + g.n_classes + 1),
      ranges(g.ranges, g.ranges + g.n_ranges), negated(g.negated, g.negated + g.n_classes), pieces(std::move(p)),
      ends(e, e + n_ends) {
	ascii.assign(2 * (size_t)g.n_classes, 0);
	for (int32_t c = 0; c < g.n_classes; c++) {
		for (int32_t r = classes[c]; r < classes[c + 1]; r++) {
			for (uint32_t v = ranges[2 * r]; v <= ranges[2 * r + 1] && v < 128; v++) ascii[2 * c + v / 64] |= 1ull << v % 64;
		}
		if (negated[c]) ascii[2 * c] = ~ascii[2 * c], ascii[2 * c + 1] = ~ascii[2 * c + 1];
	}
	most_work = work_per_char * (int64_t)(pieces->chars.size() + 1024);
	fuel = most_work;
	nodes.push_back({-1, -1}); // the empty stack
	for (int32_t s = rules[g.root]; s < rules[g.root + 1]; s++) expand(push(sequences[s], 0), now);
	std::sort(now.begin(), now.end());
	now.erase(std::unique(now.begin(), now.end()), now.end());
}

int32_t grammar_state::push(int32_t item, int32_t below) {
	if (items[item] == end_of_sequence) return below; // so tail calls need no room
	auto [it, inserted] = numbers.try_emplace((uint64_t)item << 32 | (uint32_t)below, (int32_t)nodes.size());
	if (inserted) {
		if (nodes.size() >= most_nodes) lost = true;
		nodes.push_back({item, below});
	}
	return it->second;
}

// expand appends the stacks that have a class on top, or are empty, and that stack derives without a
// character. ParseGrammar has made sure that there are finitely many.
void grammar_state::expand(int32_t stack, stacks &out) {
	stacks todo = {stack};
	for (size_t work = 0; !todo.empty() && !lost; work++) {
		if (work > 16 * most_stacks) lost = true;
		const int32_t top = todo.back();
		todo.pop_back();
		if (top == 0 || items[nodes[top].item] >= 0) {
			if (std::find(out.begin(), out.end(), top) == out.end()) out.push_back(top);
			if (out.size() > most_stacks) lost = true;
			continue;
		}
		const node n = nodes[top];
		const int32_t rule = -1 - items[n.item];
		const int32_t rest = push(n.item + 1, n.below);
		for (int32_t s = rules[rule]; s < rules[rule + 1]; s++) todo.push_back(push(sequences[s], rest));
	}
}

// behind is what may be left of a stack once the class on its top has been matched.
const grammar_state::stacks &grammar_state::behind(int32_t stack) {
	auto it = known.find(stack);
	if (it == known.end()) {
		stacks out;
		expand(push(nodes[stack].item + 1, nodes[stack].below), out);
		it = known.emplace(stack, std::move(out)).first;
	}
	return it->second;
}

bool grammar_state::matches(int32_t cls, uint32_t c) const {
	if (c < 128) return ascii[2 * cls + c / 64] >> c % 64 & 1;
	bool in = false;
	for (int32_t r = classes[cls]; r < classes[cls + 1] && !in; r++) in = ranges[2 * r] <= c && c <= ranges[2 * r + 1];
	return in != (bool)negated[cls];
}

// may_match: some character that begins as p does is in the class.
bool grammar_state::may_match(int32_t cls, partial_char p) const {
	uint32_t low = p.bits << (6 * p.lacks), high = low | ((1u << (6 * p.lacks)) - 1);
	if (low < 0x800 && p.lacks == 2) low = 0x800; // shorter ones would have been written shorter
	if (low < 0x10000 && p.lacks == 3) low = 0x10000;
	if (!negated[cls]) {
		for (int32_t r = classes[cls]; r < classes[cls + 1]; r++) {
			if (ranges[2 * r] <= high && low <= ranges[2 * r + 1]) return true;
		}
		return false;
	}
	for (int32_t r = classes[cls]; r < classes[cls + 1]; r++) { // is one range all of them?
		if (ranges[2 * r] <= low && high <= ranges[2 * r + 1]) return false;
	}
	return true;
}

void grammar_state::step(const stacks &from, uint32_t c, stacks &to) {
	to.clear();
	int matched = 0;
	for (const int32_t s : from) {
		if (s == 0 || !matches(items[nodes[s].item], c)) continue;
		const stacks &next = behind(s);
		to.insert(to.end(), next.begin(), next.end());
		matched++;
	}
	fuel -= 1 + (int64_t)from.size() + (int64_t)to.size();
	if (matched > 1) {
		std::sort(to.begin(), to.end());
		to.erase(std::unique(to.begin(), to.end()), to.end());
	}
	if (to.size() > most_stacks || fuel < 0) lost = true;
	if (lost) to.clear();
}

bool grammar_state::fits(const stacks &s, partial_char p) const {
	if (p.lacks == 0) return !s.empty();
	return std::any_of(s.begin(), s.end(), [&](int32_t n) { return n != 0 && may_match(items[nodes[n].item], p); });
}

bool grammar_state::is_end(int32_t token) const { return std::find(ends.begin(), ends.end(), token) != ends.end(); }

// walk follows the text that ends in a token, from now.
bool grammar_state::walk(int32_t token, stacks &to, partial_char &tail) {
	std::vector<uint32_t> rest;
	const uint32_t *from, *until;
	if (pending.lacks > 0) {
		auto it = pieces->rests.find(token);
		if (it == pieces->rests.end()) return false;
		tail = pending;
		if (!decode(it->second.data(), it->second.size(), rest, tail)) return false;
		from = rest.data(), until = from + rest.size();
	} else {
		if (!pieces->is_text[token]) return false;
		from = pieces->chars.data() + pieces->offset[token], until = pieces->chars.data() + pieces->offset[token + 1];
		tail = pieces->tail[token];
	}
	to = now;
	stacks next;
	for (; from != until && !to.empty(); from++) {
		step(to, *from, next);
		to.swap(next);
	}
	return fits(to, tail);
}

bool grammar_state::complete() const { return !lost && pending.lacks == 0 && !now.empty() && now[0] == 0; }

bool grammar_state::allows(int32_t token) {
	if (lost || token < 0 || (size_t)token >= pieces->is_text.size()) return false;
	if (is_end(token)) return complete();
	fuel = most_work;
	checked = -1;
	if (!walk(token, walked, walked_tail)) return false;
	checked = token;
	return true;
}

int32_t grammar_state::allowed(llama_token_data *out, const float *logits) {
	int32_t n = 0;
	auto add = [&](int32_t token) { out[n++] = {token, logits[token], 0.0f}; };
	if (lost) return 0;
	fuel = most_work;
	if (complete()) {
		for (const int32_t t : ends) {
			if (t >= 0 && (size_t)t < pieces->is_text.size()) add(t);
		}
	}
	if (pending.lacks > 0) {
		for (const auto &entry : pieces->rests) {
			if (!is_end(entry.first) && walk(entry.first, walked, walked_tail)) add(entry.first);
		}
		// A hash's order must not decide between equal logits.
		std::sort(out, out + n, [](const llama_token_data &a, const llama_token_data &b) { return a.id < b.id; });
		return lost ? 0 : n;
	}
	// depth[k] is what the first k characters of the token at hand leave. Tokens that share a beginning
	// with the one before share its stacks, and its end if that beginning is none.
	const vocab_pieces &v = *pieces;
	if (depth.empty()) depth.resize(1);
	depth[0] = now;
	int32_t dead = INT32_MAX; // length of the last beginning that led nowhere
	for (size_t i = 0; i < v.order.size() && !lost; i++) {
		if (v.common[i] >= dead) continue;
		dead = INT32_MAX;
		const int32_t t = v.order[i];
		const uint32_t *c = v.chars.data() + v.offset[t];
		const auto len = (int32_t)(v.offset[t + 1] - v.offset[t]);
		if ((size_t)len >= depth.size()) depth.resize((size_t)len + 1);
		for (int32_t k = v.common[i]; k < len; k++) {
			step(depth[k], c[k], depth[k + 1]);
			if (depth[k + 1].empty()) {
				dead = k + 1;
				break;
			}
		}
		if (dead == INT32_MAX && fits(depth[len], v.tail[t]) && !is_end(t)) add(t);
	}
	return lost ? 0 : n;
}

void grammar_state::accept(int32_t token) {
	if (is_end(token)) return;
	if (checked != token && !allows(token)) {
		lost = true;
		return;
	}
	now.swap(walked);
	pending = walked_tail;
	checked = -1;
}

} // namespace aigw
