// What a grammar lets follow. See shim_grammar.cpp.
#ifndef AIGW_SHIM_GRAMMAR_H
#define AIGW_SHIM_GRAMMAR_H

#include "shim_internal.h"

#include <memory>
#include <string>
#include <unordered_map>

namespace aigw {

// A character that a token ends in the middle of: its bits so far, and how many bytes it lacks.
struct partial_char {
	uint32_t bits = 0;
	int32_t lacks = 0;
};

// The pieces of a vocabulary as characters, in an order in which those that begin alike are
// neighbours. Made once a model, when its first grammar is used.
struct vocab_pieces {
	explicit vocab_pieces(const llama_vocab *vocab);

	// Token t is chars[offset[t]] to chars[offset[t + 1] - 1] and then tail[t]. Tokens that are no
	// text, and those that begin in the middle of a character, are not in order.
	std::vector<uint32_t> offset, chars;
	std::vector<partial_char> tail;
	std::vector<int32_t> order;  // tokens, sorted by their characters
	std::vector<int32_t> common; // characters that order[i] has in common with order[i - 1]
	std::vector<int8_t> is_text; // by token: it is in order
	std::unordered_map<int32_t, std::string> rests; // tokens that begin in the middle of a character
};

// The text of one generation against a grammar.
class grammar_state {
  public:
	grammar_state(const aigw_grammar &g, std::shared_ptr<const vocab_pieces> pieces, const int32_t *ends, int32_t n_ends);

	// Whether the text may go on with this token.
	bool allows(int32_t token);
	// Puts all tokens that allows() is true for into out, which has room for the vocabulary, and returns
	// their number.
	int32_t allowed(llama_token_data *out, const float *logits);
	// Goes on with a token that is allowed.
	void accept(int32_t token);
	// Whether the text may end here.
	bool complete() const;

  private:
	// A stack of what is to come: the item at its top and, below it, another stack; 0 is empty. Equal
	// stacks have one number, so a stack is compared, copied and kept as a number. Text that does not
	// nest needs no new ones.
	struct node {
		int32_t item, below;
	};
	// All stacks that the text up to here may have left, sorted; 0 is among them if it may end.
	using stacks = std::vector<int32_t>;

	int32_t push(int32_t item, int32_t below);
	void expand(int32_t stack, stacks &out);
	const stacks &behind(int32_t stack);
	bool matches(int32_t cls, uint32_t c) const;
	bool may_match(int32_t cls, partial_char p) const;
	void step(const stacks &from, uint32_t c, stacks &to);
	bool fits(const stacks &s, partial_char p) const;
	bool walk(int32_t token, stacks &to, partial_char &tail);
	bool is_end(int32_t token) const;

	std::vector<int32_t> items, sequences, rules, classes;
	std::vector<uint32_t> ranges;
	std::vector<int8_t> negated;
	std::vector<uint64_t> ascii; // two words a class
	std::shared_ptr<const vocab_pieces> pieces;
	std::vector<int32_t> ends;

	std::vector<node> nodes;
	std::unordered_map<uint64_t, int32_t> numbers; // of nodes
	std::unordered_map<int32_t, stacks> known;     // results of behind()
	int64_t most_work = 0, fuel = 0;
	bool lost = false; // a bound was met: nothing is allowed any more

	stacks now;
	partial_char pending;
	int32_t checked = -1; // the token that walked and walked_tail are for
	stacks walked;
	partial_char walked_tail;
	std::vector<stacks> depth; // scratch of allowed()
};

} // namespace aigw

#endif
