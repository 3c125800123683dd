package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"aigw/engine"
	"aigw/internal/tunnel"

	"github.com/urfave/cli/v2"
)

// rpcFlags are about machines that compute some layers of the models here.
func rpcFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "rpc", Usage: "`HOST:PORT` of an aigw rpc-worker that computes layers which this machine has no memory for; several are separated by commas", EnvVars: []string{"AIGW_RPC"}},
		&cli.StringFlag{Name: "rpc-peer", Usage: "`SHA256` of the key of such a worker, as aigw rpc-worker fingerprint prints it there; several are separated by commas. Without it only loopback addresses can be named", EnvVars: []string{"AIGW_RPC_PEER"}},
	}
}

// maxWorkers is GGML_RPC_MAX_SERVERS and llama_max_devices of llama.cpp v0.5.0.
const maxWorkers = 16

// askedWorkers reads --rpc and --rpc-peer.
func askedWorkers(c *cli.Context) (addresses []string, peers []tunnel.Fingerprint, err error) {
	if peers, err = parsePeers("rpc-peer", c.String("rpc-peer")); err != nil {
		return nil, nil, err
	}
	for address := range strings.SplitSeq(c.String("rpc"), ",") {
		if address = strings.TrimSpace(address); address == "" {
			continue
		}
		host, port, err := net.SplitHostPort(address)
		switch {
		case err != nil || host == "" || port == "":
			return nil, nil, usagef("--rpc %s: HOST:PORT is expected, such as 10.0.0.2:50052", address)
		case len(peers) == 0 && !loopbackAddress(address):
			return nil, nil, usagef("--rpc %s: a worker on another machine needs --rpc-peer SHA256, which aigw rpc-worker fingerprint prints there; without it people's code would cross the network unprotected", address)
		}
		addresses = append(addresses, address)
	}
	switch {
	case len(addresses) == 0 && len(peers) > 0:
		return nil, nil, usagef("--rpc-peer names a worker's key, and no worker is named with --rpc HOST:PORT")
	case len(addresses) > maxWorkers:
		return nil, nil, usagef("--rpc: %d workers, at most %d are possible", len(addresses), maxWorkers)
	}
	return addresses, peers, nil
}

func checkRPC(c *cli.Context) error {
	addresses, _, err := askedWorkers(c)
	if err == nil && len(addresses) > 0 && gpuLayers(c) == 0 {
		return usagef("--rpc and --gpu-layers 0 contradict each other: a worker computes as many layers as --gpu-layers says; leave it out, or name a number")
	}
	return err
}

// addWorkers lets llama.cpp use the workers of --rpc. One that cannot be reached is an error at the first start; when the
// program had come up with all of them before, they are waited for.
func (s *server) addWorkers(ctx context.Context) error {
	addresses, peers, err := askedWorkers(s.cli)
	if err != nil || len(addresses) == 0 {
		return err
	}
	var id *tunnel.Identity
	if len(peers) > 0 {
		if id, err = tunnelIdentity(s.cli); err != nil {
			return err
		}
		s.log.Info("this machine's key", "fingerprint", id.Fingerprint.String())
	}
	for _, address := range addresses {
		client := &tunnel.Client{Address: address, Identity: id, Peers: peers}
		for pause := time.Second; ; pause = min(2*pause, 10*time.Second) {
			if err = s.addWorker(ctx, client); err == nil {
				break
			}
			if w := s.ports.worker; w == nil || w.Crashes == 0 || !waitingHelps(err) || ctx.Err() != nil {
				return err
			}
			s.log.Warn("waiting for an rpc worker", "worker", address, "error", err, "again_in", pause.String())
			select {
			case <-time.After(pause):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	for _, d := range engine.Remotes() {
		s.log.Info("rpc worker", "device", d.Name, "worker", d.Description, "free_mib", d.FreeBytes>>20, "total_mib", d.TotalBytes>>20)
	}
	return nil
}

// waitingHelps tells a machine that is away from one that is another or has another release.
func waitingHelps(err error) bool {
	return !errors.As(err, new(*tunnel.WrongPeerError)) && !errors.As(err, new(*unfitError))
}

// unfitError says that a worker is there and cannot be used.
type unfitError struct{ reason error }

func (e *unfitError) Error() string { return e.reason.Error() }

// addWorker connects to one worker for as long as this process lives.
func (s *server) addWorker(ctx context.Context, client *tunnel.Client) error {
	offer, err := askOffer(ctx, client)
	if err != nil {
		return inWords(client, err)
	}
	far, err := dialPatiently(ctx, client)
	if err != nil {
		return inWords(client, err)
	}
	name, err := tunnel.Entrance(far, s.whenGone(ctx, client.Address))
	if err != nil {
		far.Close()
		return err
	}
	return engine.AddRemote(s.cli.String("backend-dir"), name+":0", client.Address, offer, s.log)
}

// askOffer makes sure that a worker speaks the same language as llama.cpp here, which would end the process over it,
// and asks what it offers; nil: it does not say.
func askOffer(ctx context.Context, client *tunnel.Client) (*engine.Offer, error) {
	service := serviceOffer
	if client.Identity == nil {
		service = serviceRPC // also llama.cpp's own server
	}
	c, err := client.Dial(ctx, service)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // its first start with plug-ins tries CPU variants
	if client.Identity == nil {
		return nil, helloRPC(c)
	}
	offer, err := readOffer(c)
	if err != nil {
		return nil, err
	}
	if err := offer.Fits(); err != nil {
		return nil, &unfitError{err}
	}
	return offer, nil
}

// dialPatiently gives a worker time to put away the connection before: the one that asked for its offer, or that
// of a process that crashed.
func dialPatiently(ctx context.Context, client *tunnel.Client) (net.Conn, error) {
	for tries := 0; ; tries++ {
		c, err := client.Dial(ctx, serviceRPC)
		if !errors.Is(err, tunnel.ErrBusy) || tries == 20 {
			return c, err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// inWords says what to do about a worker that cannot be used.
func inWords(client *tunnel.Client, err error) error {
	const fingerprint = "aigw rpc-worker fingerprint"
	var unfit *unfitError
	switch {
	case errors.As(err, new(*tunnel.WrongPeerError)):
		return fmt.Errorf("rpc worker %s has another key than --rpc-peer says: %w; if its key is new, %s there prints what to name", client.Address, err, fingerprint)
	case errors.Is(err, tunnel.ErrRefused):
		return fmt.Errorf("rpc worker %s: %w; start it with --peer %s", client.Address, err, client.Identity.Fingerprint)
	case errors.Is(err, tunnel.ErrBusy):
		return fmt.Errorf("rpc worker %s: %w; end the other program that uses it, or start it with a higher --max-connections", client.Address, err)
	case errors.As(err, &unfit):
		return fmt.Errorf("rpc worker %s cannot be used: %w", client.Address, err)
	}
	return fmt.Errorf("rpc worker %s cannot be reached: %w; is aigw rpc-worker running there, on that address?", client.Address, err)
}

// whenGone is told when a connection to a worker has ended. What llama.cpp has there is lost, and it would end the process
// at the next step. This does it at once and says why; the supervisor starts the next process, which waits for the worker.
func (s *server) whenGone(ctx context.Context, address string) func(bool, error) {
	return func(far bool, err error) {
		if !far || ctx.Err() != nil { // it is this process that ends
			return
		}
		reason := "it hung up"
		if err != nil {
			reason = err.Error()
		}
		s.log.Error("an rpc worker is gone, and with it layers of the model; this process ends", "worker", address, "reason", reason)
		os.Exit(s.ports.worker.Elsewhere())
	}
}
