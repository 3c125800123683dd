package main

import (
	"log/slog"

	"aigw/gateway"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/certificate"
	"aigw/gateway/ui"

	"github.com/urfave/cli/v2"
)

func uiFlag() cli.Flag {
	return &cli.StringFlag{Name: "ui", Value: "auto", Usage: "status page at " + ui.Path + ": auto, there while there is an admin key (aigw keys add --admin), or off", EnvVars: []string{"AIGW_UI"}}
}

func checkUI(c *cli.Context) error {
	if v := c.String("ui"); v != "auto" && v != "off" {
		return usagef("--ui %q: auto or off", v)
	}
	return nil
}

// uiOptions says what the status page can show beside the gateway itself.
func uiOptions(c *cli.Context, ring *keyring.Ring, own *certificate.Holder, o *gateway.Options) {
	o.UI = ui.Settings{Off: c.String("ui") == "off", Keyring: ring, Certificate: own}
}

// announceUI says where the page is, or how to have it.
func announceUI(log *slog.Logger, url string, o *gateway.Options) {
	switch {
	case o.UI.Off:
	case o.APIKeys.Admins() > 0:
		log.Info("status page", "url", url+ui.Path)
	case o.APIKeys == nil:
		log.Info("there is no status page: without a state folder there is no place for an admin key; name one with --state-dir or --keys-file")
	default:
		log.Info("the status page at " + ui.Path + " opens with the first admin key; make one with aigw keys add --admin NAME")
	}
}
