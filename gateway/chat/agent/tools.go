package agent

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"aigw/gateway/auth"
)

// tool is something that GitLab does for the model between two turns (section 9.3 of the wire
// contract).
type tool struct {
	Name     string
	Resource string // what it reads, as people say
	right    auth.UnitPrimitive
	since175 bool   // offered from GitLab 17.5 on
	flag     string // offered only with this feature flag
	About    string
	Example  example
}

type example struct{ Question, Thought, Input string }

const readOnlyOne = " It finds one %, and only if its number, its URL or the page that the person looks at says which. " +
	"It cannot search by words. The action input is the person's question as it was asked."

func reader(about string) string {
	return strings.ReplaceAll("Reads one % of GitLab."+readOnlyOne, "%", about)
}

// tools are all there are, in the order in which they are offered.
var tools = []tool{
	{
		Name: "build_reader", Resource: "builds", right: auth.AskBuild, since175: true, About: reader("CI job (also called build)"),
		Example: example{"Why did job 4711 fail?", "The question is about job 4711, which build_reader reads.", "Why did job 4711 fail?"},
	},
	{
		Name: "epic_reader", Resource: "epics", right: auth.AskEpic, About: reader("epic or work item"),
		Example: example{"What is left to do in &21?", "The question is about the epic &21, which epic_reader reads.", "What is left to do in &21?"},
	},
	{
		Name: "issue_reader", Resource: "issues", right: auth.AskIssue, About: reader("issue"),
		Example: example{"Who reported issue #88?", "The question is about issue #88, which issue_reader reads.", "Who reported issue #88?"},
	},
	{
		Name: "merge_request_reader", Resource: "merge_requests", right: auth.AskMergeRequest, since175: true, About: reader("merge request"),
		Example: example{"What does !1234 change?", "The question is about the merge request !1234, which merge_request_reader reads.", "What does !1234 change?"},
	},
	{
		// Its thought begins otherwise than the others do: begun alike, thanks and greetings became features of GitLab to a small model.
		Name: "gitlab_documentation", Resource: "documentation answers", right: auth.DocumentationSearch,
		About: "Looks into the documentation of GitLab. It is for every question about GitLab itself: how to use or configure something, " +
			"what a feature does, whether there is one. The search goes by words: the action input is a few key words without punctuation.",
		Example: example{"How do I protect a branch?", "This is about a feature of GitLab, which gitlab_documentation explains.", "protect branch"},
	},
	{
		Name: "commit_reader", Resource: "commits", right: auth.AskCommit, since175: true, flag: "ai_commit_reader_for_chat", About: reader("commit"),
		Example: example{"Summarise commit 1f3ac4be.", "The question is about commit 1f3ac4be, which commit_reader reads.", "Summarise commit 1f3ac4be."},
	},
}

// asker is what decides about the tools on offer.
type asker struct {
	principal *auth.Principal
	version   string // of GitLab, as it says
	flags     []string
}

func (a asker) offered() []tool {
	return slices.DeleteFunc(slices.Clone(tools), func(t tool) bool { return !a.may(t) })
}

func (a asker) may(t tool) bool {
	if t.flag != "" && !slices.Contains(a.flags, t.flag) {
		return false
	}
	if a.principal.Debug {
		return true
	}
	if t.since175 && !since175(a.version) {
		return false
	}
	return a.principal.Can(t.right) || a.mayAsBefore(t)
}

// mayAsBefore: until GitLab 17.4 the right to chat was the right to read issues and epics. Such
// tokens have none of the finer rights.
func (a asker) mayAsBefore(t tool) bool {
	if t.right != auth.AskIssue && t.right != auth.AskEpic || !a.principal.Can(auth.DuoChat) {
		return false
	}
	return !slices.ContainsFunc(a.principal.Claims.Scopes, func(scope string) bool { return strings.HasPrefix(scope, "ask_") })
}

// versionForm is a version as PEP 440 writes it: release, pre-release, post-release, development
// release, local part.
var versionForm = regexp.MustCompile(`(?i)^\s*v?(\d+)(?:\.(\d+))?(?:\.\d+)*` +
	`(?:[-_.]?(a|b|c|rc|alpha|beta|pre|preview)[-_.]?\d*)?(?:(?:[-_.]?(?:post|rev|r)[-_.]?\d*)|-\d+)?` +
	`([-_.]?dev[-_.]?\d*)?(?:\+[a-z0-9]+(?:[-_.][a-z0-9]+)*)?\s*$`)

// since175 reports whether a version is 17.5.0-pre or later. One that cannot be read is not.
func since175(version string) bool {
	parts := versionForm.FindStringSubmatch(version)
	if parts == nil {
		return false
	}
	major, err := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2]) // 0 if absent
	switch {
	case err != nil || major < 17 || major == 17 && minor < 5:
		return false
	case major > 17 || minor > 5 || !isZeroPatch(version):
		return true
	}
	switch strings.ToLower(parts[3]) {
	case "a", "b", "alpha", "beta":
		return false // before rc0, which "pre" is
	}
	return parts[4] == ""
}

var patchForm = regexp.MustCompile(`^\s*v?\d+\.\d+\.0*[1-9]`)

// isZeroPatch: 17.5.1-anything is later than 17.5.0-pre.
func isZeroPatch(version string) bool { return !patchForm.MatchString(version) }
