package main

import (
	"context"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/certificate"

	"github.com/urfave/cli/v2"
)

// certificateEvery is how often a certificate that was replaced is looked for without being told.
const certificateEvery = time.Minute

// reloader takes what was changed while the server runs: on SIGHUP log file, certificate, files
// of keys, log level and limits. It says which other changes need a restart.
type reloader struct {
	cli         *cli.Context
	log         *logger
	gateway     *gateway.Server
	ring        *keyring.Ring
	keys        *apikeys.Ring       // nil: there is no place for them
	certificate *certificate.Holder // nil: none
	settings    map[string]any      // by name, as they were taken last
}

func newReloader(c *cli.Context, log *logger, g *gateway.Server, ring *keyring.Ring, keys *apikeys.Ring, own *certificate.Holder) *reloader {
	if err := countCertificate(g, own); err != nil {
		log.Error("the end of the certificate is not among the metrics", "error", err)
	}
	return &reloader{cli: c, log: log, gateway: g, ring: ring, keys: keys, certificate: own, settings: settingsByName(c)}
}

func settingsByName(c *cli.Context) map[string]any {
	out := map[string]any{}
	for _, s := range allSettings(c) {
		out[s.Name] = s.Value
	}
	return out
}

// run waits for hangups until ctx ends.
func (r *reloader) run(ctx context.Context) {
	followHangups(ctx, certificateEvery, func() { r.reload(ctx) }, func() {
		if r.certificate == nil {
			return
		}
		if err := r.certificate.Reload(); err != nil {
			r.log.Warn("the certificate cannot be read anew; the last one stays in use", "error", err)
		}
	})()
}

// live are the settings that a reload takes.
var live = map[string]bool{
	"user-running": true, "user-rate": true, "instance-running": true, "instance-rate": true, "stranger-rate": true, "AIGW_LOGGING__LEVEL": true,
}

func (r *reloader) reload(ctx context.Context) {
	if r.log.file != nil {
		if err := r.log.file.Reopen(); err != nil {
			r.log.Error("the log file stays where it was", "error", err)
		}
	}
	if r.certificate != nil {
		if err := r.certificate.Reload(); err != nil {
			r.log.Error("the certificate cannot be read anew; the last one stays in use", "error", err)
		}
	}
	r.ring.Reload()
	if err := r.keys.Reload(); err != nil {
		r.log.Error("the file of API keys cannot be read anew; the last keys stay in use", "error", err)
	}
	next, err := rereadSettings(ctx, r.cli)
	if err != nil {
		r.log.Error("the settings cannot be taken; the last ones stay in use", "error", err)
		return
	}
	limits, err := peopleLimits(next)
	if err == nil {
		err = setLogLevel(next.Bool("verbose"))
	}
	if err != nil {
		r.log.Error("the settings cannot be taken; the last ones stay in use", "error", err)
		return
	}
	r.gateway.SetLimits(limits)
	now := settingsByName(next)
	taken, restart := []string{}, []string{}
	for _, name := range changed(r.settings, now) {
		if live[name] {
			taken = append(taken, name)
			r.settings[name] = now[name]
		} else {
			restart = append(restart, name)
		}
	}
	r.log.Info("reloaded", "changed", taken)
	if len(restart) > 0 {
		r.log.Warn("changed settings that need a restart: " + strings.Join(restart, ", "))
	}
}

// changed returns the names whose values differ, sorted.
func changed(before, after map[string]any) []string {
	all := maps.Clone(before)
	maps.Copy(all, after)
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), func(name string) bool { return before[name] == after[name] })
}

// rereadSettings reads command line and files as at the start. The environment is still the same.
func rereadSettings(ctx context.Context, c *cli.Context) (*cli.Context, error) {
	args, _ := c.App.Metadata[argsKey].([]string)
	var next *cli.Context
	app := newApp(io.Discard, io.Discard)
	app.Commands = withSettings(app.Commands, args)
	for _, command := range app.Commands {
		if command.Name == c.Command.Name {
			command.Action = func(c *cli.Context) error {
				next = c
				return checkRunFlags(c)
			}
		}
	}
	before := set.Load()
	err := app.RunContext(ctx, args)
	if err != nil {
		set.Store(before)
		return nil, err
	}
	return next, nil
}

// reopenOnHangup is for the supervisor, which has nothing but its log file to take anew.
func reopenOnHangup(ctx context.Context, l *logger) {
	if l.file == nil {
		return
	}
	go followHangups(ctx, 0, func() {
		if err := l.file.Reopen(); err != nil {
			l.Error("the log file stays where it was", slog.Any("error", err))
		}
	}, nil)()
}
