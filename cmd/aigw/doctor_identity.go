package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aigw/cmd/aigw/doctor"
	"aigw/engine"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/outbound"

	"github.com/urfave/cli/v2"
)

// patient is what the checks of aigw doctor find out about this machine, each for those after it.
type patient struct {
	cli   *cli.Context
	quiet *cli.App // says nothing

	issuers []keyring.Provider
	client  *outbound.Client
	there   time.Time // the time at GitLab; zero: unknown
	asked   error     // of asking GitLab for anything
	models  *modelSet
	unfit   bool      // the models do not fit: loading them is not tried
	loaded  []*loaded // here; nil: none
	running *clinic   // the gateway that is asked; nil: none
}

func (p *patient) settings(context.Context) doctor.Result {
	if err := checkRunFlags(p.cli); err != nil && !strings.Contains(err.Error(), "BYPASS") {
		return doctor.Bad(err.Error(), "values that the program knows", "correct them; aigw config shows where each comes from")
	}
	if _, err := newLogger(p.quiet.ErrWriter, false); err != nil {
		return doctor.Bad(err.Error(), "a level of logging", "correct the variable")
	}
	if unknown := set.Load().Unknown; len(unknown) > 0 {
		return doctor.Suspect(strings.Join(unknown, "; "), "variables that the program reads", "correct or unset them")
	}
	return doctor.Fine("all are known; aigw config shows them")
}

func (p *patient) program(context.Context) doctor.Result {
	info, err := engine.About()
	if err != nil {
		return doctor.Bad(err.Error(), "back ends of llama.cpp", "install the program with its libraries, or name their folder with --backend-dir")
	}
	devices := []string{}
	for _, d := range info.Devices {
		devices = append(devices, d.Description)
	}
	if engine.BuiltForGPU() && !engine.HasGPU() {
		return doctor.Suspect("no GPU can be used, and the CPU computes: "+engine.WhyNoGPU(), "a GPU that this program can use", "do that, or use the program for the CPU")
	}
	return doctor.Fine("aigw %s, llama.cpp %s; devices: %s; CPU: %s", version, info.Llama, strings.Join(devices, ", "), strings.Join(info.CPUFeatures, " "))
}

func (p *patient) gitlabURL(context.Context) doctor.Result {
	const example = "such as https://gitlab.example.com"
	var err error
	if p.issuers, err = providers(p.cli); err != nil {
		return doctor.Bad(err.Error(), "the URL of your GitLab, "+example, "correct it; it is what browsers open")
	}
	text := orText(p.cli.String("gitlab-url"), textEnv(gitlabURLVar, ""))
	if text == "" {
		if p.cli.String("jwks-file") != "" {
			return doctor.Off("not set; --jwks-file names the keys")
		}
		return doctor.Off(gitlabURLVar + " is not set")
	}
	if api := textEnv("AIGW_GITLAB_API_URL", ""); api != "" {
		u, err := parseBaseURL("AIGW_GITLAB_API_URL", api)
		if err != nil {
			return doctor.Bad(err.Error(), "the same host, with /api/v4/", "correct or unset AIGW_GITLAB_API_URL")
		}
		if outbound.Origin(u) != outbound.Origin(p.issuers[0].URL) {
			return doctor.Bad(fmt.Sprintf("AIGW_GITLAB_API_URL is at %s, %s at %s", outbound.Origin(u), gitlabURLVar, outbound.Origin(p.issuers[0].URL)),
				"one GitLab", "correct the one that was left over of an example")
		}
	}
	return doctor.Fine("%s", p.issuers[0].URL)
}

func (p *patient) customModels(context.Context) doctor.Result {
	const name = "AIGW_CUSTOM_MODELS__ENABLED"
	if textEnv(name, "") == "" {
		return doctor.Fine("%s is not set, which is on here", name)
	}
	on, err := boolEnv(name)
	if err != nil || !on {
		return doctor.Bad(name+"="+textEnv(name, ""), "true", "set it to true, or unset it: without self-hosted models nothing is answered")
	}
	return doctor.Fine("%s=%s", name, textEnv(name, ""))
}

func (p *patient) authentication(context.Context) doctor.Result {
	o, err := bypassOptions(p.cli)
	if err != nil {
		return doctor.Bad(err.Error(), "authentication", "unset the variable")
	}
	if w := o.BypassWarning(); w != "" {
		return doctor.Bad(w, "authentication", "unset the AIGW_AUTH__BYPASS variables when the fault is found")
	}
	if noIssuer(p.cli) && p.cli.String("url") != "" {
		return doctor.Off("--url: the gateway has its own settings")
	}
	if noIssuer(p.cli) {
		return doctor.Bad("it is on, and no issuer of tokens is configured: GitLab would be refused", gitlabURLVar+" or --jwks-file", "name your GitLab, or a file of its keys")
	}
	return doctor.Fine("it is on")
}

