package main

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"aigw/gateway/auth"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/auth/selfsigned"

	"github.com/urfave/cli/v2"
)

// testIssuer stands for a GitLab in tokens that are signed with a key of one's own.
const testIssuer = "https://gitlab.test.invalid"

// testKeyID is the id of such a key.
const testKeyID = "aigw-token"

// testScopes are what GitLab grants itself for self-hosted models (section 3.7 of the wire contract).
const testScopes = "complete_code,generate_code,code_suggestions,duo_chat,documentation_search,explain_vulnerability," +
	"resolve_vulnerability,troubleshoot_job,summarize_comments,generate_commit_message"

func tokenCommand() *cli.Command {
	return &cli.Command{
		Name:      "token",
		Usage:     "make a token to try a gateway with",
		ArgsUsage: " ",
		Description: "Without --key it makes a token as the gateway gives to editors, for completions only, with the\n" +
			"gateway's own key. With --key it plays a GitLab: start the gateway with --jwks-file to trust that key.\n\n" +
			"Examples:\n" +
			"  aigw token --key test.pem --make-key --jwks > jwks.json    # then: aigw run --jwks-file jwks.json ...\n" +
			"  aigw token --key test.pem --headers > headers.txt          # then: curl -H @headers.txt ...\n" +
			"  aigw token --key test.pem --scopes complete_code --ttl 5m\n" +
			"  aigw token --user somebody                                 # as an editor's",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "key", Usage: "`FILE` with an RSA private key in PEM to sign with", TakesFile: true},
			&cli.BoolFlag{Name: "make-key", Usage: "make the file of --key if there is none"},
			&cli.BoolFlag{Name: "jwks", Usage: "print the key's public half for --jwks-file, and no token"},
			&cli.BoolFlag{Name: "headers", Usage: "print all headers that belong to the token, for curl -H @FILE"},
			&cli.StringFlag{Name: "scopes", Usage: "rights, separated by commas", DefaultText: "all of a GitLab; complete_code without --key"},
			&cli.DurationFlag{Name: "ttl", Value: time.Hour, Usage: "how long the token is good"},
			&cli.StringFlag{Name: "issuer", Usage: "`URL` of the GitLab to play", DefaultText: testIssuer},
			&cli.StringFlag{Name: "instance", Value: "00000000-0000-4000-8000-000000000000", Usage: "`UUID` of the GitLab instance"},
			&cli.StringFlag{Name: "realm", Value: "self-managed", Usage: "self-managed or saas"},
			&cli.StringFlag{Name: "user", Value: "aigw-token", Usage: "`ID` of the person"},
			stateFlag(),
		},
		OnUsageError: onUsageError,
		Action:       makeToken,
	}
}

func makeToken(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("token takes flags only, %q is left over", c.Args().First())
	}
	if c.Duration("ttl") <= 0 {
		return usagef("--ttl %s: a token has to last", c.Duration("ttl"))
	}
	key, err := tokenKey(c)
	if err != nil {
		return err
	}
	service := textEnv("CLOUD_CONNECTOR_SERVICE_NAME", auth.DefaultServiceName)
	if c.Bool("jwks") {
		keys := selfsigned.Public(service, key, nil)
		keys[0].ID = testKeyID
		return printJWKS(c, keys)
	}
	claims, keyID := selfsigned.Claims{
		Issuer: service, Audience: service, Subject: c.String("user"), Scopes: []string{string(auth.CompleteCode)},
		Realm: c.String("realm"), Instance: c.String("instance"),
	}, ""
	if c.String("key") != "" {
		claims.Issuer, claims.Subject, keyID = orText(c.String("issuer"), testIssuer), c.String("instance"), testKeyID
		claims.Scopes = strings.Split(testScopes, ",")
	}
	if c.IsSet("scopes") {
		claims.Scopes = strings.FieldsFunc(c.String("scopes"), func(r rune) bool { return r == ',' || r == ' ' })
	}
	token, err := selfsigned.Sign(key, keyID, claims.Stamp(time.Now(), c.Duration("ttl")))
	if err != nil {
		return err
	}
	if !c.Bool("headers") {
		fmt.Fprintln(c.App.Writer, token)
		return nil
	}
	fmt.Fprintf(c.App.Writer, "Authorization: Bearer %s\nX-Gitlab-Authentication-Type: oidc\nX-Gitlab-Instance-Id: %s\nX-Gitlab-Realm: %s\nX-Gitlab-Global-User-Id: %s\n",
		token, c.String("instance"), c.String("realm"), c.String("user"))
	return nil
}

// tokenKey returns the key of --key, else the gateway's own.
func tokenKey(c *cli.Context) (*rsa.PrivateKey, error) {
	path := c.String("key")
	if path == "" {
		if text := textEnv(signingKeyVar, ""); text != "" {
			return selfsigned.ParseKey(text)
		}
		path = filepath.Join(stateDir(c), selfsigned.KeyFile)
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		switch {
		case c.String("key") == "":
			return nil, fmt.Errorf("%s does not exist: a gateway makes it when it starts; name another --state-dir, or a key with --key", path)
		case c.Bool("make-key"):
			return makeKey(path)
		}
		return nil, fmt.Errorf("%s does not exist; have it made with --make-key", path)
	}
	if err != nil {
		return nil, plainPathError(err)
	}
	key, err := selfsigned.ParseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// makeKey writes a new key, readable by this user only.
func makeKey(path string) (*rsa.PrivateKey, error) {
	key, err := selfsigned.Make()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		return nil, plainPathError(err)
	}
	return key, nil
}

func printJWKS(c *cli.Context, keys []keyring.Key) error {
	set, err := keyring.Marshal(keys)
	if err != nil {
		return err
	}
	e := json.NewEncoder(c.App.Writer)
	e.SetIndent("", "  ")
	return e.Encode(json.RawMessage(set))
}
