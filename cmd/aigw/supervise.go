package main

import (
	"fmt"
	"log/slog"
	"net"

	"aigw/cmd/aigw/supervisor"

	"github.com/urfave/cli/v2"
)

func superviseFlag() cli.Flag {
	return &cli.StringFlag{Name: "supervise", Value: "on", Usage: "start the model process again when it crashes: on, or off where an orchestrator does that", EnvVars: []string{"AIGW_SUPERVISE"}}
}

// ports are what a server listens on.
type ports struct {
	api, metrics net.Listener
	worker       *supervisor.Worker // nil: this process opened them itself
}

// openPorts takes the ports over from the supervisor or from systemd, or opens them.
func openPorts(c *cli.Context) (*ports, error) {
	w, err := supervisor.AsWorker()
	if err != nil {
		return nil, err
	}
	if w != nil {
		if len(w.Listeners) != 2 {
			return nil, fmt.Errorf("the supervisor gave %d ports instead of 2; is it the same version of the program?", len(w.Listeners))
		}
		return &ports{api: w.Listeners[0], metrics: w.Listeners[1], worker: w}, nil
	}
	api, metrics, err := activated()
	if err != nil {
		return nil, err
	}
	if api == nil {
		if api, err = listen("--listen", apiAddress(c)); err != nil {
			return nil, err
		}
	}
	if metrics == nil {
		if metrics, err = listen("--metrics-listen", metricsAddress(c)); err != nil {
			api.Close()
			return nil, err
		}
	}
	return &ports{api: api, metrics: metrics}, nil
}

// close is for the ways that do not come to serving, which closes them too.
func (p *ports) close() {
	p.api.Close()
	p.metrics.Close()
}

// ready tells whoever started this process that the model answers.
func (p *ports) ready() {
	if p.worker == nil {
		notifyReady()
	}
	p.worker.Ready()
}

// exitError ends the program with the code of another process, which has said why.
type exitError struct{ code int }

func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// supervise runs the server in a process of its own and starts that again when it crashes.
func supervise(c *cli.Context, p *ports, log *slog.Logger) error {
	code, err := supervisor.Run(c.Context, supervisor.Options{
		Listeners: []net.Listener{p.api, p.metrics}, Drain: c.Duration("drain-timeout"), Logger: log, Ready: notifyReady,
	})
	if err == nil && code != 0 {
		return &exitError{code}
	}
	return err
}
