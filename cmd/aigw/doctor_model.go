package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"aigw/cmd/aigw/doctor"
	"aigw/engine"
	"aigw/gateway/auth"
	"aigw/gateway/auth/selfsigned"
)

func (p *patient) model(context.Context) doctor.Result {
	if p.cli.String("url") != "" {
		return doctor.Off("--url: the gateway has loaded it")
	}
	chosen, err := chooseModels(p.cli, slog.New(slog.DiscardHandler))
	switch {
	case err != nil:
		return doctor.Bad(err.Error(), "GGUF files that llama.cpp can run", "aigw models inspect FILE says more; aigw models list shows what is stored")
	case len(chosen.files) == 0:
		return doctor.Bad("none is named", "a GGUF file", "name one with --model FILE")
	}
	p.models = chosen
	var found []string
	for _, m := range chosen.files {
		found = append(found, m.describe())
	}
	return doctor.Fine("%s", strings.Join(found, "; "))
}

// memory compares the plan of what aigw run would load with what is free, of the machine and of the
// control group.
func (p *patient) memory(context.Context) doctor.Result {
	switch {
	case p.models == nil:
		return doctor.Off("no model was found")
	case len(p.models.local()) == 0:
		return doctor.Off("all models are at other servers")
	}
	var options []engine.Options
	for _, m := range p.models.local() {
		o := m.options(p.cli, slog.New(slog.DiscardHandler))
		o.Parallel, o.Batch = p.cli.Int("parallel"), p.cli.Int("batch")
		options = append(options, o)
		if err := tryModel(p.cli, slog.New(slog.DiscardHandler), m); err != nil {
			p.unfit = true
			return doctor.Bad(err.Error(), "a file that llama.cpp can load", "aigw models inspect FILE says more")
		}
	}
	if err := withDraftModel(p.cli, slog.New(slog.DiscardHandler), options); err != nil {
		p.unfit = true
		return doctor.Bad(err.Error(), "a draft model that goes with the model", "name another with --draft-model, or none")
	}
	plans, err := placeModels(p.cli, slog.New(slog.DiscardHandler), options)
	if err != nil {
		p.unfit = true
		return doctor.Bad(err.Error(), "memory for the models with these settings", "use the setting that is named, or a machine with more memory")
	}
	available, err := engine.Available()
	if err != nil {
		return doctor.Off(err.Error())
	}
	var needed uint64
	for _, m := range plans {
		needed += m.Needed()
	}
	return doctor.Fine("%s are needed, %s are %s", mebibytes(needed), mebibytes(available.Bytes), available.Source)
}

// load starts a gateway with the model on a port of its own, with authentication on, which accepts
// GitLab's tokens, and those of a key that is made here; or it takes the one that runs.
func (p *patient) load(ctx context.Context) doctor.Result {
	if url := p.cli.String("url"); url != "" {
		return p.visit(ctx, url)
	}
	switch {
	case p.models == nil:
		return doctor.Off("no model was found")
	case p.unfit:
		return doctor.Off("it is not tried, see memory")
	}
	began := time.Now()
	var err error
	if p.running, p.loaded, err = openClinic(ctx, p.cli, p.models); err != nil {
		return doctor.Bad(err.Error(), "a model that loads", "see the reason; aigw run --verbose says what llama.cpp says")
	}
	return doctor.Fine("%s in %s", strings.Join(p.models.names(), ", "), time.Since(began).Round(time.Millisecond))
}

// calibration is what the machine decided of the settings that were left open, and with what.
func (p *patient) calibration(context.Context) doctor.Result {
	switch {
	case p.cli.String("url") != "":
		return doctor.Off("--url: the gateway's log says it, as \"measured\"")
	case p.loaded == nil:
		return doctor.Off("no model was loaded")
	}
	var found []string
	for _, m := range p.loaded {
		c := m.engine.Plan().Calibration
		switch {
		case c == nil:
			found = append(found, m.file.name+": nothing was left open to measure")
		case !c.Measured():
			return doctor.Suspect(m.file.name+": "+c.String(), "a machine that is quiet enough for some seconds",
				"start again when nothing else computes, or choose with --flash-attn and --threads")
		default:
			found = append(found, fmt.Sprintf("%s: %s (%s)", m.file.name, c.Chosen, c))
		}
	}
	return doctor.Fine("%s", strings.Join(found, "; "))
}

// visit asks a gateway that runs whether it is ready.
func (p *patient) visit(ctx context.Context, url string) doctor.Result {
	url, err := gatewayURL(url)
	if err != nil {
		return doctor.Bad(err.Error(), "a gateway", "")
	}
	at := &clinic{url: url, close: func() error { return nil }}
	for _, path := range []string{"/monitoring/healthz", "/monitoring/ready"} {
		status, text, err := at.ask(ctx, http.MethodGet, path, "", nil)
		if err != nil {
			return doctor.Bad(err.Error(), "a gateway at "+url, "start it, or correct --url")
		}
		if status != http.StatusOK {
			return doctor.Bad(fmt.Sprintf("%s answers %d %s", path, status, text), "200", "the gateway's log says what it waits for")
		}
	}
	p.running = at
	if at.key, err = tokenKey(p.cli); err != nil {
		return doctor.Suspect("ready; "+err.Error(), "the gateway's own key", "run the check as the gateway's user, with its --state-dir")
	}
	return doctor.Fine("%s is ready", url)
}

