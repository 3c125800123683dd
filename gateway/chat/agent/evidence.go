package agent

import (
	"regexp"
	"slices"
	"strings"

	"aigw/engine"
	"aigw/models"
)

// A small model often knows that a tool is needed and not which: it has seen "issue" a thousand times as often as "epic", and
// prefers that name whatever is asked. What a question refers to can be read from the question itself, because GitLab writes
// references in fixed ways (section 9.7 of the wire contract): #7 is an issue wherever it stands. What is read there is used twice:
//
//  1. Behind the last message of the person stands a note with the turn that would fit.
//  2. Where a turn chooses between its tools and an answer, the tool that it proposes gets a head start over
//     the others (engine.Weighted). A model that is surer than the head start chooses what it likes: a large one, which has
//     understood the question, nearly always is.
//
// Nothing is forced, and no question has a rule of its own. Where nothing is found, readers have nothing that they could read, and
// an answer gets the head start; so it does when the tool has been used in this turn.

// How much evidence weighs, added to the logarithm of odds: the model chooses otherwise if it finds that e^weight times as
// likely.
const (
	strong = 6 // the question refers to one resource, or asks how something of GitLab is done: 400 times
	weak   = 3 // it only looks like it: 20 times
)

const documentation = "gitlab_documentation"

// longestShown is the longest reference that the note repeats, in bytes.
const longestShown = 200

// evidence says that a question needs a tool.
type evidence struct {
	tool   string
	weight float32
	why    string // the thought that leads to the tool; empty if that is not certain
}

// reference is how a kind of resource is referred to.
type reference struct {
	tool, called string // by the name of the tool, and as people call the resource
	page         string // the type of GitLab's page that shows one; "this ..." means that
	form         *regexp.Regexp
}

// The forms of references: URL, mark and number, word and number, and the one on the page.
var references = []reference{
	newReference("issue_reader", "issue", "issue", `/-/(?:issues|work_items)/\d+`, `#\d+`, `issues?|tickets?|incidents?`, number),
	newReference("epic_reader", "epic", "epic", `/groups/\S*/-/(?:epics|work_items)/\d+|/-/epics/\d+`, `&\d+`, `epics?|work items?`, number),
	newReference("merge_request_reader", "merge request", "merge_request", `/-/merge_requests/\d+`, `!\d+`, `merge requests?|MRs?`, number),
	newReference("commit_reader", "commit", "commit", `/-/commit/[0-9a-f]{7,64}`, `@[0-9a-f]{7,64}\b`, `commits?|revisions?`, hash),
	newReference("build_reader", "CI job", "build", `/-/(?:jobs|builds)/\d+`, ``, `(?:CI |pipeline )?(?:jobs?|builds?)`, number),
}

const (
	number = `\d+`
	hash   = `[0-9a-f]*\d[0-9a-f]*` // letters alone would be a word, such as "added"
)

// newReference puts the expression of a kind together. Marks count where no word stands in front of them, or the path of a project.
func newReference(tool, called, page, url, mark, words, id string) reference {
	forms := []string{`https?://\S*` + url, `\b(?:` + words + `)(?: (?:no\.?|number|id))?:? [#&!@]?` + id + `\b`, `\b(?:this|current) (?:` + words + `)\b`}
	if mark != "" {
		forms = append(forms, `(?:^|[\s("'\x60]|[\pL\pN_.-]+/[\pL\pN_./-]*)`+mark)
	}
	return reference{tool, called, page, regexp.MustCompile(`(?i)(?:` + strings.Join(forms, "|") + `)`)}
}

var (
	// howTo is the beginning of a question about how something is done or what it is.
	howTo = regexp.MustCompile(`(?i)\b(?:how (?:do|can|to|does|should|would|long|many|often)|where (?:do|can|is|are)|what (?:is|are|does|do)|which|why (?:is|are|does|do|can)|(?:can|may|could) (?:i|we|you|one)|is (?:there|it possible)|does|do i|set up|configure|enable|disable|install)\b`)
	// ofGitLab are names of GitLab's features, as its documentation is divided. They are written in lower case, and some of them are
	// common words: only a question of the kind above makes them count.
	ofGitLab = regexp.MustCompile(`(?i)\b(?:access tokens?|deploy (?:keys?|tokens?|boards?)|ssh keys?|gpg keys?|two-factor|2fa|protected|protect an?|branch(?:es)?|tags?|runners?|` +
		`pipelines?|ci/cd|\.gitlab-ci\.yml|ci (?:jobs?|variables?|lint)|variables|artifacts?|cach(?:e|ing)|environments?|deployments?|auto devops|review apps?|` +
		`merge requests?|merge trains?|approvals?|approval rules?|code ?owners|code review|squash|fork|issues?|issue boards?|boards?|epics?|iterations?|milestones?|labels?|to-do|roadmaps?|` +
		`wikis?|snippets?|pages|container registry|package registry|registry|packages|dependency proxy|webhooks?|integrations?|jira|slack|mattermost|` +
		`groups?|subgroups?|projects?|members?|permissions?|roles?|visibility|import|export|mirror(?:ing)?|templates?|push rules?|` +
		`ldap|saml|scim|oidc|omniauth|single sign-on|sso|omnibus|gitaly|praefect|geo|sidekiq|puma|workhorse|backups?|restore|upgrade|licen[cs]e|` +
		`sast|dast|secret detection|dependency scanning|container scanning|vulnerabilit(?:y|ies)|compliance|audit events?|security (?:policy|policies|dashboard|scanning)|` +
		`terraform state|kubernetes agent|agent for kubernetes|feature flags?|service desk|value stream|dora|insights|duo|code suggestions|quick actions?|web ide|workspaces?|remote development)\b`)
	gitLab = regexp.MustCompile(`(?i)\bgit ?lab\b`)
	// code is work that the model does itself.
	code = regexp.MustCompile("(?i)```|\\b(?:write|implement|refactor|create|generate|give me|show me)\\b.*\\b(?:function|class|method|script|program|code|unit tests?|regex|regular expression|query|algorithm|loop)\\b")
)

