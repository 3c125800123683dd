// Command bench compares aigw with llama.cpp's own programs, side by side, on one machine in one
// run: the engine in process with llama-bench, and `aigw run` with llama-server over HTTP.
//
//	go run ./bench -model FILE
//
// All sides get the same settings, prompts, sampling and lengths of answers, and take turns; a
// figure is a median, with quartiles, and gets a verdict only where A against A stays within 5 %.
// A missed target is reported and is no failure of the program: it exits with 0, with 1 when
// something could not be measured, and with 2 when it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	if isSpinner() {
		spin(os.Getppid())
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process around it. When it returns, no peer is left running.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parseFlags(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintf(stderr, "bench: %s; see -help\n", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("the run took longer than %s; raise -timeout or lower -n", o.limit))
	defer cancel()
	b := &benchmark{options: o, out: stdout, log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	b.say = func(text string) { fmt.Fprintf(stderr, "bench: %s\n", text) }
	if err := b.run(ctx); err != nil {
		// A peer that is ended by the end of the run complains; the reason is the run's.
		if cause := context.Cause(ctx); cause != nil {
			err = cause
			if errors.Is(err, context.Canceled) {
				err = errors.New("interrupted")
			}
		}
		fmt.Fprintf(stderr, "bench: %s\n", err)
		return exitFailed
	}
	return 0
}

// options are the command line.
type options struct {
	set         settings
	repetitions int
	only        []string // names of scenarios
	limit       time.Duration
	raw         string // file for -json

	soak                        time.Duration
	head, paste                 int           // tokens
	side                        time.Duration // that a repetition of a scenario should take a side at most
	growthPeople, growthPrompts []int
	rivals                      []rival
	design                      string // page that the growth is written into

	llamaServer, llamaBench, aigw string
}

// scenarioNames are what -only understands, in the order in which they run.
var scenarioNames = []string{"engine", "busy", "speculation", "grammar", "stream", "latency", "crowd", "chat",
	"typing", "team", "neighbour", "hangup", "herd", "overload", "soak", "growth"}

// parseFlags writes the help that -help asks for to help; errors are the caller's to print.
func parseFlags(args []string, help io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Usage = func() {} // printed below, not with every error
	folder := f.String("bin", "bin", "folder of the programs that are not named by flags of their own")
	f.StringVar(&o.llamaServer, "server", "", "llama-server (default BIN/llama-server)")
	f.StringVar(&o.llamaBench, "llama-bench", "", "llama-bench (default BIN/llama-bench)")
	f.StringVar(&o.aigw, "aigw", "", "aigw (default BIN/aigw)")
	f.StringVar(&o.set.Model, "model", "", "GGUF file that all sides load")
	f.IntVar(&o.set.Threads, "threads", runtime.NumCPU(), "threads of each side")
	f.IntVar(&o.set.Context, "ctx", 8192, "KV cells of the servers; scenarios that need more have more, on both sides")
	f.IntVar(&o.set.Parallel, "parallel", 8, "requests that the servers run at once")
	f.StringVar(&o.set.FlashAttention, "fa", "on", "flash attention: on or off")
	f.StringVar(&o.set.CacheTypeK, "ctk", "f16", "type of the K cache")
	f.StringVar(&o.set.CacheTypeV, "ctv", "f16", "type of the V cache")
	f.IntVar(&o.set.GPULayers, "ngl", 0, "layers on the GPU; 999 is all")
	f.IntVar(&o.repetitions, "n", 6, "repetitions; below 6 there is no check of the noise and so no verdict")
	only := f.String("only", "", "comma-separated scenarios (default: all of "+strings.Join(scenarioNames, ",")+")")
	rivals := f.String("rival", string(equal), "llama-server's settings, one or several of: equal to ours; its best, which is -b 128 -ub 128, and for one stream -fa off -ctk q8_0; default, its own")
	f.DurationVar(&o.soak, "soak", 10*time.Minute, "how long each side is soaked")
	f.IntVar(&o.head, "head", 2000, "tokens of the head that a herd has in common")
	f.IntVar(&o.paste, "paste", 6000, "tokens that the neighbour pastes")
	f.DurationVar(&o.side, "side", 45*time.Second, "about how long a repetition of a scenario of many people may take a side: its sizes are halved until they fit; 0: never")
	people := f.String("growth-people", "1,2,4,8,16,32,64", "numbers of people that the growth is shown for")
	prompts := f.String("growth-prompts", "512,1024,2048,4096,6000", "lengths of prompts that it is shown for, in tokens")
	f.StringVar(&o.design, "design", "", "page that the growth is written into, such as docs/design.md")
	f.DurationVar(&o.limit, "timeout", 90*time.Minute, "longest time of the whole run")
	f.StringVar(&o.raw, "json", "", "file for the raw numbers")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			fmt.Fprint(help, "usage: go run ./bench -model FILE [flags]\n\n"+
				"Compares aigw with llama-server and llama-bench (make build peers) on this machine.\n\n")
			f.SetOutput(help)
			f.PrintDefaults()
		}
		return o, err
	}
	o.set.Poll, o.set.Batch = 0, 512
	for program, name := range map[*string]string{&o.llamaServer: "llama-server", &o.llamaBench: "llama-bench", &o.aigw: "aigw"} {
		if *program == "" {
			*program = filepath.Join(*folder, name)
		}
	}
	var err error
	if o.growthPeople, err = numbers("-growth-people", *people); err != nil {
		return o, err
	}
	if o.growthPrompts, err = numbers("-growth-prompts", *prompts); err != nil {
		return o, err
	}
	if o.rivals, err = rivalsNamed(*rivals); err != nil {
		return o, err
	}
	o.only = scenarioNames
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	return o, o.validate(f.Args())
}

func (o options) validate(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("nothing is expected after the flags, but %q was given", rest)
	}
	if o.repetitions < 1 {
		return fmt.Errorf("%d repetitions; at least 1 is needed, 6 for a verdict", o.repetitions)
	}
	for _, name := range o.only {
		if !slices.Contains(scenarioNames, name) {
			return fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(scenarioNames, ", "))
		}
	}
	if o.head < 1 || o.paste < 1 || o.soak < time.Second {
		return fmt.Errorf("-head %d, -paste %d, -soak %s: a token and a second are the least", o.head, o.paste, o.soak)
	}
	if o.side < 0 {
		return fmt.Errorf("-side %s: a time is expected, or 0", o.side)
	}
	if o.design != "" && o.wants("growth") {
		if _, _, err := placeOfGrowth(o.design); err != nil {
			return err
		}
	}
	return o.set.validate()
}

// numbers reads a list of positive numbers; it may be empty.
func numbers(flag, list string) (out []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		if list == "" {
			break
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%s %q: numbers such as 1,2,4 are expected", flag, list)
		}
		out = append(out, n)
	}
	return out, nil
}

func (o options) wants(name string) bool { return slices.Contains(o.only, name) }

// wantsEngine says whether any scenario needs the engine in process and llama-bench.
func (o options) wantsEngine() bool { return o.wants("engine") || o.wants("busy") }

// wantsServers says whether any scenario needs both servers.
func (o options) wantsServers() bool {
	return slices.ContainsFunc(scenarioNames[slices.Index(scenarioNames, "stream"):], o.wants)
}
