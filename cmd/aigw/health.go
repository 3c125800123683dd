package main

import (
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/urfave/cli/v2"
)

func healthCommand() *cli.Command {
	return &cli.Command{
		Name:  "health",
		Usage: "ask a running gateway how it is; exit code 0 if it is well",
		Description: "Made for container health checks: it needs no other program. The address is the one that aigw run would take.\n\n" +
			"Examples:\n" +
			"  aigw health\n" +
			"  aigw health --ready --listen 127.0.0.1:5052",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the API", DefaultText: "127.0.0.1:5052", EnvVars: []string{"AIGW_LISTEN"}},
			&cli.BoolFlag{Name: "ready", Usage: "ask whether the models answer, not only the server"},
			&cli.DurationFlag{Name: "timeout", Value: 3 * time.Second, Usage: "how long to wait"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			host, port, err := net.SplitHostPort(apiAddress(c))
			if err != nil {
				return usagef("--listen: %s", err)
			}
			// A server that listens on every address is asked on this machine's own.
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "127.0.0.1"
			}
			path := "/monitoring/healthz"
			if c.Bool("ready") {
				path = "/monitoring/ready"
			}
			url := "http://" + net.JoinHostPort(host, port) + path
			// Never through a proxy: it would ask its own machine.
			client := http.Client{Timeout: c.Duration("timeout"), Transport: &http.Transport{}}
			answer, err := client.Get(url)
			if err != nil {
				return fmt.Errorf("the gateway does not answer: %w", err)
			}
			defer answer.Body.Close()
			if answer.StatusCode != http.StatusOK {
				return fmt.Errorf("%s answers %s", url, answer.Status)
			}
			return printLine(c.App.Writer, "%s answers %s", url, answer.Status)
		},
	}
}
