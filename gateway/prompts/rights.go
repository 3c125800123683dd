package prompts

import "aigw/gateway/auth"

// finer are the rights that duo_chat stands for in tokens of older instances, which have none of them
// (section 3.6 of the wire contract).
var finer = []auth.UnitPrimitive{
	auth.AskBuild, auth.AskCommit, auth.AskEpic, auth.AskIssue, auth.AskMergeRequest,
	"explain_code", "refactor_code", "write_tests", "fix_code",
}

// may reports whether a principal has all rights that a prompt needs, under any of their names.
func may(p *auth.Principal, rights []auth.UnitPrimitive) bool {
	for _, right := range rights {
		if !p.Can(right) && !hasOlder(p, right) {
			return false
		}
	}
	return true
}

func rightNames(rights []auth.UnitPrimitive) []string {
	out := make([]string, len(rights))
	for i, right := range rights {
		out[i] = string(right)
	}
	return out
}

// hasOlder reports whether a principal has what stood for a right before it had its own name.
func hasOlder(p *auth.Principal, right auth.UnitPrimitive) bool {
	switch right {
	case auth.CompleteCode, auth.GenerateCode:
		return p.Can(auth.CodeSuggestions)
	case auth.AskCommit:
		return p.Can(auth.DuoChat)
	}
	for _, f := range finer {
		if right == f {
			return p.Can(auth.DuoChat) && !p.Can(finer...)
		}
	}
	return false
}
