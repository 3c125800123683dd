package engine

import (
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"aigw/engine/llama"
)

// keptTokens tokenizes a text part by part and keeps the tokens of each: while a person types, all
// but one or two parts of a prompt are those of the request before. It may be used concurrently.
//
// Parts end where the text may be cut (cuts.go) and the bytes before say so by their hash, so that an
// edit moves no boundary but those beside it.
type keptTokens struct {
	cuts     *cuts
	tokenize func(string) ([]llama.Token, error)
	pieces   []string // bytes of each token

	mu    sync.Mutex
	parts *simplelru.LRU[part, []llama.Token]
	bytes int // of texts and tokens that are kept
}

// part is a stretch of text; the first of a text may have a dummy space.
type part struct {
	first bool
	text  string
}

const (
	// A part has partBytes bytes or more where it can be cut earlier: one line in partMask+1 ends one.
	partBytes = 64
	partMask  = 1
	// mostPartBytes ends a part at the next place whatever the hash says. 192 bytes take llama.cpp
	// a fifth of a millisecond (SentencePiece) to two fifths (BPE).
	mostPartBytes = 192
	// A text that cannot be cut for longer than keptPartBytes is not kept.
	keptPartBytes = 8 << 10
	// keptBytes bounds what is kept of a model's texts: the open files of a hundred people.
	keptBytes = 16 << 20
	// shortText is not worth looking up.
	shortText = 64
)

// newKeptTokens returns nil where no exact cuts are known.
func newKeptTokens(m *llama.Model) *keptTokens {
	c := newCuts(m)
	if c == nil {
		return nil
	}
	k := &keptTokens{cuts: c, pieces: m.Vocab().Pieces(), tokenize: func(text string) ([]llama.Token, error) { return m.Vocab().Tokenize(text, false, false) }}
	var err error
	k.parts, err = simplelru.NewLRU(keptBytes/partBytes, func(p part, ids []llama.Token) { k.bytes -= cost(p, ids) })
	if err != nil {
		panic(err) // only a size below one
	}
	return k
}

// cost is what a part takes in memory, in bytes, with its place in the list.
func cost(p part, ids []llama.Token) int { return len(p.text) + 4*len(ids) + 128 }

// tokens returns the tokens of text, those of tokenizing it whole.
func (k *keptTokens) tokens(text string) ([]llama.Token, error) {
	if len(text) < shortText || len(text) > llama.MaxTextBytes { // which is refused
		return k.tokenize(text)
	}
	out := make([]llama.Token, 0, len(text)/2)
	var ends []int // of parts in a row that are not known
	from := 0      // where they begin
	for at := 0; at < len(text); {
		end := k.next(text, at)
		ids, ok := k.find(k.key(text, at, end))
		if !ok {
			ends = append(ends, end)
		}
		if (ok || end == len(text)) && len(ends) > 0 {
			fresh, err := k.stretch(text, from, ends)
			if err != nil {
				return nil, err
			}
			if fresh == nil { // the shield did not hold
				return k.tokenize(text)
			}
			out, ends = append(out, fresh...), ends[:0]
		}
		if ok {
			out, from = append(out, ids...), end
		}
		at = end
	}
	return out, nil
}

// next returns where the part that begins at from ends.
func (k *keptTokens) next(text string, from int) int {
	line := from // where the line began that is looked at
	for at := from; ; {
		i := strings.IndexByte(text[at:], '\n')
		if i < 0 {
			return len(text)
		}
		end := at + i // the line end
		before := end
		if before > at && text[before-1] == '\r' {
			before--
		}
		for _, cut := range [...]int{before, end + 1} {
			if cut <= from || cut >= len(text) || !k.cuts.at(text, cut) {
				continue
			}
			if cut-from >= mostPartBytes || cut-from >= partBytes && hash(text[line:end])&partMask == 0 {
				return cut
			}
		}
		line, at = end+1, end+1
	}
}

// hash is FNV-1a.
func hash(text string) uint32 {
	h := uint32(2166136261)
	for i := range len(text) {
		h = (h ^ uint32(text[i])) * 16777619
	}
	return h ^ h>>15
}

// key is under which a part is kept. Without a dummy space it makes no difference which is first.
func (k *keptTokens) key(text string, from, to int) part {
	return part{from == 0 || k.cuts.shield == "", text[from:to]}
}

func (k *keptTokens) find(p part) ([]llama.Token, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.parts.Get(p)
}

// stretch tokenizes parts in a row at once, from the first byte of the first to the ends of all, and
// keeps the tokens of each: cuts are exact, so that no token lies across one. It returns nil, without
// an error, if the tokens cannot be had without the text before.
func (k *keptTokens) stretch(text string, from int, ends []int) ([]llama.Token, error) {
	whole := k.key(text, from, ends[len(ends)-1])
	stretched := whole.text
	if !whole.first {
		stretched = k.cuts.shield + stretched
	}
	ids, err := k.tokenize(stretched)
	if err != nil {
		return nil, err
	}
	extra := 0 // bytes of tokens that are not in the text
	if !whole.first {
		n := len(k.cuts.shieldTokens)
		if len(ids) < n || !slices.Equal(ids[:n], k.cuts.shieldTokens) {
			return nil, nil
		}
		ids = ids[n:]
	} else if k.cuts.shield != "" {
		extra = len(" ")
	}
	total := -extra
	for _, t := range ids {
		total += len(k.pieces[t])
	}
	if total != len(whole.text) { // tokens with other bytes than the text has: nothing says where parts end
		return ids, nil
	}
	rest, at := ids, from
	for _, end := range ends {
		n, bytes := 0, -extra
		for n < len(rest) && bytes < end-at {
			bytes += len(k.pieces[rest[n]])
			n++
		}
		if bytes != end-at {
			break // a token lies across a cut, which the proof excludes
		}
		if end-at <= keptPartBytes {
			p := k.key(text, at, end)
			k.keep(part{p.first, strings.Clone(p.text)}, slices.Clone(rest[:n])) // not the whole request's memory
		}
		rest, at, extra = rest[n:], end, 0
	}
	return ids, nil
}

func (k *keptTokens) keep(p part, ids []llama.Token) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.parts.Contains(p) {
		return // somebody was faster
	}
	k.parts.Add(p, ids)
	for k.bytes += cost(p, ids); k.bytes > keptBytes; {
		k.parts.RemoveOldest()
	}
}
