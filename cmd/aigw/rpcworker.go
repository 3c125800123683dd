package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"

	"aigw/cmd/aigw/supervisor"
	"aigw/internal/tunnel"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/urfave/cli/v2"
)

// What a worker can be asked for. The number counts changes that an older program would not understand.
const (
	serviceRPC   = "aigw-rpc/1"       // ggml's protocol
	serviceOffer = "aigw-rpc-offer/1" // one engine.Offer as JSON
)

func rpcWorkerCommand() *cli.Command {
	return &cli.Command{
		Name:  "rpc-worker",
		Usage: "compute layers of a model that another machine's aigw run --rpc is too small for",
		Description: "Machines know each other by the fingerprints of their keys, which each makes for itself. Who has a key that is\n" +
			"named with --peer can do with this worker whatever he wants; see docs/beyond-one-node.md.\n\n" +
			"Examples:\n" +
			"  aigw rpc-worker fingerprint    # on both machines: what to give to the other one\n" +
			"  aigw rpc-worker --listen 10.0.0.2:50052 --peer 5f0c…    # on the worker, the fingerprint of the other\n" +
			"  aigw run --model mixtral.gguf --rpc 10.0.0.2:50052 --rpc-peer 9a1e…    # there, the worker's\n" +
			"  aigw rpc-worker    # on a loopback address, for SSH: ssh -L 50052:127.0.0.1:50052 worker",
		Flags: append(connectionFlags(),
			&cli.StringFlag{Name: "listen", Value: "127.0.0.1:50052", Usage: "`ADDRESS` to listen on; one that other machines reach needs --peer", EnvVars: []string{"AIGW_RPC_LISTEN"}},
			&cli.StringFlag{Name: "peer", Usage: "`SHA256` of the key of a machine that may use this one; several are separated by commas", EnvVars: []string{"AIGW_RPC_WORKER_PEER"}},
			&cli.IntFlag{Name: "max-connections", Value: 4, Usage: "most connections at once, each a process with weights of its own; aigw run keeps one", EnvVars: []string{"AIGW_RPC_MAX_CONNECTIONS"}},
			stateFlag(),
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "log what llama.cpp says, too", EnvVars: []string{"AIGW_VERBOSE"}},
		),
		Subcommands:  []*cli.Command{fingerprintCommand(), serveConnectionCommand()},
		OnUsageError: onUsageError,
		Action:       rpcWorker,
	}
}

// connectionFlags are those of the process that serves one connection.
func connectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "threads", Usage: "CPU threads; 0 is half as many as this process may use: more of them are slower as soon as one processor has something else to do", EnvVars: []string{"AIGW_THREADS"}},
		&cli.StringFlag{Name: "device", Usage: "`NAME` of a device to offer, as aigw version shows them; several are separated by commas", DefaultText: "the GPUs, or the processor where there are none", EnvVars: []string{"AIGW_RPC_DEVICE"}},
		&cli.StringFlag{Name: "backend-dir", Usage: "`FOLDER` of ggml's back ends, for programs that load them at run time", EnvVars: []string{"AIGW_BACKEND_DIR"}},
	}
}

func fingerprintCommand() *cli.Command {
	return &cli.Command{
		Name:  "fingerprint",
		Usage: "print the fingerprint of this machine's key, which is made if there is none",
		Description: "Examples:\n" +
			"  aigw rpc-worker fingerprint\n" +
			"  aigw rpc-worker fingerprint --state-dir /var/lib/aigw",
		Flags:        []cli.Flag{stateFlag()},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			id, err := tunnelIdentity(c)
			if err != nil {
				return err
			}
			return printLine(c.App.Writer, "%s", id.Fingerprint)
		},
	}
}

// tunnelIdentity opens the key of this machine, the same for aigw run and aigw rpc-worker.
func tunnelIdentity(c *cli.Context) (*tunnel.Identity, error) {
	dir := stateDir(c)
	if dir == "" {
		return nil, fmt.Errorf("there is no folder for this machine's key; name one with --state-dir")
	}
	return tunnel.OpenIdentity(filepath.Join(dir, "rpc-key.pem"))
}

// parsePeers reads a list of fingerprints.
func parsePeers(flag, text string) ([]tunnel.Fingerprint, error) {
	var out []tunnel.Fingerprint
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		f, err := tunnel.ParseFingerprint(part)
		if err != nil {
			return nil, usagef("--%s: %v; aigw rpc-worker fingerprint prints it on that machine", flag, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// loopbackAddress tells whether only this machine reaches an address. A name counts if it is localhost.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func rpcWorker(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("rpc-worker takes flags only, %q is left over; see aigw rpc-worker --help", c.Args().First())
	}
	if n := c.Int("max-connections"); n < 1 || n > 64 {
		return usagef("--max-connections %d: from 1 to 64", n)
	}
	if n := c.Int("threads"); n < 0 || n > 512 {
		return usagef("--threads %d: from 0 to 512", n)
	}
	peers, err := parsePeers("peer", c.String("peer"))
	if err != nil {
		return err
	}
	address := c.String("listen")
	log, err := newLogger(c.App.ErrWriter, c.Bool("verbose"))
	if err != nil {
		return err
	}
	if err := supervisor.NoCoreDumps(); err != nil {
		log.Warn("if the program crashes, its memory, with people's code in it, may be written to a disk", "error", err)
	}
	w := &connections{cli: c, log: log}
	s := &tunnel.Server{Peers: peers, Services: []string{serviceRPC, serviceOffer}, Limit: c.Int("max-connections"), Serve: w.serve, Logger: log}
	switch {
	case len(peers) > 0:
		if s.Identity, err = tunnelIdentity(c); err != nil {
			return err
		}
	case !loopbackAddress(address):
		return usagef("--listen %s: who reaches a worker can run anything on it, so other machines have to be named: --peer SHA256, which aigw rpc-worker fingerprint prints there", address)
	}
	// Before anybody waits for it: what cannot be offered is said at the start.
	offer, err := w.offer(c.Context)
	if err != nil {
		return err
	}
	l, err := listen("--listen", address)
	if err != nil {
		return err
	}
	for _, d := range offer.Devices {
		log.Info("offered", "device", d.Name, "description", d.Description, "free_mib", d.FreeBytes>>20, "total_mib", d.TotalBytes>>20)
	}
	if s.Identity != nil {
		log.Info("rpc worker", "listen", l.Addr().String(), "fingerprint", s.Identity.Fingerprint.String(), "peers", len(peers), "version", version)
	} else {
		log.Warn("rpc worker without keys: every user of this machine can use it, and run anything as its user; name who may with --peer", "listen", l.Addr().String(), "version", version)
	}
	notify(daemon.SdNotifyReady)
	defer context.AfterFunc(c.Context, func() { notify(daemon.SdNotifyStopping) })()
	if err := s.Run(c.Context, l); err != nil {
		return err
	}
	log.Info("stopped")
	return nil
}

// connections serves peers of a worker.
type connections struct {
	cli *cli.Context
	log *slog.Logger
}
