//go:build !race

package engine

// underRace says that the race detector watches. It sees nothing of C, so tests that spend minutes there
// run without it only; what they have in common with others, those show it.
const underRace = false
