package main

import (
	"math"
	"math/rand/v2"
	"time"
)

// rhythm is how people press keys: one pause after another, drawn from a seed, so that both sides are typed at alike.
//
// Dhakal, Feit, Kristensson and Oulasvirta ("Observations on Typing from 136 Million Keystrokes", CHI 2018,
// doi:10.1145/3173574.3174220) timed 168,000 people: 239 ms from key to key in the mean, with a standard deviation of 112 ms, which
// is taken here for that of one person. Pauses within one person's typing are skewed to the right and are modelled by log-normal distributions (Roeser, De Maeyer,
// Leijten and Van Waes, "Modelling typing disfluencies as finite mixture process", Reading and Writing 2021,
// doi:10.1007/s11145-021-10203-z).
//
// An even rhythm would hide what costs most: with a debounce that is shorter than every pause each key asks and is given up by
// the next one, with one that is longer none is. People's pauses lie on both sides of an editor's 150 ms: 79 of 100 are longer.
//
// Pauses at the ends of words are longer than within them, and longer still where one thinks, 2 to 15 s (Shrestha, Leinonen,
// Zavgorodniaia, Hellas and Edwards, "Pausing While Programming", ICSE-SEET 2022). The scenario has its own for these: behind a
// word the person waits for the suggestion.
type rhythm struct {
	random *rand.Rand
}

const (
	keyMean   = 239 * time.Millisecond
	keySpread = 112 * time.Millisecond // standard deviation
	// keyLeast and keyMost bound what is drawn, five times in a million below and 3 in 100,000 above.
	keyLeast = 30 * time.Millisecond
	keyMost  = 1300 * time.Millisecond
)

func newRhythm(seed uint64) *rhythm { return &rhythm{rand.New(rand.NewPCG(seed, 0))} }

// next is the time from one key to the next.
func (r *rhythm) next() time.Duration {
	// A log-normal distribution with mean m and deviation s is that of exp(X), where X is normal with variance ln(1+s²/m²) and
	// mean ln(m) less half of that.
	share := float64(keySpread) / float64(keyMean)
	variance := math.Log1p(share * share)
	drawn := float64(keyMean) * math.Exp(r.random.NormFloat64()*math.Sqrt(variance)-variance/2)
	return min(max(time.Duration(drawn), keyLeast), keyMost)
}

// burst is the pauses behind the keys of a word but for the last.
func (r *rhythm) burst(word string) []time.Duration {
	pauses := make([]time.Duration, max(0, len([]rune(word))-1))
	for i := range pauses {
		pauses[i] = r.next()
	}
	return pauses
}
