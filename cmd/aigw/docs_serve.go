package main

import (
	"context"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"aigw/gateway"
	"aigw/gateway/docsearch"
	"aigw/search"

	"github.com/urfave/cli/v2"
)

// docsFlags are the server's settings of documentation search.
func docsFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "docs", Usage: "`INDEX` of documentation to search, made by aigw docs index", EnvVars: []string{docsVariable}, TakesFile: true},
		&cli.IntFlag{Name: "docs-tokens", Value: docsearch.DefaultTokens, Usage: "most tokens of the passages of one answer; half of what the chat model takes in is the limit in any case", EnvVars: []string{"AIGW_DOCS_TOKENS"}},
	}
}

// docsServer gives the gateway the index that it searches: the one of --docs, or what GitLab's
// own image would have, or the program's own pages. The server does not wait for it.
type docsServer struct {
	dir     string
	log     *slog.Logger
	library search.Library
	state   string // the program's state folder
}

// docsEvery is how often an index that was replaced is looked for without being told.
const docsEvery = 2 * time.Second

func newDocsServer(c *cli.Context, log *slog.Logger, o *gateway.Options) *docsServer {
	d := &docsServer{dir: c.String("docs"), log: log, state: stateDir(c)}
	o.Docs = docsearch.Options{Searcher: &d.library, GitLab: helpBase(c.String("gitlab-url")), Tokens: c.Int("docs-tokens")}
	return d
}

// helpBase is the address that links to help pages are appended to; empty unless it is one.
func helpBase(gitlab string) string {
	u, err := url.Parse(gitlab)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return ""
	}
	return strings.TrimRight((&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String(), "/")
}

// start opens the index in the background, and follows it until ctx ends. What it returns waits
// for the end.
func (d *docsServer) start(ctx context.Context) (ended func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.open(ctx)
		d.follow(ctx)
		if err := d.library.Close(); err != nil {
			d.log.Warn("the documentation index could not be closed", "error", err)
		}
	}()
	return func() { <-done }
}

func (d *docsServer) open(ctx context.Context) {
	if d.dir != "" {
		if err := d.library.Open(d.dir); err != nil {
			d.log.Error("there is no documentation to search", "error", err)
			return
		}
		d.announce()
		return
	}
	if file := mountedDatabase(); file != "" && d.takeOver(ctx, file) {
		return
	}
	own, err := ownDocs(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.log.Error("there is no documentation to search", "error", err)
		}
		return
	}
	if err := d.library.Use(own); err != nil {
		d.log.Error("there is no documentation to search", "error", err)
		return
	}
	d.log.Info("documentation search answers from the program's own pages; for GitLab's, run aigw docs index DIR -o INDEX on its doc folder and start with --docs INDEX")
}

// announce says what is searched.
func (d *docsServer) announce() {
	if m := d.library.Manifest(); m != nil {
		d.log.Info("documentation is searched", "index", d.dir, "version_tag", m.VersionTag, "pages", m.Pages, "passages", m.Passages)
	}
}

// follow opens the index again when it was replaced, and on SIGHUP at once.
func (d *docsServer) follow(ctx context.Context) {
	refresh := func() {
		switch changed, err := d.library.Refresh(); {
		case err != nil:
			d.log.Error("the documentation index cannot be read anew; the last one stays in use", "error", err)
		case changed:
			d.announce()
		}
	}
	followHangups(ctx, docsEvery, refresh, refresh)()
}
