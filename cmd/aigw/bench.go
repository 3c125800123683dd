package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"aigw/cmd/aigw/workload"

	"github.com/urfave/cli/v2"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:      "bench",
		Usage:     "play a recorded mix of people against a model or a gateway, and say how many of them are served in time",
		ArgsUsage: " ",
		Description: "It takes the flags of aigw run, loads the model in this process and asks it as GitLab does; with --url it asks a\n" +
			"gateway that runs. The number of people is doubled until an objective is missed, and then narrowed down. With\n" +
			"--people it is that number, and the exit code is 1 if an objective was missed. See docs/benchmark.md.\n\n" +
			"Examples:\n" +
			"  aigw bench --model codestral.gguf\n" +
			"  aigw bench --model codestral.gguf --mix typing --completion-p95 500ms --for 5m\n" +
			"  aigw bench --url http://127.0.0.1:5052 --key test.pem --people 20 --for 1m --json",
		Flags: append(append(runFlags(), remoteFlags()...),
			&cli.StringFlag{Name: "mix", Value: "mixed", Usage: "who there is: mixed, typing, chat, paste, or a `NAME` in --recording"},
			&cli.StringFlag{Name: "recording", Usage: "`FILE` of sessions and mixes in place of the program's own", TakesFile: true},
			&cli.DurationFlag{Name: "for", Value: 3 * time.Minute, Usage: "how long to measure"},
			&cli.IntFlag{Name: "people", Usage: "measure with that many (0: find out how many are served)"},
			&cli.IntFlag{Name: "most", Value: 256, Usage: "people are never tried"},
			&cli.DurationFlag{Name: "completion-p95", Value: 1500 * time.Millisecond, Usage: "objective: time in which 95 of 100 suggestions are there (0: none)"},
			&cli.DurationFlag{Name: "opening-p95", Usage: "objective: likewise for the first suggestion in a file, which has to be read whole (0: none)"},
			&cli.DurationFlag{Name: "generation-p95", Value: 5 * time.Second, Usage: "objective: time in which 95 of 100 generations show their first text (0: none)"},
			&cli.DurationFlag{Name: "chat-p95", Value: 5 * time.Second, Usage: "objective: time in which 95 of 100 chat answers show their first text (0: none)"},
			&cli.DurationFlag{Name: "worst-gap", Value: 2 * time.Second, Usage: "objective: longest time that a text stands still while it is written (0: none)"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		),
		OnUsageError: onUsageError,
		Action:       bench,
	}
}

// benched is what aigw bench --json prints.
type benched struct {
	Version    string             `json:"version"`
	Gateway    string             `json:"gateway"` // its URL, or "in process"
	Models     []string           `json:"models"`  // in process
	Mix        string             `json:"mix"`
	Objectives map[string]float64 `json:"objectives_ms"`
	*workload.Result
}

func bench(c *cli.Context) error {
	run, err := benchRun(c)
	if err != nil {
		return err
	}
	out := benched{Version: version, Gateway: "in process", Models: []string{}, Mix: c.String("mix"), Objectives: map[string]float64{}}
	for _, name := range objectiveFlags {
		out.Objectives[name] = float64(c.Duration(name).Microseconds()) / 1000
	}
	log, err := newLogger(c.App.ErrWriter, false)
	if err != nil {
		return err
	}
	at, err := askedRemote(c)
	if err != nil {
		return err
	}
	if at == nil {
		own, err := benchInProcess(c)
		if err != nil {
			return err
		}
		defer func() {
			if err := own.close(); err != nil {
				slog.Error("closing the model", "error", err)
			}
		}()
		at, out.Models = own.remote, own.models
	} else {
		out.Gateway = at.url
	}
	run.Asker = &benchAsker{at: at, everybody: c.String("token-file") != ""}
	if err := probe(c.Context, run); err != nil {
		return err
	}
	showStages(c.App.ErrWriter, log, run)
	if out.Result, err = run.Run(c.Context); err != nil {
		if c.Context.Err() != nil {
			return errors.New("interrupted before there was a result")
		}
		return err
	}
	if err := out.print(c); err != nil {
		return err
	}
	if run.People > 0 && out.Missed > 0 {
		return &exitError{exitFailed}
	}
	return nil
}

