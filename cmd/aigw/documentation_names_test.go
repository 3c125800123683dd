package main

import (
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"aigw/cmd/aigw/settings"

	"github.com/urfave/cli/v2"
)

// documentedPages are those that administrators read.
func documentedPages(t *testing.T) []string {
	t.Helper()
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	return append(pages, "../../README.md")
}

var (
	simpleCommands = regexp.MustCompile("[;&|()<>`]") // what stands between them
	assignment     = regexp.MustCompile(`^\w+=`)
)

// mentioned are the command lines of aigw in a text, each as its words: a simple command whose program it is, in a container
// too.
func mentioned(text string) (all [][]string) {
	text = strings.ReplaceAll(text, "\\\n", " ")
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, " # ")
		for _, command := range simpleCommands.Split(line, -1) {
			words := strings.Fields(command)
			for len(words) > 0 && assignment.MatchString(words[0]) {
				words = words[1:]
			}
			if len(words) > 3 && words[1] == "exec" { // docker exec CONTAINER
				words = words[3:]
			}
			if len(words) > 1 && path.Base(words[0]) == "aigw" {
				all = append(all, words[1:])
			}
		}
	}
	return all
}

// wrongWord returns the first word that is no command or flag where it stands, empty if there is none. Words behind a
// command are arguments.
func wrongWord(commands []*cli.Command, words []string) string {
	named := func(word string) *cli.Command {
		for _, c := range commands {
			if c.HasName(word) {
				return c
			}
		}
		return nil
	}
	at := named(words[0])
	if at == nil {
		return words[0]
	}
	value := false // the word before is a flag, and this one its value
	for _, word := range words[1:] {
		if flag, isFlag := strings.CutPrefix(word, "--"); isFlag {
			flag, _, whole := strings.Cut(flag, "=")
			i := slices.IndexFunc(at.Flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), flag) })
			if i < 0 && flag != "help" && flag != "" {
				return "--" + flag
			}
			value = false
			if i >= 0 && !whole {
				_, isSwitch := at.Flags[i].(*cli.BoolFlag)
				value = !isSwitch
			}
			continue
		}
		if value {
			value = false
			continue
		}
		if len(at.Subcommands) > 0 {
			commands = at.Subcommands
			next := named(word)
			if next == nil {
				return word
			}
			at = next
		}
	}
	return ""
}

// blocks and spans of a page, without what stands in them as text of other languages.
var (
	fenced = regexp.MustCompile("(?ms)^ *```(\\w*)[^\n]*\n(.*?)^ *```")
	span   = regexp.MustCompile("`([^`\n]+)`")
)

var (
	variable = regexp.MustCompile(`AIGW_[A-Z0-9_]+`)
	// Those of the build and of tests, which no command reads.
	ofDevelopers = regexp.MustCompile(`^AIGW_(TEST_\w+|CACHE|CUDA|CUDA_ARCH|AMX|CPU_VARIANTS|JOBS|UI|UI_SCREENSHOTS)$`)
)

// foreign are flags in the pages' text that belong to other programs.
var foreign = map[string][]string{
	"docker":             {"--format", "--user", "--read-only", "--tmpfs", "--publish", "--volume", "--env", "--gpus", "--network", "--platform"},
	"helm":               {"--timeout", "--wait", "--wait-for-jobs"},
	"vLLM":               {"--max-model-len", "--max-num-seqs", "--gpu-memory-utilization", "--served-model-name", "--enable-prefix-caching"},
	"llama.cpp's peers":  {"-np", "--kv-unified"},
	"schemathesis":       {"--checks"},
	"this documentation": {"--key-file"},
}

