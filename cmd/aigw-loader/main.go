// Command aigw-loader is the head of every bundle: a static program without cgo that loads and
// verifies the file it stands in, on any Linux of its architecture, without anything else.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"aigw/cmd/aigw/bundlecli"

	"github.com/urfave/cli/v2"
)

// version is set by the build.
var version = "dev"

// errUsage is a wrong call: exit code 2.
var errUsage = errors.New("")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	switch {
	case errors.Is(err, errUsage):
		fmt.Fprintf(os.Stderr, "%s: %s\n", os.Args[0], err)
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %s\n", os.Args[0], err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	h := bundlecli.Host{
		Self: self, Call: os.Args[0],
		Usagef: usagef,
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return usagef("%s; see %s --help", err, os.Args[0])
		},
		Arguments: func(c *cli.Context) ([]string, error) { return c.Args().Slice(), nil },
		Progress:  progress,
	}
	app := &cli.App{
		Name: os.Args[0], Usage: "an aigw bundle: program, model and all that belongs to them in one file",
		UsageText: os.Args[0] + " load --dir FOLDER",
		Version:   version, HideVersion: true,
		Commands:       []*cli.Command{h.Load(), h.Verify()},
		OnUsageError:   h.OnUsageError,
		ExitErrHandler: func(*cli.Context, error) {},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q; see %s --help", c.Args().First(), os.Args[0])
			}
			return cli.ShowAppHelp(c)
		},
	}
	return app.RunContext(ctx, os.Args)
}

func usagef(format string, args ...any) error {
	return fmt.Errorf("%w"+format, append([]any{errUsage}, args...)...)
}

// progress prints a line every ten percent of what takes more than a moment.
func progress(_ *cli.Context, what string) func(done, total int64) {
	const small = 256 << 20
	last := int64(0)
	return func(done, total int64) {
		if tenth := done * 10 / max(total, 1); total > small && tenth != last {
			last = tenth
			fmt.Fprintf(os.Stderr, "%s: %d%%, %d of %d MB\n", what, tenth*10, done/1e6, total/1e6)
		}
	}
}
