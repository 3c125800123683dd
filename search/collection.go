package search

import (
	"fmt"
	"net/url"
	"path"
	"strings"

	"aigw/search/source"
)

// Collection is one tree of pages and how its pages are addressed.
type Collection struct {
	// Name is the product: gitlab, runner, omnibus, charts, or one of your own. A tree without a
	// name is GitLab's, unless its pages lie in folders such as runner/docs.
	Name   string
	Source source.Source
	// URL makes a page's address: {path} is the page without .md, {folder} the same as docs.gitlab.com
	// writes it, ending with a slash and without index. The result is relative to GitLab's address
	// unless it begins with http:// or https://. Empty is the collection's usual rule.
	URL string
}

// helpRule addresses the help pages that GitLab itself shows.
const helpRule = "/help/{path}"

// usualRules are the addresses of GitLab's products. Only GitLab's own pages are also on the
// GitLab server; the others' are public. An unknown product has no address: none is better than a
// wrong one.
var usualRules = map[string]string{
	"":         helpRule,
	"gitlab":   helpRule,
	"runner":   "https://docs.gitlab.com/runner/{folder}",
	"omnibus":  "https://docs.gitlab.com/omnibus/{folder}",
	"charts":   "https://docs.gitlab.com/charts/{folder}",
	"operator": "https://docs.gitlab.com/operator/{folder}",
	"cli":      "https://docs.gitlab.com/cli/{folder}",
}

// licences are what GitLab's products say of their pages. Whoever passes an index on passes the
// pages on, cut into passages, and with them has to pass this on.
var licences = map[string]string{
	"": ccBySA, "gitlab": ccBySA, "runner": ccBySA, "omnibus": ccBySA, "operator": ccBySA, "cli": ccBySA,
	"charts": "(c) GitLab Inc., MIT",
}

const ccBySA = "(c) GitLab B.V., GitLab Inc. and contributors, CC BY-SA 4.0 <https://creativecommons.org/licenses/by-sa/4.0/>"

// roots are where the repositories of GitLab's products keep their pages.
var roots = []string{"docs/source/", "doc/", "docs/"}

// CheckURLRule says what is wrong with a rule.
func CheckURLRule(rule string) error {
	if !strings.Contains(rule, "{path}") && !strings.Contains(rule, "{folder}") {
		return fmt.Errorf("%q names neither {path} nor {folder}", rule)
	}
	u, err := url.Parse(strings.NewReplacer("{path}", "a/b", "{folder}", "a/b/").Replace(rule))
	if err != nil || u.Scheme != "" && u.Scheme != "http" && u.Scheme != "https" || u.Scheme != "" && u.Host == "" || u.Scheme == "" && (u.Host != "" || !strings.HasPrefix(rule, "/")) {
		return fmt.Errorf("%q is neither an http(s) address nor a path that begins with /", rule)
	}
	return nil
}

// placed is where a page is published.
type placed struct {
	collection string
	path       string // below the collection's documentation
	url        string // without anchor
}

// place finds out where a page of the collection is published.
func (c Collection) place(d source.Document) placed {
	p := placed{collection: c.Name, path: d.Path}
	if first, rest, below := strings.Cut(p.path, "/"); below && c.Name == "" {
		if _, known := usualRules[first]; known && hasRoot(rest) {
			p.collection, p.path = first, rest
		}
	}
	if p.collection != c.Name || c.Name == "" {
		for _, root := range roots {
			if rest, ok := strings.CutPrefix(p.path, root); ok {
				p.path = rest
				break
			}
		}
	}
	if d.Unplaced {
		p.path = ""
		return p
	}
	rule := c.URL
	if rule == "" {
		rule = usualRules[p.collection]
	}
	if rule != "" {
		p.url = expand(rule, p.path)
	}
	return p
}

func hasRoot(name string) bool {
	for _, root := range roots {
		if strings.HasPrefix(name, root) {
			return true
		}
	}
	return false
}

func expand(rule, page string) string {
	page = strings.TrimSuffix(page, path.Ext(page))
	folder := page + "/"
	if base := path.Base(page); base == "_index" || base == "index" {
		folder = strings.TrimSuffix(page, base)
	}
	escape := func(s string) string { return (&url.URL{Path: s}).EscapedPath() }
	return strings.NewReplacer("{path}", escape(page), "{folder}", escape(folder)).Replace(rule)
}
