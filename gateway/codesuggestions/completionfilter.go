package codesuggestions

import (
	"strings"

	"aigw/gateway/codesuggestions/postprocess"
)

// completionFilter cleans a completion as it comes.
type completionFilter struct {
	chain *postprocess.CompletionFilter
	// escapes says that \_ stands for _. A backslash at the end waits for what follows.
	escapes bool
	held    bool
}

func newCompletionFilter(c postprocess.Chains, file File, escapes bool) *completionFilter {
	return &completionFilter{chain: c.NewCompletionFilter(file.Above, file.Below), escapes: escapes}
}

// Write implements filter.
func (f *completionFilter) Write(piece string) string {
	if f.escapes && piece != "" {
		if f.held {
			piece = `\` + piece
		}
		piece = strings.ReplaceAll(piece, `\_`, "_")
		piece, f.held = strings.CutSuffix(piece, `\`)
	}
	return f.chain.Write(piece)
}

// Ended implements filter.
func (f *completionFilter) Ended() bool { return f.chain.Ended() }

// End implements filter.
func (f *completionFilter) End() string {
	rest := ""
	if f.held {
		rest, f.held = f.chain.Write(`\`), false
	}
	return rest + f.chain.End()
}
