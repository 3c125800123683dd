package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

// chatWarmupFlag has the agent's rules computed before the first person asks.
func chatWarmupFlag() cli.Flag {
	return &cli.StringFlag{Name: "chat-warmup", Value: "on", Usage: "compute the beginning of Duo Chat's prompts once the server is ready, while nobody else wants the model: on or off", EnvVars: []string{"AIGW_CHAT_WARMUP"}}
}

func checkChatWarmup(c *cli.Context) error {
	if v := c.String("chat-warmup"); v != "on" && v != "off" {
		return usagef("--chat-warmup %q: on or off", v)
	}
	return nil
}

// warmChat computes it, unless the operator does not want it or people share nothing. It returns at once; what it began ends
// with ctx, and before s.warming.Wait returns.
func (s *server) warmChat(ctx context.Context) {
	if s.cli.String("chat-warmup") == "off" || s.cli.String("kv-sharing") != "instance" {
		return
	}
	s.warming.Go(func() { s.gateway.WarmChat(ctx) })
}
