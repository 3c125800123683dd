package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"

	"aigw/cmd/aigw/doctor"
	"aigw/gateway/outbound"
	"aigw/gateway/serving"
	"aigw/gateway/upstream"
	"aigw/models"

	"github.com/urfave/cli/v2"
)

// modelServerFlags are about models that a server elsewhere has: --model NAME=URL[#MODEL].
func modelServerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "model-key-file", Usage: "`[NAME=]FILE` with the API key of the server of --model NAME=URL; several are separated by commas", EnvVars: []string{"AIGW_MODEL_KEY_FILE"}},
		&cli.DurationFlag{Name: "model-silence", Value: upstream.DefaultSilence, Usage: "how long the server of --model NAME=URL may send nothing before a request is given up", EnvVars: []string{"AIGW_MODEL_SILENCE"}},
		&cli.IntFlag{Name: "model-streams", Value: upstream.DefaultStreams, Usage: "most requests that one server of --model NAME=URL is sent at once; more wait as those for a model of this process do", EnvVars: []string{"AIGW_MODEL_STREAMS"}},
	}
}

// modelServer is where a model is that is not here.
type modelServer struct {
	base *url.URL // of the API
	id   string   // what the server calls the model; empty: it has to be found out
	what *models.Elsewhere
	key  func() (string, error)
}

// isServer tells an address from a file.
func isServer(text string) bool {
	scheme, _, ok := strings.Cut(text, "://")
	return ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// openServer reads [NAME=]URL[#MODEL]. The server is not asked.
func openServer(c *cli.Context, arg string) (*modelFile, error) {
	name, text := splitName(arg)
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, usagef("--model %s: %v", arg, err)
	case u.Hostname() == "":
		return nil, usagef("--model %s: the address names no host", arg)
	case u.User != nil:
		return nil, usagef("--model %s: the address holds a user name or password; a key belongs into a file, see --model-key-file", u.Redacted())
	case u.RawQuery != "":
		return nil, usagef("--model %s: the address holds a question mark; write it as https://host/v1", arg)
	}
	id := u.Fragment
	u.Fragment, u.RawFragment = "", ""
	u.Path = cmp.Or(strings.TrimRight(u.Path, "/"), "/v1")
	named := name != ""
	if name = cmp.Or(name, id[strings.LastIndexByte(id, '/')+1:]); name == "" {
		return nil, usagef("--model %s: give it a name, such as --model mistral=%s", arg, arg)
	}
	said, err := familyOf(c, name, name, id)
	if err != nil {
		return nil, err
	}
	key, err := modelKey(c, name)
	if err != nil {
		return nil, err
	}
	called := []string{name}
	if id != "" {
		called = []string{id, name}
	}
	what := models.RecogniseElsewhere(said, called...)
	if _, err := what.Codec(); err != nil {
		return nil, usagef("--family for %s: %v", name, err)
	}
	path := u.String()
	if id != "" {
		path += "#" + id
	}
	return &modelFile{name: name, named: named, path: path, what: what.Recognition, said: said, server: &modelServer{u, id, what, key}}, nil
}

// modelKey returns what reads the key of a model's server. The file is read for each request, so that a key can be
// replaced; that it can be read is checked here.
func modelKey(c *cli.Context, name string) (func() (string, error), error) {
	file := ""
	for part := range strings.SplitSeq(c.String("model-key-file"), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		of, path := splitName(part)
		switch {
		case of == "" && file == "":
			file = path
		case strings.EqualFold(of, name):
			file = path
		}
	}
	if file == "" {
		return nil, nil
	}
	read := func() (string, error) { return readKey(file) }
	if _, err := read(); err != nil {
		return nil, &usageError{err.Error()}
	}
	return read, nil
}

// longestKey bounds a file of a key, in bytes.
const longestKey = 16 << 10

