package search_test

import (
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"aigw/search"
	"aigw/search/source"
)

var update = flag.Bool("update", false, "write testdata/ranked.txt anew")

// questions are asked of the pages in testdata/pages, in other words than theirs; the page that
// answers each is known.
var questions = []struct{ question, answer string }{
	{"secret is printed in plain text in the job log", "ci/masked.md"},
	{"CI_DEBUG_TRACE", "ci/masked.md"},
	{"nightly build every day at 2am", "ci/schedules.md"},
	{"colleague left and our cron pipelines are inactive", "ci/schedules.md"},
	{"only run job when folder changed", "ci/rules.md"},
	{"duplicate pipelines for push and MR", "ci/rules.md"},
	{"rules:changes", "ci/rules.md"},
	{"ref name of the branch in a variable", "ci/variables.md"},
	{"who wins, group or project variable with the same name", "ci/variables.md"},
	{"413 too large archive", "ci/artifacts.md"},
	{"keep build output longer than a week", "ci/artifacts.md"},
	{"reuse node_modules between jobs", "ci/cache.md"},
	{"docker in docker without privileged mode on k8s", "ci/dind.md"},
	{"Permission denied publickey when pushing", "user/ssh.md"},
	{"make code owners approve every MR", "user/merge_requests.md"},
	{"lost my phone, 2FA", "user/two_factor.md"},
	{"own domain for a static website", "user/pages_domain.md"},
	{"bot token for one project", "user/tokens.md"},
	{"gitlab.rb", "administration/_index.md"},
	{"difference between restart and reconfigure", "administration/_index.md"},
	{"bad decrypt after restoring on a new server", "administration/backup.md"},
	{"which secrets must be copied along with a backup", "administration/backup.md"},
	{"allow login for one AD group only", "administration/ldap.md"},
	{"SSO invalid audience", "administration/saml.md"},
	{"gmail port 465 or 587", "administration/smtp.md"},
	{"runner does not trust our self signed certificate", "administration/runner.md"},
	{"forgot root pasword", "administration/password.md"},
	{"background jobs hang, thread dump", "administration/sidekiq.md"},
	{"UPGRADE FAILED helm", "administration/kubernetes.md"},
	{"office IP banned, 403 after failed logins", "administration/rate_limits.md"},
}

func testPages(t testing.TB) *search.Index {
	t.Helper()
	pages, err := source.Folder("testdata/pages")
	if err != nil {
		t.Fatal(err)
	}
	x, err := search.BuildInMemory(t.Context(), []search.Collection{{Source: pages}}, search.BuildOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := x.Close(); err != nil {
			t.Error(err)
		}
	})
	return x
}

// What is found for 30 questions stands in testdata/ranked.txt: a change of the ranking shows
// there, as text. (go test ./search -run TestRanked -update)
func TestRanked(t *testing.T) {
	x := testPages(t)
	var (
		out         strings.Builder
		first, gain float64
	)
	for _, q := range questions {
		found, err := x.Search(t.Context(), q.question, 5)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%s\n", q.question)
		for i, p := range found {
			mark := " "
			if p.Page == q.answer {
				mark = "*"
				gain += 1 / math.Log2(float64(i)+2)
				if i == 0 {
					first++
				}
			}
			fmt.Fprintf(&out, "  %s %s#%s\n", mark, p.Page, p.Anchor)
		}
	}
	n := float64(len(questions))
	summary := fmt.Sprintf("nDCG@5 %.3f, answer first %.3f of %d questions\n", gain/n, first/n, len(questions))
	t.Log(summary)
	got := out.String() + summary
	golden := filepath.Join("testdata", "ranked.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("ranked results differ from %s; if that is better, run with -update\n%s", golden, got)
	}
	if gain/n < 0.9 {
		t.Errorf("nDCG@5 is %.3f, below 0.9", gain/n)
	}
}

// An index answers the same from disk as from memory, and the second time as the first.
func TestDiskAndMemoryAgree(t *testing.T) {
	memory := testPages(t)
	pages, err := source.Folder("testdata/pages")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "docs.index")
	if _, err := search.Build(t.Context(), dir, []search.Collection{{Source: pages}}, search.BuildOptions{}); err != nil {
		t.Fatal(err)
	}
	disk, err := search.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	for _, q := range questions {
		want, err := memory.Search(t.Context(), q.question, 10)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			got, err := disk.Search(t.Context(), q.question, 10)
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %v\n%+v\nwant\n%+v", q.question, err, got, want)
			}
		}
	}
}
