package codesuggestions

import (
	"strings"

	"aigw/gateway/codesuggestions/postprocess"
)

// generationFilter cleans generated code as it comes: it drops what belongs to the fence that the
// gateway began, puts the lead in front, and strips fences of the model's own. It holds back only
// what it cannot decide yet.
type generationFilter struct {
	laidOut
	held  string // white space behind the gateway's fence
	begun bool   // the first text has come
	// fences is nil where an operator wants them.
	fences *postprocess.FenceFilter
}

func newGenerationFilter(l laidOut, stripFences bool) *generationFilter {
	f := &generationFilter{laidOut: l}
	if stripFences {
		f.fences = &postprocess.FenceFilter{}
	}
	return f
}

// Write implements filter.
func (f *generationFilter) Write(piece string) string {
	if f.begun {
		return f.strip(piece)
	}
	f.held += piece
	if f.held == "" || f.inFence && strings.TrimSpace(f.held) == "" && !strings.Contains(f.held, "\n") {
		return ""
	}
	first := f.whole(f.held)
	if first == "" { // just the end of the fence's line
		f.held, f.inFence = "", false
		return ""
	}
	f.begun = true
	return f.strip(first)
}

// Ended implements filter. The end of the code block is one of the model's stops already.
func (*generationFilter) Ended() bool { return false }

// End implements filter.
func (f *generationFilter) End() string {
	rest := ""
	if !f.begun {
		rest = f.strip(f.whole(f.held))
	}
	if f.fences != nil {
		rest += f.fences.End()
	}
	return rest
}

func (f *generationFilter) strip(piece string) string {
	if f.fences == nil {
		return piece
	}
	return f.fences.Write(piece)
}
