// A choice between texts that is weighted.
//
// Texts are chosen token by token, and several may begin alike. Let W(s) be the largest weight of the texts that go on from s.
// A token that leads from s to st then gets W(st) - W(s) on its logit. Along the way to a text this adds up to the weight of
// that text less the largest of all, however it is cut into tokens: the odds of two texts are the model's own times e to the
// difference of their weights.
#include "shim_choice.h"

#include <algorithm>

namespace aigw {

choice_state::choice_state(const aigw_choice &c, std::shared_ptr<const vocab_pieces> p) : pieces(std::move(p)) {
	int32_t from = 0;
	for (int32_t i = 0; i < c.n; i++) {
		options.push_back({{c.chars + from, c.chars + c.ends[i]}, c.weights[i]});
		from = c.ends[i];
	}
}

bool choice_state::best(const uint32_t *begin, const uint32_t *end, float &weight) const {
	bool any = false;
	for (const option &o : options) {
		const size_t k = std::min(chosen.size(), o.text.size());
		if (!std::equal(o.text.begin(), o.text.begin() + k, chosen.begin())) continue;
		const size_t more = std::min((size_t)(end - begin), o.text.size() - k);
		if (!std::equal(begin, begin + more, o.text.begin() + k)) continue;
		weight = any ? std::max(weight, o.weight) : o.weight;
		any = true;
	}
	return any;
}

float choice_state::loss(int32_t token) const {
	if (!pieces->is_text[token]) return 0;
	const uint32_t *begin = pieces->chars.data() + pieces->offset[token], *end = pieces->chars.data() + pieces->offset[token + 1];
	if (chosen.empty()) begin = std::find_if(begin, end, [](uint32_t c) { return c != '\n'; });
	if (begin == end || std::find(next.begin(), next.end(), *begin) == next.end()) return 0;
	float weight;
	return best(begin, end, weight) ? weight - now : 0;
}

void choice_state::accept(int32_t token) {
	if (where == over || token < 0 || (size_t)token >= pieces->is_text.size()) return;
	if (!pieces->is_text[token]) {
		// Bytes of a character that is spread over tokens: there may be some in the first line, and in no option.
		if (where == choosing) where = over;
		return;
	}
	const uint32_t *begin = pieces->chars.data() + pieces->offset[token], *end = pieces->chars.data() + pieces->offset[token + 1];
	if (where == first_line) {
		begin = std::find(begin, end, '\n');
		if (begin == end) return;
		where = choosing;
	}
	if (chosen.empty()) begin = std::find_if(begin, end, [](uint32_t c) { return c != '\n'; });
	chosen.insert(chosen.end(), begin, end);
	next.clear();
	for (const option &o : options) {
		if (chosen.size() < o.text.size() && std::equal(chosen.begin(), chosen.end(), o.text.begin())) next.push_back(o.text[chosen.size()]);
	}
	if (next.size() < 2 || !best(nullptr, nullptr, now)) where = over;
}

} // namespace aigw
