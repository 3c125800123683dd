package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"aigw/search"
	"aigw/search/source"
)

// mountedDatabases are where GitLab's own image has its docs.db, and where people mount theirs.
var mountedDatabases = []string{"tmp/docs.db", "/app/tmp/docs.db", "/home/aigateway/app/tmp/docs.db"}

// mountedDatabase returns the first that is there, whatever it is.
func mountedDatabase() string {
	for _, file := range mountedDatabases {
		if _, err := os.Lstat(file); err == nil || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return file
		}
	}
	return ""
}

// takeOver makes an index of a docs.db in the state folder, or in memory where that cannot be
// written, and reports whether it is searched now.
func (d *docsServer) takeOver(ctx context.Context, file string) bool {
	db, err := source.Database(file)
	if err != nil {
		d.log.Error("docs.db cannot be taken over", "error", err)
		return false
	}
	collections := []search.Collection{{Name: "gitlab", Source: db}}
	options := search.BuildOptions{Builder: version}
	if d.state != "" {
		dir := filepath.Join(d.state, "docs.index")
		if os.MkdirAll(d.state, 0o700) == nil {
			if _, err = search.Build(ctx, dir, collections, options); err == nil {
				err = d.library.Open(dir)
			}
			if err == nil {
				d.dir = dir
				d.log.Info("docs.db is taken over", "file", file, "index", dir)
				d.announce()
				return true
			}
			d.log.Warn("docs.db cannot be taken over into the state folder; trying in memory", "error", err)
		}
	}
	x, err := search.BuildInMemory(ctx, collections, options)
	if err == nil {
		err = d.library.Use(x)
	}
	if err != nil {
		if ctx.Err() == nil {
			d.log.Error("docs.db cannot be taken over", "error", err)
		}
		return false
	}
	d.log.Info("docs.db is taken over", "file", file, "index", "in memory")
	d.announce()
	return true
}