// Every command line of aigw in the documentation, whether it runs in a test or is skipped, has the commands and flags that the
// program has; and every flag and variable in the text is one of the program's.
func TestTheDocumentationNamesWhatExists(t *testing.T) {
	commands := newApp(io.Discard, io.Discard).Commands
	flags, variables := map[string]bool{}, map[string]bool{}
	var collect func([]*cli.Command)
	collect = func(all []*cli.Command) {
		for _, c := range all {
			for _, f := range c.Flags {
				for _, name := range f.Names() {
					flags["--"+name] = true
				}
				if f, ok := f.(cli.DocGenerationFlag); ok {
					for _, name := range f.GetEnvVars() {
						variables[name] = true
					}
				}
			}
			collect(c.Subcommands)
		}
	}
	collect(commands)
	for _, v := range settings.Variables {
		variables[v.Name] = true
	}
	for _, list := range foreign {
		for _, f := range list {
			flags[f] = true
		}
	}
	checked := 0
	check := func(page, text string) {
		for _, words := range mentioned(text) {
			checked++
			if wrong := wrongWord(commands, words); wrong != "" {
				t.Errorf("%s: %q in aigw %s is nothing that the program knows", page, wrong, strings.Join(words, " "))
			}
		}
	}
	for _, file := range documentedPages(t) {
		page, text := filepath.Base(file), read(t, file)
		for _, name := range variable.FindAllString(text, -1) {
			known := variables[name] || ofDevelopers.MatchString(name)
			if strings.HasSuffix(name, "_") { // AIGW_FASTAPI__*
				for v := range variables {
					known = known || strings.HasPrefix(v, name)
				}
			}
			if !known {
				t.Errorf("%s: %s is a variable that means nothing", page, name)
			}
		}
		for _, block := range fenced.FindAllStringSubmatch(text, -1) {
			if block[1] == "sh" {
				check(page, block[2])
			}
		}
		for _, s := range span.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.HasPrefix(s[1], "aigw ") && !strings.Contains(s[1], "…") && s[1] != "aigw COMMAND --help" {
				check(page, s[1])
			}
			if flag, _, _ := strings.Cut(s[1], " "); strings.HasPrefix(flag, "--") {
				if flag, _, _ = strings.Cut(flag, "="); !flags[flag] {
					t.Errorf("%s: %s is a flag of no command", page, flag)
				}
			}
		}
	}
	if checked < 100 {
		t.Errorf("only %d command lines were found", checked)
	}
}

// What wrongWord finds, so that the test above cannot pass by finding nothing.
func TestWrongWords(t *testing.T) {
	commands := newApp(io.Discard, io.Discard).Commands
	for line, want := range map[string]string{
		"aigw run --model x.gguf --ctx 8":                        "",
		"aigw models inspect --ctx 8192 x.gguf":                  "",
		"aigw serve":                                             "serve",
		"aigw rpc-worker --listen 10.0.0.2:50052 --peer 5f0c":    "",
		"aigw rpc-worker --listen 10.0.0.2:50052 fingerprind":    "fingerprind",
		"aigw run --contxt=8":                                    "--contxt",
		"aigw models inspekt x.gguf":                             "inspekt",
		"A=b bin/aigw docs index d -o x --verzion 1 && aigw top": "--verzion",
		"docker exec aigw aigw wersion":                          "wersion",
	} {
		got := ""
		for _, words := range mentioned(line) {
			if wrong := wrongWord(commands, words); wrong != "" {
				got = wrong
			}
		}
		if got != want {
			t.Errorf("%s: %q is wrong, want %q", line, got, want)
		}
	}
}

// anchor is how GitHub and GitLab name a heading.
func anchor(heading string) string {
	heading = regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(heading), "")
	return strings.ReplaceAll(heading, " ", "-")
}

// Links between the pages lead somewhere, to a heading where they name one.
func TestLinksOfTheDocumentation(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading := regexp.MustCompile(`(?m)^#+ +(.+?) *$`)
	checked := 0
	for _, page := range documentedPages(t) {
		for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, page), ""), -1) {
			to, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if to.IsAbs() {
				continue
			}
			checked++
			target := page
			if to.Path != "" {
				target = filepath.Join(filepath.Dir(page), filepath.FromSlash(to.Path))
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s: %s leads nowhere", page, m[1])
				continue
			}
			if to.Fragment == "" {
				continue
			}
			found := false
			for _, h := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(read(t, target), ""), -1) {
				found = found || anchor(h[1]) == to.Fragment
			}
			if !found {
				t.Errorf("%s: %s has no heading %q", page, filepath.Base(target), to.Fragment)
			}
		}
	}
	if checked < 50 {
		t.Errorf("only %d links were found", checked)
	}
}
