package main

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"aigw/gateway"
	"aigw/gateway/limits"

	"github.com/urfave/cli/v2"
)

// limitFlags bound what clients may take: how much at once, and how long.
func limitFlags() []cli.Flag {
	return []cli.Flag{
		&cli.IntFlag{Name: "user-running", Usage: "most requests of one person at once; more are answered 429 (0: any number)", EnvVars: []string{"AIGW_USER_RUNNING"}},
		&cli.IntFlag{Name: "user-rate", Usage: "most requests of one person a minute (0: any number)", EnvVars: []string{"AIGW_USER_RATE"}},
		&cli.IntFlag{Name: "instance-running", Usage: "most requests of one GitLab at once (0: any number)", EnvVars: []string{"AIGW_INSTANCE_RUNNING"}},
		&cli.IntFlag{Name: "instance-rate", Usage: "most requests of one GitLab a minute (0: any number)", EnvVars: []string{"AIGW_INSTANCE_RATE"}},
		&cli.IntFlag{Name: "stranger-rate", Value: limits.DefaultStrangers, Usage: "requests a second that are refused at once for want of a good token or API key; more wait up to a second for their refusal (0: any number)", EnvVars: []string{"AIGW_STRANGER_RATE"}},
		&cli.StringSliceFlag{Name: "trusted-proxies", Usage: "`NETWORK` or address of a proxy whose X-Forwarded-For and X-Forwarded-Proto are believed", EnvVars: []string{"AIGW_TRUSTED_PROXIES"}},
		&cli.BoolFlag{Name: "allow-expanded-logging", Usage: "log prompts and answers of requests for which GitLab's feature flag expanded_ai_logging is on", EnvVars: []string{"AIGW_ALLOW_EXPANDED_LOGGING"}},
		&cli.DurationFlag{Name: "read-header-timeout", Value: 10 * time.Second, Usage: "how long a request's headers may take to arrive", EnvVars: []string{"AIGW_READ_HEADER_TIMEOUT"}},
		&cli.DurationFlag{Name: "read-timeout", Value: time.Minute, Usage: "how long a whole request may take to arrive", EnvVars: []string{"AIGW_READ_TIMEOUT"}},
		&cli.DurationFlag{Name: "write-timeout", Value: 30 * time.Second, Usage: "how long a client may take to accept one piece of an answer", EnvVars: []string{"AIGW_WRITE_TIMEOUT"}},
		&cli.DurationFlag{Name: "idle-timeout", Value: 2 * time.Minute, Usage: "how long a connection is kept between requests", EnvVars: []string{"AIGW_IDLE_TIMEOUT"}},
		&cli.DurationFlag{Name: "inference-timeout", Value: 55 * time.Second, Usage: "how long an answer may take, waiting included; GitLab Workhorse waits 55s", EnvVars: []string{"AIGW_INFERENCE_TIMEOUT"}},
	}
}

// limitOptions reads them.
func limitOptions(c *cli.Context, o *gateway.Options) error {
	for _, t := range []struct {
		name string
		set  *time.Duration
	}{
		{"read-header-timeout", &o.ReadHeaderTimeout}, {"read-timeout", &o.ReadTimeout}, {"write-timeout", &o.WriteTimeout},
		{"idle-timeout", &o.IdleTimeout}, {"inference-timeout", &o.InferenceTimeout},
	} {
		if *t.set = c.Duration(t.name); *t.set <= 0 {
			return usagef("--%s %s: it must be longer than nothing", t.name, *t.set)
		}
	}
	var err error
	if o.LogPayloads, err = boolEnv("AIGW_LOGGING__ENABLE_REQUEST_LOGGING"); err != nil {
		return err
	}
	const shown = "AIGW_MODEL_ENGINE_CONCURRENCY_LIMITS"
	if err := json.Unmarshal([]byte(textEnv(shown, "{}")), &o.MaxConcurrent); err != nil {
		return fmt.Errorf(`%s: numbers by engine and model are expected, such as {"agent":{"codestral":8}}: %w`, shown, err)
	}
	o.AllowExpandedLogging = c.Bool("allow-expanded-logging")
	if o.Limits, err = peopleLimits(c); err != nil {
		return err
	}
	for _, text := range c.StringSlice("trusted-proxies") {
		network, err := netip.ParsePrefix(text)
		if address, plain := netip.ParseAddr(text); err != nil && plain == nil {
			network, err = netip.PrefixFrom(address, address.BitLen()), nil
		}
		if err != nil {
			return usagef("--trusted-proxies %q: an address or a network such as 10.0.0.0/8 is expected", strings.TrimSpace(text))
		}
		o.TrustedProxies = append(o.TrustedProxies, network)
	}
	return nil
}

func peopleLimits(c *cli.Context) (limits.Options, error) {
	var o limits.Options
	for _, l := range []struct {
		name string
		set  *int
	}{
		{"user-running", &o.User.Running}, {"user-rate", &o.User.PerMinute},
		{"instance-running", &o.Instance.Running}, {"instance-rate", &o.Instance.PerMinute}, {"stranger-rate", &o.Strangers},
	} {
		if *l.set = c.Int(l.name); *l.set < 0 {
			return o, usagef("--%s %d: 0 or more are needed", l.name, *l.set)
		}
	}
	return o, nil
}
