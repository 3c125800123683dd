package search

import (
	"strings"
	"unicode/utf8"

	index "github.com/blevesearch/bleve_index_api"
)

// maxSlips is for how many unknown words of one question near spellings are looked for, as each
// takes a walk through the dictionary. A question of more is no slip.
const maxSlips = 20

// nearby returns the words of the index that a word, which is not in it, may be a slip of: those
// within one edit, the most frequent first. Short words and numbers have too many neighbours.
func (x *Index) nearby(term string, w *weights) []weighted {
	const most = 2
	if utf8.RuneCountInString(term) < 4 || strings.ContainsAny(term, "0123456789 _.:/@+") {
		return nil
	}
	fuzzy, ok := x.reader.(index.IndexReaderFuzzy)
	if !ok {
		return nil
	}
	_, first := utf8.DecodeRuneInString(term)
	type candidate struct {
		term  string
		count uint64
	}
	var best []candidate
	for _, field := range []string{fieldBody, fieldHeadings} {
		// People hit the first letter right, and a prefix makes the walk through the words short.
		dict, err := fuzzy.FieldDictFuzzy(field, term, 1, term[:first])
		if err != nil {
			continue
		}
		for {
			entry, err := dict.Next()
			if err != nil || entry == nil {
				break
			}
			best = append(best, candidate{entry.Term, entry.Count})
		}
		_ = dict.Close()
		if len(best) > 0 {
			break
		}
	}
	var out []weighted
	for range most {
		at := -1
		for i, c := range best {
			if c.count > 0 && (at < 0 || c.count > best[at].count) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		out = append(out, weighted{best[at].term, w.Typo})
		best[at].count = 0
	}
	return out
}
