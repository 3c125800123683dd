package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"aigw/models/store"

	"github.com/urfave/cli/v2"
)

// storeFlag names the store for every command that can use a stored model.
func storeFlag() cli.Flag {
	return &cli.StringFlag{Name: "store", Usage: "`FOLDER` of stored models", DefaultText: "aigw/models in your data folder", EnvVars: []string{"AIGW_STORE"}, TakesFile: true}
}

func openStore(c *cli.Context) (*store.Store, error) {
	dir := c.String("store")
	if dir == "" {
		var err error
		if dir, err = store.DefaultDir(); err != nil {
			return nil, err
		}
	}
	return store.At(dir), nil
}

// findModel returns the path that an argument means: a file's own or, where no such file exists,
// that of a stored model, whose name it returns too.
func findModel(c *cli.Context, arg string) (path, name string, err error) {
	info, _ := os.Stat(arg) // nil where there is no such file
	isName := store.CheckName(arg) == nil
	if info != nil && !info.IsDir() || !isName {
		return arg, "", nil
	}
	s, err := openStore(c)
	if err != nil {
		return "", "", err
	}
	m, err := s.Find(arg)
	switch unknown := errors.As(err, new(*store.UnknownError)); {
	case unknown && info != nil:
		return arg, "", nil // a folder: what is said about it helps more
	case err != nil:
		return "", "", err
	}
	return m.Path, m.Name, nil
}

// bytesProgress shows how far a long read is: a bar on a terminal, lines of the log elsewhere.
// Nothing is shown of what is done at once.
func bytesProgress(c *cli.Context, what string) func(done, total int64) {
	log, err := newLogger(c.App.ErrWriter, false)
	if err != nil {
		log = slog.New(slog.DiscardHandler)
	}
	shown := newProgress(c.App.ErrWriter, log, what)
	return func(done, total int64) {
		const small = 256 << 20 // read in less than a second
		if total > small {
			shown.of(total).set(float32(float64(done) / float64(total)))
		}
	}
}

// humanBytes is a size for people: MB and GB as disks are sold, of 10^6 and 10^9 bytes.
func humanBytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f kB", float64(n)/1e3)
}

// countFiles says how many files a model has.
func countFiles(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

// abilities says what a stored model can do.
func abilities(m store.Model) string {
	var can []string
	if m.FIM {
		can = append(can, "fills in the middle")
	}
	if m.Chat != "" {
		can = append(can, "chat")
	}
	if len(can) == 0 {
		return "continues text"
	}
	return strings.Join(can, ", ")
}

// printLine prints one line, as far as the writer takes it.
func printLine(w io.Writer, format string, args ...any) error {
	_, err := fmt.Fprintf(w, format+"\n", args...)
	return err
}