// token makes the headers of a request: as GitLab's where the key is the doctor's own, as an
// editor's where it is the gateway's.
func (at *clinic) token() (http.Header, error) {
	const instance, person = "00000000-0000-4000-8000-000000000000", "aigw-doctor"
	service := textEnv("CLOUD_CONNECTOR_SERVICE_NAME", auth.DefaultServiceName)
	token, err := selfsigned.Sign(at.key, "", selfsigned.Claims{
		Issuer: service, Audience: service, Subject: person, Scopes: []string{string(auth.CompleteCode)}, Realm: "self-managed", Instance: instance,
	}.Stamp(time.Now(), time.Minute))
	h := http.Header{}
	h.Set("Authorization", "Bearer "+token)
	h.Set("X-Gitlab-Authentication-Type", "oidc")
	h.Set("X-Gitlab-Instance-Id", instance)
	h.Set("X-Gitlab-Realm", "self-managed")
	h.Set("X-Gitlab-Global-User-Id", person)
	return h, err
}

// client of the doctor asks a gateway on this machine, or the one of --url.
var doctorClient = &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}

func (at *clinic) ask(ctx context.Context, method, path, body string, headers http.Header) (int, string, error) {
	r, err := http.NewRequestWithContext(ctx, method, at.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if headers != nil {
		r.Header = headers.Clone()
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := doctorClient.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	return answer.StatusCode, string(text), err
}

// sampleToken is whether strangers are refused and a good token is not.
func (p *patient) sampleToken(ctx context.Context) doctor.Result {
	if p.running == nil {
		return doctor.Off("no gateway runs")
	}
	status, text, err := p.running.ask(ctx, http.MethodGet, "/", "", nil)
	if err != nil {
		return doctor.Bad(err.Error(), "an answer", "")
	}
	if status != http.StatusUnauthorized {
		return doctor.Bad(fmt.Sprintf("a request without a token is answered %d %s", status, text), "401", "unset the AIGW_AUTH__BYPASS variables of the gateway, or correct --url: is that an aigw?")
	}
	if p.running.key == nil {
		return doctor.Off("strangers are refused; there is no key to make a token with")
	}
	h, err := p.running.token()
	if err != nil {
		return doctor.Bad(err.Error(), "a token", "")
	}
	if status, text, err = p.running.ask(ctx, http.MethodGet, "/", "", h); err != nil || status != http.StatusNotFound {
		return doctor.Bad(fmt.Sprintf("a good token is answered %d %s %v", status, text, err), "404, for the path /", "the gateway's log names the reason, as auth_error_details")
	}
	return doctor.Fine("strangers are refused, a good token is accepted")
}

// healthCheck is what GitLab's own check of a self-hosted model sends (section 15.4 of the wire
// contract). It waits for 3 s.
const healthCheck = `{"prompt_version":1,"project_path":"","project_id":0,"current_file":{"file_name":"test.rb","content_above_cursor":"def hello_world","content_below_cursor":""},"telemetry":[]}`

var healthCheckWaits = 3 * time.Second // tests on a busy machine wait longer

func (p *patient) completion(ctx context.Context) doctor.Result {
	if p.running == nil {
		return doctor.Off("no gateway runs")
	}
	defer func() { p.running = nil }()
	if p.running.key == nil {
		return doctor.Off("there is no key to make a token with")
	}
	h, err := p.running.token()
	if err != nil {
		return doctor.Bad(err.Error(), "a token", "")
	}
	began := time.Now()
	status, text, err := p.running.ask(ctx, http.MethodPost, "/v2/code/completions", healthCheck, h)
	took := time.Since(began)
	if err = errors.Join(err, p.running.close()); err != nil {
		return doctor.Bad(err.Error(), "a completion", "")
	}
	var answer struct {
		Choices []struct {
			Text string `json:"text"`
		} `json:"choices"`
	}
	if err := json.Unmarshal([]byte(text), &answer); status != http.StatusOK || err != nil || len(answer.Choices) == 0 || answer.Choices[0].Text == "" {
		return doctor.Bad(fmt.Sprintf("%d %s", status, text), "200 and some text", "aigw complete FILE:LINE shows what the model writes; a chat model may not complete code")
	}
	if took > healthCheckWaits {
		return doctor.Bad(fmt.Sprintf("%q after %s", answer.Choices[0].Text, took.Round(time.Millisecond)), "within "+healthCheckWaits.String()+", after which GitLab's check fails", "use a smaller model, more threads or a GPU, or shorten --completion-time")
	}
	return doctor.Fine("%d characters in %s", len([]rune(answer.Choices[0].Text)), took.Round(time.Millisecond))
}
