// Command aigw answers GitLab's AI requests with a model that runs inside this process.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
)

// version is set by the build (-ldflags "-X main.version=...").
var version = "dev"

// Exit codes that scripts may rely on.
const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set.Store(nil)
	app := newApp(stdout, stderr)
	app.Commands, app.Metadata = withSettings(app.Commands, args), map[string]any{argsKey: args}
	err := app.RunContext(ctx, args)
	if err == nil {
		return 0
	}
	if ended := (*exitError)(nil); errors.As(err, &ended) {
		return ended.code
	}
	fmt.Fprintf(stderr, "aigw: %s\n", err)
	if hint := permissionHint(err); hint != "" {
		fmt.Fprintf(stderr, "aigw: %s\n", hint)
	}
	if errors.As(err, new(*usageError)) {
		return exitUsage
	}
	return exitFailed
}

func newApp(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:      "aigw",
		Usage:     "GitLab's AI Gateway and its models in one program",
		UsageText: "aigw run --model codestral.gguf",
		Version:   version, HideVersion: true,
		Writer: stdout, ErrWriter: stderr,
		Commands: []*cli.Command{
			runCommand(), completeCommand(), chatCommand(), askCommand(), tokenizeCommand(), modelsCommand(), docsCommand(), tokenCommand(), keysCommand(),
			configCommand(), doctorCommand(), benchCommand(), topCommand(), explainCommand(), supportCommand(),
			bundleCommand(), rpcWorkerCommand(), installSystemdCommand(), healthCommand(), completionCommand(), manCommand(),
			versionCommand(),
		},
		EnableBashCompletion: true,
		// Errors are printed once, by run, and never end the process from inside a library.
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError:   onUsageError,
		CommandNotFound: func(c *cli.Context, name string) {
			fmt.Fprintf(stderr, "aigw: there is no command %q\n", name)
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return usagef("there is no command %q; see aigw --help", c.Args().First())
			}
			return cli.ShowAppHelp(c)
		},
	}
}

// usageError is a wrong call, as opposed to a call that failed.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// onUsageError replaces the library's habit of printing the whole help above the error.
func onUsageError(c *cli.Context, err error, _ bool) error {
	name := "aigw"
	if c.Command != nil && c.Command.Name != "" && c.Command.Name != "aigw" {
		name += " " + c.Command.Name
	}
	return usagef("%s; see %s --help", err, name)
}