func readKey(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("--model-key-file: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, longestKey))
	if err != nil {
		return "", fmt.Errorf("--model-key-file: %w", err)
	}
	key := strings.TrimSpace(string(text))
	if key == "" || strings.ContainsAny(key, "\r\n") {
		return "", fmt.Errorf("--model-key-file %s: one line with the key is expected", file)
	}
	return key, nil
}

// askedServers are the models of --model that are at servers.
func askedServers(c *cli.Context) ([]*modelFile, error) {
	var out []*modelFile
	for _, arg := range askedModels(c) {
		if _, where := splitName(arg); !isServer(where) {
			continue
		}
		m, err := openServer(c, arg)
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func checkModelServers(c *cli.Context) error {
	if d := c.Duration("model-silence"); d <= 0 {
		return usagef("--model-silence %s: it must be longer than nothing", d)
	}
	if n := c.Int("model-streams"); n < 1 || n > 1<<14 {
		return usagef("--model-streams %d: from 1 to %d", n, 1<<14)
	}
	_, err := askedServers(c)
	return err
}

// connect asks the servers of models that are elsewhere for the first time, and goes on asking them until ctx ends. One that
// does not answer yet does not hold up the others.
func (s *server) connect(ctx context.Context) (map[*modelFile]*serving.Model, error) {
	out := map[*modelFile]*serving.Model{}
	var fleet upstream.Fleet
	var asking sync.WaitGroup
	for _, m := range s.models.files {
		if m.server == nil {
			continue
		}
		at, err := openRemote(s.cli, m, s.log)
		if err != nil {
			return nil, err
		}
		served := &serving.Model{Name: m.name, Aliases: m.aliases, Family: string(m.what.Family), FillsIn: m.what.FIM, Generator: at, Available: at.Available, Elsewhere: true}
		if served.Codec, err = m.server.what.Codec(); err != nil {
			return nil, err
		}
		if served.Chat, err = m.server.what.ChatCodec(); err != nil {
			return nil, err
		}
		out[m], fleet = served, append(fleet, at)
		asking.Go(func() { served.ContextSize = at.Connect(ctx, s.cli.Int("ctx")) })
		s.log.Info("model at a server", "model", m.name, "host", at.Host(), "family", m.what.Family, "role", m.what.Role, "aliases", m.aliases)
		if m.server.base.Scheme == "http" && !isLoopback(strings.TrimPrefix(at.Host(), "http://")) {
			s.log.Warn("prompts and key go to a model's server without encryption; name it with https://", "model", m.name, "host", at.Host())
		}
	}
	asking.Wait()
	if len(fleet) == 0 {
		return out, nil
	}
	for _, at := range fleet {
		s.warming.Go(func() { at.Watch(ctx) })
	}
	return out, s.gateway.AddMetrics(fleet)
}

// openRemote returns a model at a server, which is not asked yet.
func openRemote(c *cli.Context, m *modelFile, log *slog.Logger) (*upstream.Model, error) {
	streams := c.Int("model-streams")
	client, err := outbound.New(outbound.Options{Origins: []*url.URL{m.server.base}, CAFiles: caFiles(c), Streams: streams})
	if err != nil {
		return nil, err
	}
	return upstream.New(upstream.Options{
		Name: m.name, Base: m.server.base, ID: m.server.id, Spelling: m.server.what.Spelling, Client: client, Key: m.server.key,
		Silence: c.Duration("model-silence"), Streams: streams, Queue: c.Int("queue"), MaxWait: c.Duration("max-wait"), Logger: log,
	}), nil
}

// modelServers asks the servers of --model NAME=URL for their models.
func (p *patient) modelServers(ctx context.Context) doctor.Result {
	if p.models == nil {
		return doctor.Off("no model was found")
	}
	var found []string
	var wrong error
	for _, m := range p.models.files {
		if m.server == nil {
			continue
		}
		at, err := openRemote(p.cli, m, slog.New(slog.DiscardHandler))
		if err != nil {
			return doctor.Bad(err.Error(), "certificates in PEM", "correct the file of --ca-file, SSL_CERT_FILE or REQUESTS_CA_BUNDLE")
		}
		answer, err := at.Look(ctx)
		if err != nil {
			wrong = errors.Join(wrong, fmt.Errorf("%s: %w", m.name, err))
			continue
		}
		found = append(found, fmt.Sprintf("%s: %s has %s, context %d (0: not said)", m.name, at.Host(), answer.ID, answer.Context))
	}
	switch {
	case wrong != nil:
		return doctor.Bad(wrong.Error(), "a server that lists its models at /v1/models", "see the reason; aigw config --outbound shows where this program connects to")
	case len(found) == 0:
		return doctor.Off("all models are files here")
	}
	return doctor.Fine("%s", strings.Join(found, "; "))
}
