package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"aigw/cmd/aigw/top"

	"github.com/urfave/cli/v2"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:      "top",
		Usage:     "show live what a gateway does: requests, tokens a second, queue, memory",
		ArgsUsage: " ",
		Description: "It reads the gateway's metrics. On a terminal it redraws the screen until q is typed; elsewhere it prints a\n" +
			"line at each interval.\n\n" +
			"Examples:\n" +
			"  aigw top\n" +
			"  aigw top --url http://gateway.example.com:8082 --interval 5s\n" +
			"  aigw top --count 10 | tee load.txt\n" +
			"  aigw top --json --count 1 | jq .models",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "url", Value: "http://127.0.0.1:8082", Usage: "`URL` of the gateway's metrics, --metrics-listen"},
			&cli.DurationFlag{Name: "interval", Value: time.Second, Usage: "time between two looks"},
			&cli.IntFlag{Name: "count", Aliases: []string{"n"}, Usage: "print that many lines and end (0: until it is stopped)"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object a line"},
		},
		OnUsageError: onUsageError,
		Action:       watch,
	}
}

func watch(c *cli.Context) error {
	switch {
	case c.Args().Present():
		return usagef("top takes flags only, %q is left over", c.Args().First())
	case c.Duration("interval") < 50*time.Millisecond:
		return usagef("--interval %s: at least 50ms", c.Duration("interval"))
	case c.Int("count") < 0:
		return usagef("--count %d: 0 or more are needed", c.Int("count"))
	}
	u, err := parseBaseURL("--url", c.String("url"))
	if err != nil {
		return &usageError{err.Error()}
	}
	page := strings.TrimSuffix(u.String(), "/")
	if !strings.HasSuffix(page, "/metrics") {
		page += "/metrics"
	}
	from := func(ctx context.Context) (top.Sample, error) { return lookAt(ctx, page) }
	if isTerminal(c.App.Writer) && !c.Bool("json") && c.Int("count") == 0 {
		return top.Show(c.Context, from, c.Duration("interval"), c.String("url"), os.Stdin, c.App.Writer, os.Environ())
	}
	return printRates(c, from)
}

// printRates prints a line at each interval. It ends well when it is stopped, and not when the gateway is away.
func printRates(c *cli.Context, from top.Source) error {
	last, err := from(c.Context)
	if err != nil {
		return err
	}
	tick := time.NewTicker(c.Duration("interval"))
	defer tick.Stop()
	for printed := 0; c.Int("count") == 0 || printed < c.Int("count"); printed++ {
		select {
		case <-c.Context.Done():
			return nil
		case <-tick.C:
		}
		next, err := from(c.Context)
		if err != nil {
			if c.Context.Err() != nil {
				return nil
			}
			return err
		}
		rates := top.Between(last, next)
		last = next
		if c.Bool("json") {
			err = json.NewEncoder(c.App.Writer).Encode(rates)
		} else {
			_, err = fmt.Fprintln(c.App.Writer, rates.Line())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxMetrics bounds a page; ours have some 100 kB.
const maxMetrics = 16 << 20

func lookAt(ctx context.Context, page string) (top.Sample, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return top.Sample{}, err
	}
	answer, err := doctorClient.Do(r)
	if err != nil {
		return top.Sample{}, fmt.Errorf("%w; is a gateway running, and is this its --metrics-listen?", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return top.Sample{}, fmt.Errorf("%s answers %s; --url is the address of --metrics-listen", page, answer.Status)
	}
	return top.Read(io.LimitReader(answer.Body, maxMetrics), time.Now())
}