// objectiveFlags are the names of the objectives, in --json, too.
var objectiveFlags = []string{"completion-p95", "opening-p95", "generation-p95", "chat-p95", "worst-gap"}

// benchRun is what the flags say of the measurement.
func benchRun(c *cli.Context) (*workload.Run, error) {
	if c.Args().Present() {
		return nil, usagef("bench takes flags only, %q is left over", c.Args().First())
	}
	for _, name := range objectiveFlags {
		if c.Duration(name) < 0 {
			return nil, usagef("--%s %s: it cannot be negative", name, c.Duration(name))
		}
	}
	const mostPeople = 1000
	if n := c.Int("people"); n < 0 || n > mostPeople {
		return nil, usagef("--people %d: from 0 to %d are possible", n, mostPeople)
	}
	if n := c.Int("most"); n < 1 || n > mostPeople {
		return nil, usagef("--most %d: from 1 to %d are possible", n, mostPeople)
	}
	var r *workload.Recording
	var err error
	if path := c.String("recording"); path != "" {
		if r, err = workload.Open(path); err != nil {
			return nil, plainPathError(err)
		}
	} else if r, err = workload.Recorded(); err != nil {
		return nil, err
	}
	mix, err := r.Mix(c.String("mix"))
	if err != nil {
		return nil, usagef("--mix: %v", err)
	}
	run := &workload.Run{
		Recording: r, Mix: mix, For: c.Duration("for"), People: c.Int("people"), Most: c.Int("most"),
		Objectives: workload.Objectives{
			Within: map[workload.Class]time.Duration{
				workload.Completion: c.Duration("completion-p95"), workload.Opening: c.Duration("opening-p95"),
				workload.OfGeneration: c.Duration("generation-p95"), workload.OfChat: c.Duration("chat-p95"),
			},
			Gap: c.Duration("worst-gap"),
		},
	}
	if least := run.Shortest(); run.For < least {
		return nil, usagef("--for %s: with these objectives at least %s are needed to see whether they are kept", run.For, least)
	}
	return run, nil
}

// benchAsker asks a gateway on behalf of people.
type benchAsker struct {
	at        *remote
	everybody bool // is the same person: a token of --token-file may be for that one
}

// Ask implements workload.Asker.
func (b *benchAsker) Ask(ctx context.Context, person int, r workload.Request, piece func(string)) error {
	at := *b.at
	if !b.everybody {
		at.headers = at.headers.Clone()
		at.headers.Set("X-Gitlab-Global-User-Id", fmt.Sprintf("aigw-bench-%d", person))
	}
	read := copyText(func(text string) error {
		piece(text)
		return nil
	})
	if !r.Streamed {
		read = readSuggestion(piece)
	}
	err := at.post(ctx, r.Path, r.Body, read)
	if refused := (*remoteError)(nil); errors.As(err, &refused) && refused.busy() {
		return fmt.Errorf("%w: %w", workload.ErrRefused, err)
	}
	return err
}

// busy tells an answer of a gateway that has too much to do from one of a gateway that cannot do it.
func (e *remoteError) busy() bool {
	return e.status == http.StatusTooManyRequests || e.status == http.StatusServiceUnavailable && e.hint != ""
}

// readSuggestion reads an answer of /v2/code/completions that is not streamed.
func readSuggestion(piece func(string)) func(io.Reader) error {
	return func(in io.Reader) error {
		var answer struct {
			Choices []struct{ Text string }
		}
		if err := json.NewDecoder(io.LimitReader(in, mostAnswer)).Decode(&answer); err != nil {
			return fmt.Errorf("the gateway's answer is no suggestion: %w; is that an aigw?", err)
		}
		for _, choice := range answer.Choices {
			piece(choice.Text)
		}
		return nil
	}
}

