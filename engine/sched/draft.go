package sched

// longestMatch is how many of the last tokens are compared at most; longer ones say no more.
const (
	shortestMatch = 2
	longestMatch  = 16
	// lookBack bounds the search to some microseconds a step and request.
	lookBack = 8192
)

// draft guesses the n tokens that follow tokens: what followed where their last few occurred
// before, the longest such place, and the last one of several. Code repeats itself, and an
// edit repeats what it edits. It appends them to dst and returns how many tokens matched; fewer
// than shortestMatch, and there is no guess. A place so near that its continuation runs into the
// end goes on with the guess itself, so that loops are continued.
//
// This is prompt lookup decoding (Saxena 2023; Yang et al. 2023, "Inference with Reference").
func draft(dst, tokens []int32, n int) (guess []int32, match int) {
	end := len(tokens)
	at := 0
	for i := end - 2; i >= max(0, end-1-lookBack); i-- {
		if m := common(tokens[:i+1], tokens); m > match {
			match, at = m, i+1
			if m == longestMatch {
				break
			}
		}
	}
	if match < shortestMatch {
		return dst, match
	}
	from := len(dst)
	for i := at; i < at+n; i++ {
		if i < end {
			dst = append(dst, tokens[i])
		} else {
			dst = append(dst, dst[from+i-end])
		}
	}
	return dst, match
}

// common counts the tokens that a and b end with alike.
func common(a, b []int32) int {
	n := 0
	for n < len(a) && n < longestMatch && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
