package main

import (
	"bytes"
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"aigw/gateway/auth"
	"aigw/gateway/auth/selfsigned"

	"github.com/urfave/cli/v2"
)

// remoteFlags are those of commands that can ask a running gateway in place of a model of their own. It is asked as GitLab asks.
func remoteFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "url", Usage: "ask the gateway at `URL`, such as http://127.0.0.1:5052, and load no model", EnvVars: []string{"AIGW_URL"}},
		&cli.StringFlag{Name: "token-file", Usage: "`FILE` with a token for it, or with the headers that aigw token --headers prints", EnvVars: []string{"AIGW_TOKEN_FILE"}, TakesFile: true},
		&cli.StringFlag{Name: "key", Usage: "`FILE` with a key that the gateway trusts, to sign a token with; see aigw token", TakesFile: true},
	}
}

// remote is a running gateway.
type remote struct {
	url     string
	headers http.Header
}

// askedRemote returns the gateway of --url, or nil if there is none.
func askedRemote(c *cli.Context) (*remote, error) {
	if c.String("url") == "" {
		for _, name := range []string{"token-file", "key"} {
			if c.IsSet(name) {
				return nil, usagef("--%s is for the gateway of --url, which is not given", name)
			}
		}
		return nil, nil
	}
	if c.IsSet("model") && os.Getenv("AIGW_MODEL") == "" {
		return nil, usagef("--model and --url exclude each other: with --url the gateway's model is asked")
	}
	url, err := gatewayURL(c.String("url"))
	if err != nil {
		return nil, usagef("%v", err)
	}
	r := &remote{url: url, headers: http.Header{}}
	r.headers.Set("Content-Type", "application/json")
	r.headers.Set("User-Agent", "aigw")
	switch {
	case c.String("token-file") != "" && c.String("key") != "":
		return nil, usagef("--token-file and --key exclude each other")
	case c.String("token-file") != "":
		err = r.readToken(c.String("token-file"))
	case c.String("key") != "":
		err = r.sign(c)
	}
	return r, err
}

// mostToken bounds the file of a token.
const mostToken = 64 << 10

// readToken takes a token alone, or lines of headers.
func (r *remote) readToken(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return plainPathError(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostToken))
	if err != nil {
		return plainPathError(err)
	}
	text := strings.TrimSpace(string(data))
	if text != "" && !strings.ContainsAny(text, ": \n") {
		r.identify(text, "00000000-0000-4000-8000-000000000000", "aigw")
		return nil
	}
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ":")
		if !found || strings.ContainsAny(name, " \t") {
			return fmt.Errorf("%s: a token, or lines such as \"Authorization: Bearer ...\", are expected; aigw token --headers prints them", path)
		}
		r.headers.Set(name, strings.TrimSpace(value))
	}
	if r.headers.Get("Authorization") == "" {
		return fmt.Errorf("%s: there is no token in it; aigw token --headers > FILE makes one", path)
	}
	return nil
}

// remoteScopes are the rights that the commands need. The reader tools of Duo Chat are left out: only GitLab can run those.
var remoteScopes = []string{string(auth.CompleteCode), string(auth.GenerateCode), string(auth.DuoChat), string(auth.DocumentationSearch), "ask_nothing"}

// sign makes a token as GitLab would.
func (r *remote) sign(c *cli.Context) error {
	key, err := tokenKey(c)
	if err != nil {
		return err
	}
	return r.signWith(key)
}

func (r *remote) signWith(key *rsa.PrivateKey) error {
	const instance, person = "00000000-0000-4000-8000-000000000000", "aigw"
	service := textEnv("CLOUD_CONNECTOR_SERVICE_NAME", auth.DefaultServiceName)
	token, err := selfsigned.Sign(key, testKeyID, selfsigned.Claims{
		Issuer: testIssuer, Audience: service, Subject: instance, Scopes: remoteScopes, Realm: "self-managed", Instance: instance,
	}.Stamp(time.Now(), time.Hour))
	r.identify(token, instance, person)
	return err
}

func (r *remote) identify(token, instance, person string) {
	r.headers.Set("Authorization", "Bearer "+token)
	r.headers.Set("X-Gitlab-Authentication-Type", "oidc")
	r.headers.Set("X-Gitlab-Instance-Id", instance)
	r.headers.Set("X-Gitlab-Realm", "self-managed")
	r.headers.Set("X-Gitlab-Global-User-Id", person)
}

// remoteClient waits for as long as somebody watches: an answer is streamed, and its end may be minutes away.
var remoteClient = &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true, ResponseHeaderTimeout: 2 * time.Minute}}

// remoteError is an answer other than 200.
type remoteError struct {
	status       int
	detail, hint string
}

func (e *remoteError) Error() string {
	return fmt.Sprintf("the gateway answers %d %s: %s%s", e.status, http.StatusText(e.status), e.detail, e.hint)
}

// mostDetail bounds what is read of an error, in bytes.
const mostDetail = 4 << 10

// post asks, and hands the answer to read as it comes.
func (r *remote) post(ctx context.Context, path string, body any, read func(io.Reader) error) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header = r.headers.Clone()
	answer, err := remoteClient.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("no gateway answers: %w; start one with aigw run, or correct --url", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		return read(answer.Body)
	}
	return refusal(answer)
}

// refusal says why an answer is none, and what to do.
func refusal(answer *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(answer.Body, mostDetail))
	if err != nil {
		return fmt.Errorf("the gateway's answer: %w", err)
	}
	e := &remoteError{status: answer.StatusCode, detail: strings.TrimSpace(string(text))}
	var told struct{ Detail, Error any }
	if json.Unmarshal(text, &told) == nil {
		for _, d := range []any{told.Detail, told.Error} {
			if s, ok := d.(string); ok {
				e.detail = s
			}
		}
	}
	e.detail = printable(e.detail)
	switch wait := answer.Header.Get("Retry-After"); {
	case e.status == http.StatusUnauthorized:
		e.hint = "; give a token with --token-file, or a key that it trusts with --key (see aigw token --help)"
	case e.status == http.StatusForbidden:
		e.hint = "; the token lacks a right (see aigw token --scopes)"
	case e.status == http.StatusNotFound:
		e.hint = "; is that an aigw?"
	case wait != "":
		e.hint = "; try again in " + wait + " s"
	}
	return e
}

// copyText hands a streamed text on, whole characters at a time.
func copyText(emit func(string) error) func(io.Reader) error {
	return func(in io.Reader) error {
		var held []byte
		buffer := make([]byte, 4<<10)
		for {
			n, err := in.Read(buffer)
			held = append(held, buffer[:n]...)
			whole := len(held)
			for i := 1; i <= min(utf8.UTFMax, len(held)); i++ {
				if b := held[len(held)-i]; utf8.RuneStart(b) {
					if !utf8.FullRune(held[len(held)-i:]) && err == nil {
						whole = len(held) - i
					}
					break
				}
			}
			if whole > 0 {
				if err := emit(string(held[:whole])); err != nil {
					return err
				}
				held = append(held[:0], held[whole:]...)
			}
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("the gateway's answer breaks off: %w", err)
			}
		}
	}
}
