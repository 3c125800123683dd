package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"aigw/gateway/auth"
	"aigw/gateway/auth/bearer"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"
)

// What tokens cost: verifying a good one, and what a flood of forged ones takes from people whose token is good.

const (
	targetVerify = 100 * time.Microsecond // that a known token adds, p50
	targetSlower = 0.10                   // by which good requests may be slower in a flood
	floodClients = 64                     // connections that forged tokens come from

	benchInstance = "00000000-0000-4000-8000-000000000000"
	benchKey      = "bench"
)

// goodToken makes a key, and a token and a verifier for it.
func goodToken() (string, auth.Options, error) {
	key, err := selfsigned.Make()
	if err != nil {
		return "", auth.Options{}, err
	}
	ring, err := keyring.New(keyring.Options{Local: []keyring.Key{{ID: benchKey, Public: &key.PublicKey, From: "gatewaycost"}}})
	if err != nil {
		return "", auth.Options{}, err
	}
	token, err := selfsigned.Sign(key, benchKey, selfsigned.Claims{
		Issuer: "https://gitlab.example.test", Audience: auth.DefaultServiceName, Subject: benchInstance,
		Scopes: []string{string(auth.CompleteCode)}, Realm: "self-managed", Instance: benchInstance,
	}.Stamp(time.Now(), time.Hour))
	return token, auth.Options{Verifier: bearer.New(bearer.Options{Keys: ring, Audience: auth.DefaultServiceName})}, err
}

// identity are the headers that belong to a token.
func identity(token string) string {
	return "Authorization: Bearer " + token + "\r\nX-Gitlab-Authentication-Type: oidc\r\nX-Gitlab-Realm: self-managed\r\n" +
		"X-Gitlab-Instance-Id: " + benchInstance + "\r\nX-Gitlab-Global-User-Id: bench\r\n"
}

// forged is a token that looks like a good one and that no key has signed. Each is another.
func forged(good string) string {
	var signature [256]byte
	_, _ = rand.Read(signature[:]) // never fails
	signature[0] &= 0x7f           // below the key's modulus, or it would be refused unread
	return good[:strings.LastIndexByte(good, '.')+1] + base64.RawURLEncoding.EncodeToString(signature[:])
}

// tokens measures both.
func (o options) tokens(ctx context.Context, out io.Writer) error {
	plain, err := startServer(ctx, "", false)
	if err != nil {
		return err
	}
	defer plain.stop()
	guarded, err := startServer(ctx, o.profile, true)
	if err != nil {
		return err
	}
	defer guarded.stop()
	anybody := gitlab(body(false))
	good := anybody
	good.headers = identity(guarded.token)
	if _, err := ask(plain.address, anybody, 1, warmUp); err != nil {
		return err
	}
	if _, err := ask(guarded.address, good, 1, warmUp); err != nil {
		return err
	}
	bypassed, err := ask(plain.address, anybody, 1, o.requests)
	if err != nil {
		return err
	}
	alone, err := ask(guarded.address, good, 1, o.requests)
	if err != nil {
		return err
	}
	added := alone.quantile(0.5) - bypassed.quantile(0.5)
	report(out, "verification of a known token, p50", max(0, added), added <= targetVerify, targetVerify)

	before, err := guarded.cpu()
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	began := time.Now()
	refused, ended := flood(ctx, guarded.address, guarded.token, o.bad)
	amid, err := ask(guarded.address, good, 1, o.requests)
	took := time.Since(began)
	stop()
	if failure := ended(); err == nil {
		err = failure
	}
	if err != nil {
		return err
	}
	after, err := guarded.cpu()
	if err != nil {
		return err
	}
	n := refused.Load()
	slower := amid.quantile(0.5).Seconds()/alone.quantile(0.5).Seconds() - 1
	fmt.Fprintf(out, "%-44s %8.0f /s  (of %d /s wanted; the clients take a part of the CPUs)\n", "forged tokens refused", float64(n)/took.Seconds(), o.bad)
	cpu := after - before - time.Duration(o.requests)*alone.quantile(0.5) // about: what good requests take without the flood
	fmt.Fprintf(out, "%-44s %8s ms\n", "CPU of the server for a forged token, about", ms(max(0, cpu)/time.Duration(max(1, n))))
	fmt.Fprintf(out, "%-44s %8s ms\n", "good requests alone, p50", ms(alone.quantile(0.5)))
	fmt.Fprintf(out, "%-44s %8s ms, p99 %s ms\n", "good requests in the flood, p50", ms(amid.quantile(0.5)), ms(amid.quantile(0.99)))
	fmt.Fprintf(out, "%-44s %8.0f %%   %s (%.0f %%)\n", "slower by", 100*slower, verdict(slower <= targetSlower), 100*targetSlower)
	return nil
}

// flood sends forged tokens at a rate, until ctx ends. ended waits for the end and says what went wrong.
func flood(ctx context.Context, address, good string, perSecond int) (refused *atomic.Int64, ended func() error) {
	refused = &atomic.Int64{}
	pace := rate.NewLimiter(rate.Limit(perSecond), floodClients)
	var all errgroup.Group
	for range floodClients {
		all.Go(func() error {
			conn, err := net.Dial("tcp", address)
			if err != nil {
				return err
			}
			defer conn.Close()
			reader := bufio.NewReader(conn)
			for pace.Wait(ctx) == nil {
				if _, err := io.WriteString(conn, question{path: "/v2/code/completions", body: "{}", headers: identity(forged(good))}.text()); err != nil {
					return err
				}
				response, err := http.ReadResponse(reader, nil)
				if err != nil {
					return err
				}
				_, _ = io.Copy(io.Discard, response.Body)
				response.Body.Close()
				if response.StatusCode != http.StatusUnauthorized {
					return fmt.Errorf("a forged token is answered %d", response.StatusCode)
				}
				refused.Add(1)
			}
			return nil
		})
	}
	return refused, all.Wait
}
