package main

import (
	"context"
	"crypto/rsa"
	"errors"
	"io"
	"log/slog"
	"net"

	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"

	"github.com/urfave/cli/v2"
)

// clinic is a gateway that is asked, and a key whose tokens it accepts.
type clinic struct {
	url string
	key *rsa.PrivateKey
	// warmed waits until what many prompts begin with is computed ahead.
	warmed func()
	close  func() error
}

// openClinic starts a gateway with models on a port of its own, as aigw run would with the same flags. Authentication is on:
// it accepts the tokens of GitLab and of a key that is made here. It says nothing on the terminal.
func openClinic(ctx context.Context, c *cli.Context, chosen *modelSet) (*clinic, []*loaded, error) {
	log := slog.New(slog.DiscardHandler)
	options, err := gatewayOptions(c)
	if err != nil {
		return nil, nil, err
	}
	options.Logger, options.Models = log, chosen.rules
	key, err := selfsigned.Make()
	if err != nil {
		return nil, nil, err
	}
	service := textEnv("CLOUD_CONNECTOR_SERVICE_NAME", auth.DefaultServiceName)
	ring, err := keyring.New(keyring.Options{Local: []keyring.Key{{ID: testKeyID, Public: &key.PublicKey, From: "aigw " + c.Command.Name}}, Logger: log})
	if err != nil {
		return nil, nil, err
	}
	options.Auth = auth.Options{ServiceName: service, Verifier: bearer.New(bearer.Options{Keys: ring, Audience: service})}
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	metrics, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		api.Close()
		return nil, nil, err
	}
	quiet := cli.NewContext(&cli.App{Writer: io.Discard, ErrWriter: io.Discard}, nil, c)
	s := &server{cli: quiet, log: log, gateway: gateway.New(options), models: chosen, ring: ring, ports: &ports{api: api, metrics: metrics}}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	served := make(chan error, 1)
	go func() { served <- s.gateway.Serve(serving, api) }()
	metrics.Close()
	goesOn := context.AfterFunc(ctx, stop) // loading ends with ctx, too
	loaded, err := s.load(serving)
	goesOn()
	at := &clinic{url: "http://" + api.Addr().String(), key: key, warmed: s.warming.Wait, close: func() error {
		stop()
		err := <-served
		s.warming.Wait()
		for _, m := range loaded {
			err = errors.Join(err, m.engine.Close())
		}
		if s.embedder != nil {
			err = errors.Join(err, s.embedder.Close())
		}
		return err
	}}
	if err != nil {
		return nil, nil, errors.Join(err, at.close())
	}
	return at, loaded, nil
}