// evident returns what the question, the last message of the person, says about the tools on offer. A tool that was used in this turn
// has had its say.
func evident(question message, steps []step, offered []tool) []evidence {
	found := referred(question.Content)
	if text := beginning(question.Content); len(found) == 0 && !code.MatchString(text) {
		asks, feature := howTo.MatchString(text), ofGitLab.MatchString(text)
		switch {
		case gitLab.MatchString(text) && (asks || feature), asks && feature:
			found = append(found, evidence{documentation, strong, "The question is about a feature of GitLab, which " + documentation + " explains."})
		case feature:
			found = append(found, evidence{documentation, weak, ""})
		}
	}
	return slices.DeleteFunc(found, func(e evidence) bool { return !offers(offered, e.tool) || used(steps, e.tool) })
}

// mostRead is how much of a message is looked at, in bytes: people ask first and paste behind it.
const mostRead = 16 << 10

func beginning(text string) string { return text[:min(len(text), mostRead)] }

// referred returns what a text refers to.
func referred(text string) []evidence {
	var found []evidence
	text = beginning(text)
	for _, r := range references {
		if at := r.form.FindString(text); at != "" {
			at = strings.TrimLeft(at, " \t\r\n(\"'`")
			if r.tool == "issue_reader" && strings.Contains(at, "/groups/") {
				continue // a work item of a group is an epic
			}
			found = append(found, evidence{r.tool, strong, "The question is about " + r.describe(at) + ", which " + r.tool + " reads."})
		}
	}
	return found
}

// describe names a resource as the question does.
func (r reference) describe(at string) string {
	switch word, _, spaced := strings.Cut(at, " "); {
	case len(at) > longestShown:
		return "one " + r.called
	case spaced && !strings.ContainsAny(word, "/#&!@"):
		return at // "this epic", "issue 7"
	}
	return "the " + r.called + " " + at
}

func used(steps []step, tool string) bool {
	return slices.ContainsFunc(steps, func(s step) bool { return toolName(s.Tool) == tool })
}

// note proposes turns to the model, in the form in which it is to write one: a small model goes on as a text before it went on.
// It is empty where nothing certain was found.
func note(question string, found []evidence) string {
	var b strings.Builder
	for _, e := range found {
		if e.why == "" {
			continue
		}
		if b.Len() == 0 {
			b.WriteString("\n\nIf a tool is needed, this may fit:")
		}
		b.WriteString("\nThought: " + e.why + "\nAction: " + e.tool)
		if input := inputFor(e.tool, question); input != "" {
			b.WriteString("\nAction Input: " + input)
		}
	}
	return b.String()
}

const (
	longestInput = 300 // of a proposed input, in bytes; the grammar's is as long
	mostWords    = 8   // of those that documentation is searched for
)

var (
	wordForm = regexp.MustCompile(`[\pL\pN]+(?:[._/-][\pL\pN]+)*`)
	// smallWords say nothing about what is asked.
	smallWords = strings.Fields("a an the of for to in on at by with from and or is are was were be do does did can could may should would will have has " +
		"i we you it its my our your me us this that these those there how what which where when why who if not please gitlab git lab")
)

// inputFor is what a tool would be asked: the question itself, or for a search its words.
func inputFor(tool, question string) string {
	question = strings.Join(strings.Fields(question), " ")
	if tool == documentation {
		var words []string
		for _, w := range wordForm.FindAllString(question[:min(len(question), 10*longestInput)], -1) {
			if len(words) < mostWords && !slices.Contains(smallWords, strings.ToLower(w)) {
				words = append(words, w)
			}
		}
		question = strings.Join(words, " ")
	}
	if len(question) > longestInput {
		return ""
	}
	return question
}

// choice weighs the beginnings of a turn's second line. Where nothing speaks for a tool, the readers have nothing that they could read:
// an answer has the head start, but over those tools that the page or the conversation so far is about, and half of it over the
// documentation where something is asked.
func choice(history []message, steps []step, found []evidence, offered []tool) []engine.Weighted {
	direct := float32(0)
	if len(found) == 0 {
		direct = strong
		for _, m := range history {
			if m.Role == models.User {
				found = append(found, referred(m.Content)...)
			}
			for _, r := range references {
				if m.Context != nil && m.Context.Type == r.page {
					found = append(found, evidence{tool: r.tool, weight: strong})
				}
			}
		}
		if text := beginning(history[len(history)-1].Content); howTo.MatchString(text) && !code.MatchString(text) {
			found = append(found, evidence{tool: documentation, weight: weak})
		}
	}
	out := []engine.Weighted{{Text: "Action: DirectAnswer\n", Weight: direct}, {Text: "Final Answer:", Weight: direct}}
	for _, t := range offered {
		w := engine.Weighted{Text: "Action: " + t.Name + "\n"}
		for _, e := range found {
			if e.tool == t.Name && !used(steps, t.Name) {
				w.Weight = max(w.Weight, e.weight)
			}
		}
		out = append(out, w)
	}
	return out
}
