package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strings"
	"text/tabwriter"

	"aigw/cmd/aigw/settings"
	"aigw/gateway/outbound"

	"github.com/urfave/cli/v2"
)

func configCommand() *cli.Command {
	return &cli.Command{
		Name:      "config",
		Usage:     "show the settings of aigw run, and where each comes from",
		ArgsUsage: " ",
		Description: "It takes the flags of aigw run and reads the same variables and files. Secrets are masked.\n\n" +
			"Examples:\n" +
			"  aigw config\n" +
			"  aigw config --config /etc/aigw/config.yaml --json\n" +
			"  aigw config --outbound    # every place that the program may connect to\n" +
			"  aigw config --schema > config.schema.json",
		Flags: append(runFlags(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
			&cli.BoolFlag{Name: "outbound", Usage: "print where the program may connect to, and nothing else"},
			&cli.BoolFlag{Name: "schema", Usage: "print the JSON schema of the file of --config"},
		),
		OnUsageError: onUsageError,
		Action:       showConfig,
	}
}

// setting is one line of aigw config.
type setting struct {
	Name     string `json:"name"` // of the flag, or of the variable where there is no flag
	Variable string `json:"variable,omitempty"`
	Value    any    `json:"value"`
	Origin   string `json:"origin"` // "default", "--flag", "environment NAME", ".env NAME" or FILE:LINE
	Ignored  bool   `json:"ignored,omitempty"`
	About    string `json:"about,omitempty"`
}

func showConfig(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("config takes flags only, %q is left over", c.Args().First())
	}
	switch {
	case c.Bool("schema"):
		return printJSON(c.App.Writer, settings.Schema(runFlags()))
	case c.Bool("outbound"):
		return showOutbound(c)
	}
	if err := checkRunFlags(c); err != nil {
		return err
	}
	list, unknown := allSettings(c), set.Load().Unknown
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Settings []setting `json:"settings"`
			Warnings []string  `json:"warnings"`
		}{list, append([]string{}, unknown...)})
	}
	w := tabwriter.NewWriter(c.App.Writer, 0, 0, 2, ' ', 0)
	for _, s := range list {
		text := fmt.Sprint(s.Value)
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, text, s.Origin)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	for _, line := range unknown {
		fmt.Fprintln(c.App.ErrWriter, "warning: "+line)
	}
	return nil
}

// allSettings are the flags of aigw run, and those of GitLab's variables that are set.
func allSettings(c *cli.Context) []setting {
	s := set.Load()
	var out []setting
	for _, f := range runFlags() {
		name := f.Names()[0]
		one := setting{Name: name, Value: flagValue(c, name), Origin: "default"}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			one.About = strings.ReplaceAll(d.GetUsage(), "`", "")
			if v := d.GetEnvVars(); len(v) > 0 {
				one.Variable = v[0]
			}
		}
		if origin := s.Origins[name]; origin != "" {
			one.Origin = origin
		}
		switch { // what is decided by several
		case name == "listen" && c.String(name) == "":
			one.Value, one.Origin = apiAddress(c), originOf("AIGW_FASTAPI__API_HOST", "AIGW_FASTAPI__API_PORT")
		case name == "metrics-listen" && c.String(name) == "":
			one.Value, one.Origin = metricsAddress(c), originOf("AIGW_FASTAPI__METRICS_HOST", "AIGW_FASTAPI__METRICS_PORT")
		case name == "state-dir" && c.String(name) == "":
			one.Value = stateDir(c)
		}
		if text, ok := one.Value.(string); ok {
			one.Value = settings.Mask(one.Variable, text)
		}
		out = append(out, one)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	for _, v := range append(append([]settings.Variable{}, settings.Variables...), settings.Unprefixed...) {
		value, origin, ok := s.Lookup(v.Name)
		if !ok {
			continue
		}
		one := setting{Name: v.Name, Variable: v.Name, Value: settings.Mask(v.Name, value), Origin: origin, Ignored: v.Ignored, About: v.About}
		if v.Secret && value != "" {
			one.Value = settings.Masked
		}
		out = append(out, one)
	}
	return out
}

// originOf names the variables that are set.
func originOf(names ...string) string {
	var out []string
	for _, name := range names {
		if v, origin, _ := set.Load().Lookup(name); v != "" {
			out = append(out, origin+" "+name)
		}
	}
	if len(out) == 0 {
		return "default"
	}
	return strings.Join(out, ", ")
}

func flagValue(c *cli.Context, name string) any {
	switch v := c.Value(name).(type) {
	case cli.StringSlice:
		return strings.Join(v.Value(), ",")
	case fmt.Stringer: // a duration, a list of models
		return v.String()
	default:
		return v
	}
}

// destination is a place that the program may connect to.
type destination struct {
	Origin string `json:"origin"`
	Why    string `json:"why"`
	Via    string `json:"proxy,omitempty"`
}

// destinations are all of them: the one dialer that the program has knows no others.
func destinations(c *cli.Context) ([]destination, error) {
	list := []destination{}
	add := func(u *url.URL, why string) {
		d := destination{Origin: outbound.Origin(u), Why: why}
		if proxy := proxyOf(u); proxy != nil {
			d.Via = outbound.Origin(proxy)
		}
		list = append(list, d)
	}
	if c.String("jwks-file") == "" {
		issuers, err := providers(c)
		if err != nil {
			return nil, err
		}
		for _, p := range issuers {
			add(p.URL, "keys of tokens, issuer "+p.Label)
		}
	}
	servers, err := askedServers(c)
	if err != nil {
		return nil, err
	}
	for _, m := range servers {
		add(m.server.base, "model "+m.name+", --model")
	}
	workers, _, err := askedWorkers(c)
	if err != nil {
		return nil, err
	}
	for _, address := range workers {
		list = append(list, destination{Origin: address, Why: "layers of the model, --rpc"})
	}
	to, err := collector(c)
	if err != nil {
		return nil, err
	}
	if to != nil {
		add(to, "traces of requests, --otlp-endpoint")
	}
	return list, nil
}

// proxyOf returns the proxy on the way to u, or nil.
func proxyOf(u *url.URL) *url.URL {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		return nil // outbound.New says what is wrong
	}
	return proxy
}

func showOutbound(c *cli.Context) error {
	list, err := destinations(c)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c.App.Writer, map[string]any{"outbound": list})
	}
	if len(list) == 0 {
		fmt.Fprintln(c.App.Writer, "nothing: the program connects to no other machine")
	}
	for _, d := range list {
		fmt.Fprintf(c.App.Writer, "%s  %s", d.Origin, d.Why)
		if d.Via != "" {
			fmt.Fprintf(c.App.Writer, ", through %s", d.Via)
		}
		fmt.Fprintln(c.App.Writer)
	}
	return nil
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
