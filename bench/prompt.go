package main

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// Prompts are the beginning of a long table in a Python file and stop inside a row. A table goes
// on: a model that has seen ten rows writes the next ones and does not end its answer, which the
// wire format of GitLab could not forbid. Each prompt has another first line, so nothing of one
// serves another.

// rowStart is how a row begins, and how a prompt ends.
const rowStart = "    \""

// tableOf is the text of prompt number n, of at least characters characters. Equal numbers give
// equal texts.
func tableOf(n, characters int) (first, rows string) {
	random := rand.New(rand.NewPCG(uint64(n), 0))
	pick := func(words string) string {
		all := strings.Fields(words)
		return all[random.IntN(len(all))]
	}
	// The first token differs too: a common head of a few tokens would already be reuse.
	name := fnv.New32a()
	fmt.Fprintf(name, "prompt %d", n)
	first = fmt.Sprintf("%08x = \"limits of service %d\"\n", name.Sum32(), n)
	var b strings.Builder
	b.WriteString("LIMITS = {\n")
	for b.Len() < characters {
		fmt.Fprintf(&b, "%s%s_%s_%s\": Limit(value=%d, unit=\"%s\", owner=\"%s\"),\n", rowStart,
			pick("read write list delete import export merge search archive restore"),
			pick("project issue pipeline runner package commit branch release user group"),
			pick("rate size count depth age burst"),
			random.IntN(1000), pick("bytes requests seconds items"),
			pick("platform security delivery growth support"))
	}
	return first, b.String() + rowStart
}

// longestToken is a guess, in characters, of the most that one token of such a text covers.
const longestToken = 16

// fitPrompt returns prompt number n with exactly tokens tokens as count counts them. What is
// too much is cut behind the first line.
func fitPrompt(ctx context.Context, count func(ctx context.Context, text string) (int, error), n, tokens int) (string, error) {
	first, rows := tableOf(n, tokens*longestToken)
	return fitText(ctx, count, n, first, rows, tokens)
}

// fitTail is the same with a first line of four characters, for what follows a head that others have, too: it may be a few tokens long.
func fitTail(ctx context.Context, count func(ctx context.Context, text string) (int, error), n, tokens int) (string, error) {
	first, rows := tableOf(n, tokens*longestToken)
	return fitText(ctx, count, n, first[:4]+"\n", rows, tokens)
}

func fitText(ctx context.Context, count func(ctx context.Context, text string) (int, error), n int, first, rows string, tokens int) (string, error) {
	cut := func(from int) string { return first + rows[from:] }
	// The count falls, nearly always by at most one a character, while more is cut.
	low, high := 0, len(rows)
	for low < high {
		middle := (low + high) / 2
		got, err := count(ctx, cut(middle))
		switch {
		case err != nil:
			return "", fmt.Errorf("count a prompt's tokens: %w", err)
		case got == tokens:
			return cut(middle), nil
		case got > tokens:
			low = middle + 1
		default:
			high = middle
		}
	}
	// A cut through a token may add one, so the search can miss what lies beside its end.
	for from := max(0, low-longestToken); from <= min(len(rows), low+longestToken); from++ {
		got, err := count(ctx, cut(from))
		if err != nil {
			return "", fmt.Errorf("count a prompt's tokens: %w", err)
		}
		if got == tokens {
			return cut(from), nil
		}
	}
	return "", fmt.Errorf("prompt %d: %w %d tokens; the vocabulary joins this text differently than expected", n, errCannotCut, tokens)
}

// errCannotCut is a text that no cut gives the wanted number of tokens. Another text will do.
var errCannotCut = errors.New("it cannot be cut to exactly")