// probeLimit bounds the first answer of a gateway.
const probeLimit = 2 * time.Minute

// probe asks for the first text of an answer of each kind that the mix has.
func probe(ctx context.Context, run *workload.Run) error {
	for _, kind := range run.Recording.Kinds(run.Mix, len(run.Mix.People)) {
		ctx, cancel := context.WithTimeoutCause(ctx, probeLimit, fmt.Errorf("no answer within %s", probeLimit))
		answered := false
		err := run.Asker.Ask(ctx, 0, workload.Probe(kind), func(string) {
			answered = true
			cancel()
		})
		cancel()
		if err != nil && !answered {
			return fmt.Errorf("the first request for %s: %w; another mix is chosen with --mix", kind, err)
		}
	}
	return nil
}

// showStages says how far a measurement is: a line that redraws itself on a terminal, a log line for each stage elsewhere.
func showStages(out io.Writer, log *slog.Logger, run *workload.Run) {
	var shown *progress
	var over chan struct{}
	run.Begin = func(people int, takes time.Duration) {
		if !isTerminal(out) {
			log.Info("measuring", "people", people, "who", run.Recording.Who(run.Mix, people), "seconds", takes.Seconds())
			return
		}
		shown, over = newProgress(out, log, fmt.Sprintf("%3d people", people)), make(chan struct{})
		go func(p *progress, over chan struct{}) {
			for {
				select {
				case <-over:
					return
				case <-time.After(200 * time.Millisecond):
					p.set(float32(min(0.99, p.seconds()/takes.Seconds())))
				}
			}
		}(shown, over)
	}
	run.End = func(s workload.Stage) {
		if !isTerminal(out) {
			log.Info("measured", "people", s.People, "kept", len(s.Missed) == 0, "missed", s.Missed)
			return
		}
		close(over)
		shown.set(1)
	}
}

// print prints the result.
func (b benched) print(c *cli.Context) error {
	if c.Bool("json") {
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(b)
	}
	var table strings.Builder
	t := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "people\tanswers\tasked\tin time\tlate\trefused\tfailed\tfirst text: half\t95 of 100\twhole: half\tworst gap\tcharacters/s")
	for _, s := range b.Stages {
		for _, class := range workload.Classes {
			f, ok := s.Classes[class]
			if !ok {
				continue
			}
			fmt.Fprintf(t, "%d\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%.0f\n", s.People, class, f.Asked, f.Answered, f.Late, f.Refused, f.Failed,
				shownMS(f.FirstP50), shownMS(f.FirstP95), shownMS(f.WholeP50), shownMS(&f.WorstGap), f.Speed)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return printLine(c.App.Writer, "%s\n%s", table.String(), b.Verdict)
}

func shownMS(v *float64) string {
	if v == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", *v)
}

// ownGateway is a gateway in this process that only this command can ask.
type ownGateway struct {
	*clinic
	remote *remote
	models []string
}

// benchInProcess loads the models of the flags, as aigw run does.
func benchInProcess(c *cli.Context) (*ownGateway, error) {
	if err := checkRunFlags(c); err != nil {
		return nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	chosen, err := chooseModels(c, quiet)
	if err != nil {
		return nil, err
	}
	if len(chosen.files) == 0 {
		return nil, usagef("no model: name a GGUF file with --model FILE, or a gateway with --url URL")
	}
	if isTerminal(c.App.ErrWriter) {
		fmt.Fprintf(c.App.ErrWriter, "loading %s\n", chosen.label())
	}
	at, _, err := openClinic(c.Context, c, chosen)
	if err != nil {
		return nil, err
	}
	at.warmed()
	r := &remote{url: at.url, headers: http.Header{}}
	r.headers.Set("Content-Type", "application/json")
	r.headers.Set("User-Agent", "aigw")
	if err := r.signWith(at.key); err != nil {
		return nil, errors.Join(err, at.close())
	}
	return &ownGateway{clinic: at, remote: r, models: chosen.names()}, nil
}