func (p *patient) stateFolder(context.Context) doctor.Result {
	dir := stateDir(p.cli)
	if dir == "" {
		return doctor.Suspect("none", "a folder that stays", "name one with --state-dir: without it editors' tokens end with the process, and a start needs GitLab")
	}
	probe := filepath.Join(dir, ".doctor")
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.WriteFile(probe, nil, 0o600)
	}
	if err == nil {
		err = os.Remove(probe)
	}
	if err != nil {
		return doctor.Bad(err.Error(), "a folder that this user may write", "change its owner, or name another with --state-dir")
	}
	if info, err := os.Stat(filepath.Join(dir, selfsigned.KeyFile)); err == nil && info.Mode().Perm()&0o077 != 0 {
		return doctor.Bad(fmt.Sprintf("%s has mode %o: others can sign tokens with it", info.Name(), info.Mode().Perm()), "mode 600",
			"chmod 600 "+filepath.Join(dir, selfsigned.KeyFile)+", and remove it if somebody may have read it")
	}
	return doctor.Fine("%s", dir)
}

func (p *patient) signingKey(context.Context) doctor.Result {
	given := false
	for _, name := range []string{signingKeyVar, validationKeyVar} {
		text := textEnv(name, "")
		if strings.TrimSpace(text) == "" {
			continue
		}
		given = true
		if _, err := selfsigned.ParseKey(text); err != nil {
			return doctor.Bad(fmt.Sprintf("%s: %v", name, err), "an RSA private key in PEM", "openssl genrsa 2048 makes one; or unset it, and a key is made")
		}
	}
	if given {
		return doctor.Fine("given")
	}
	path := filepath.Join(stateDir(p.cli), selfsigned.KeyFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return doctor.Fine("none is given; the gateway makes one at its first start")
	}
	if _, err := selfsigned.ParseKey(string(text)); err != nil {
		return doctor.Bad(path+": "+err.Error(), "an RSA private key in PEM", "remove the file: the next start makes a new one")
	}
	return doctor.Fine("%s", path)
}

func (p *patient) caFiles(context.Context) doctor.Result {
	var err error
	if p.client, err = outboundClient(p.cli, p.issuers); err != nil {
		return doctor.Bad(err.Error(), "certificates in PEM", "correct the file of --ca-file, SSL_CERT_FILE or REQUESTS_CA_BUNDLE")
	}
	if path := os.Getenv("SSL_CERT_FILE"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return doctor.Bad("SSL_CERT_FILE: "+err.Error(), "certificates in PEM", "correct or unset it")
		}
	}
	return doctor.Fine("readable")
}

// soon is when a certificate's end deserves a word.
const soon = 14 * 24 * time.Hour

// certificate is the one that this program shows to its clients.
func (p *patient) certificate(context.Context) doctor.Result {
	if checkTLSFlags(p.cli) != nil {
		return doctor.Off("the settings are wrong")
	}
	own, err := ownCertificate(p.cli)
	switch {
	case err != nil:
		return doctor.Bad(err.Error(), "a certificate and its key in PEM", "correct --tls-cert and --tls-key (docs/tls.md)")
	case own == nil:
		return doctor.Off("the API is served without TLS")
	}
	left := time.Until(own.Expires()).Round(time.Hour)
	text := fmt.Sprintf("for %s, until %s", strings.Join(own.Names(), ", "), own.Expires().UTC().Format(time.DateOnly))
	switch {
	case left <= 0:
		return doctor.Bad(text, "a certificate that is still good", "replace it; a gateway that runs takes the new one within a minute")
	case left < soon:
		return doctor.Suspect(text, "more than 14 days", "replace it soon; a gateway that runs takes the new one within a minute")
	}
	return doctor.Fine("%s", text)
}

// offline says why GitLab is not asked, or "".
func (p *patient) offline() string {
	switch {
	case p.cli.Bool("offline"):
		return "--offline"
	case p.cli.String("jwks-file") != "":
		return "--jwks-file: GitLab is never asked"
	case len(p.issuers) == 0:
		return "no GitLab is configured"
	case p.client == nil:
		return "the certificates cannot be used"
	}
	return ""
}

