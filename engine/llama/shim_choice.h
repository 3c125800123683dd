// A choice between texts that is weighted. See shim_choice.cpp.
#ifndef AIGW_SHIM_CHOICE_H
#define AIGW_SHIM_CHOICE_H

#include "shim_grammar.h"

#include <vector>

namespace aigw {

// The text of one generation against the texts that it may choose between behind its first line.
class choice_state {
  public:
	choice_state(const aigw_choice &c, std::shared_ptr<const vocab_pieces> pieces);

	// Whether the next token may decide between texts of different weight.
	bool open() const { return where == choosing; }
	// What the logit of a token loses here: 0 or less. Tokens that go on with none of the texts lose nothing; whether
	// they may follow at all is the grammar's to say.
	float loss(int32_t token) const;
	// Goes on with a token.
	void accept(int32_t token);

  private:
	struct option {
		std::vector<uint32_t> text;
		float weight;
	};
	// best is the largest weight of the options that begin with, or are the beginning of, what stands in chosen and then in
	// the characters from begin to end; false: there are none.
	bool best(const uint32_t *begin, const uint32_t *end, float &weight) const;

	std::vector<option> options;
	std::shared_ptr<const vocab_pieces> pieces;
	enum { first_line, choosing, over } where = first_line;
	std::vector<uint32_t> chosen; // behind the first line and the empty ones that follow it
	float now = 0;                // best() of chosen
	std::vector<uint32_t> next;   // characters with which options go on from chosen: few tokens of a vocabulary begin so
};

} // namespace aigw

#endif
