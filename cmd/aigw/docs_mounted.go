package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

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
// written, and reports whether it is searched now. An index that an earlier start made of the same
// file is used as it is.
func (d *docsServer) takeOver(ctx context.Context, file string) bool {
	db, err := source.Database(file)
	if err != nil {
		d.log.Error("docs.db cannot be taken over", "error", err)
		return false
	}
	collections := []search.Collection{{Name: "gitlab", Source: db}}
	options := search.BuildOptions{Builder: version, Mark: fileMark(file)}
	if d.state != "" {
		dir := filepath.Join(d.state, "docs.index")
		if err = d.takeInto(ctx, dir, collections, options); err == nil {
			d.dir = dir
			d.log.Info("docs.db is taken over", "file", file, "index", dir)
			d.announce()
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		d.log.Warn("docs.db cannot be taken over into the state folder; trying in memory", "error", err)
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

func (d *docsServer) takeInto(ctx context.Context, dir string, collections []search.Collection, options search.BuildOptions) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	if m, err := search.ReadManifest(dir); err == nil && m.Mark == options.Mark && m.Builder == options.Builder && d.library.Open(dir) == nil {
		return nil
	}
	if _, err := search.Build(ctx, dir, collections, options); err != nil {
		return err
	}
	return d.library.Open(dir)
}

// fileMark changes when a file does.
func fileMark(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	full, err := filepath.Abs(file)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s, %d bytes, %s", full, info.Size(), info.ModTime().UTC().Format(time.RFC3339Nano))
}