func (p *patient) gitlab(ctx context.Context) doctor.Result {
	if why := p.offline(); why != "" {
		return doctor.Off(why)
	}
	u := p.issuers[0].URL
	p.there, p.asked = p.client.Probe(ctx, u)
	if p.asked != nil && !outbound.IsCertificate(p.asked) {
		do := "open the way from this machine to GitLab, set HTTPS_PROXY, or do without with --jwks-file (docs/authentication.md)"
		if errors.As(p.asked, new(*net.DNSError)) {
			do = "correct the name, or this machine's DNS"
		}
		return doctor.Bad(p.asked.Error(), "an answer of "+outbound.Origin(u), do)
	}
	return doctor.Fine("%s answers", outbound.Origin(u))
}

func (p *patient) tlsChain(context.Context) doctor.Result {
	switch why := p.offline(); {
	case why != "":
		return doctor.Off(why)
	case p.issuers[0].URL.Scheme != "https":
		return doctor.Off("GitLab is asked without TLS")
	case outbound.IsCertificate(p.asked):
		return doctor.Bad(p.asked.Error(), "a certificate that this machine trusts", "get the CA's certificate and name it with --ca-file (docs/tls.md)")
	case p.asked != nil:
		return doctor.Off("GitLab does not answer")
	}
	return doctor.Fine("trusted")
}

// mostSkew is what tokens forgive: GitLab's begin 5 s in the past, and 30 s are forgiven beside it.
const mostSkew = 30 * time.Second

func (p *patient) clock(context.Context) doctor.Result {
	if p.there.IsZero() {
		return doctor.Off("GitLab's time is not known")
	}
	skew := time.Since(p.there).Round(time.Second)
	if skew.Abs() > mostSkew {
		return doctor.Bad(fmt.Sprintf("this machine is %s off GitLab's clock", skew), "at most "+mostSkew.String(), "synchronise both clocks (timedatectl)")
	}
	return doctor.Fine("%s off GitLab's", skew)
}

func (p *patient) keys(ctx context.Context) doctor.Result {
	path := p.cli.String("jwks-file")
	why := p.offline()
	switch {
	case path == "" && (why != "" || p.asked != nil):
		if len(p.issuers) > 0 {
			if r, err := keyring.New(keyring.Options{Providers: p.issuers[:1], Dir: stateDir(p.cli), MaxAge: p.cli.Duration("jwks-max-age"), Logger: slog.New(slog.DiscardHandler)}); err == nil && len(r.Keys().Keys) > 0 {
				return doctor.Fine("kept from the last time: %s", r.Keys().Describe())
			}
		}
		return doctor.Off(orText(why, "GitLab does not answer"))
	case path != "":
		keys, err := keyring.ReadFile(path)
		if err != nil {
			return doctor.Bad(err.Error(), "GitLab's keys", "fetch them again: curl https://gitlab.example.com/oauth/discovery/keys -o "+path)
		}
		return doctor.Fine("%d in %s", len(keys), path)
	}
	r, err := keyring.New(keyring.Options{Providers: p.issuers[:1], Client: p.client, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return doctor.Bad(err.Error(), "GitLab's keys", "")
	}
	r.Refresh(ctx, "")
	if len(r.Keys().Keys) == 0 {
		return doctor.Bad(r.Keys().Describe(), "keys at "+p.issuers[0].URL.JoinPath("/.well-known/openid-configuration").String(), "is that URL a GitLab? A proxy or a login page may answer in its place")
	}
	return doctor.Fine("%s", r.Keys().Describe())
}

func (p *patient) ports(context.Context) doctor.Result {
	if p.cli.String("url") != "" {
		return doctor.Off("--url: the gateway runs")
	}
	for _, a := range []struct{ flag, address string }{{"--listen", apiAddress(p.cli)}, {"--metrics-listen", metricsAddress(p.cli)}} {
		l, err := listen(a.flag, a.address)
		if err != nil {
			return doctor.Bad(err.Error(), "a free port", "if that is a running aigw, check it with --url http://"+apiAddress(p.cli))
		}
		l.Close()
	}
	return doctor.Fine("%s and %s are free", apiAddress(p.cli), metricsAddress(p.cli))
}

// gatewayURL checks what people type.
func gatewayURL(text string) (string, error) {
	u, err := url.Parse(strings.TrimRight(text, "/"))
	if err != nil || u.Host == "" {
		return "", fmt.Errorf("--url %q: a URL such as http://127.0.0.1:5052 is expected", text)
	}
	return u.String(), nil
}
