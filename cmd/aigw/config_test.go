package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// shown returns the settings that aigw config --json prints, by name, and the warnings.
func shown(t *testing.T, args ...string) (map[string]setting, []string) {
	t.Helper()
	code, stdout, stderr := call(t, append([]string{"config", "--json"}, args...)...)
	if code != 0 {
		t.Fatalf("code %d: %s", code, stderr)
	}
	var out struct {
		Settings []setting `json:"settings"`
		Warnings []string  `json:"warnings"`
	}
	if err := json.Unmarshal([]byte(stdout), &out); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	byName := map[string]setting{}
	for _, s := range out.Settings {
		byName[s.Name] = s
	}
	return byName, out.Warnings
}

// A flag wins over the environment, that over .env, and that over the file.
func TestEachSettingNamesItsOrigin(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	file := filepath.Join(dir, "aigw.yaml")
	writeAll(t, map[string]string{
		file: "listen: 0.0.0.0:1\nqueue: 1\nparallel: 2\nslice: 3\nmax_body: 4\nstrict-models: yes\nca-file: [a.pem, b.pem]\n" +
			"logging:\n  level: WARNING\nfeature_flags: {disallowed_flags: {saas: [x]}}\nfastapi:\n  metrics_port: 9\n",
		".env": "AIGW_QUEUE=5\nAIGW_PARALLEL=6\naigw_slice=7\nAIGW_AUTH__BYPASS_EXTERNAL=false\n",
	})
	t.Setenv("AIGW_QUEUE", "8")
	t.Setenv("aigw_parallel", "9")
	t.Setenv("AIGW_CUSTOM_MODELS__ENABLED", "true")
	got, warnings := shown(t, "--config", file, "--queue", "10")
	for name, want := range map[string][2]string{
		"queue":         {"10", "--queue"},
		"parallel":      {"9", "environment AIGW_PARALLEL"},
		"slice":         {"7", ".env AIGW_SLICE"},
		"max-body":      {"4", file + ":5"},
		"strict-models": {"true", file + ":6"},
		"ca-file":       {`"a.pem,b.pem"`, file + ":7"},
		"listen":        {`"0.0.0.0:1"`, file + ":1"},
		"batch":         {"512", "default"},
		"drain-timeout": {`"8s"`, "default"},
		// Variables without a flag.
		"AIGW_LOGGING__LEVEL":                  {`"WARNING"`, file + ":9"},
		"AIGW_FEATURE_FLAGS__DISALLOWED_FLAGS": {`"{\"saas\":[\"x\"]}"`, file + ":10"},
		"AIGW_AUTH__BYPASS_EXTERNAL":           {`"false"`, ".env"},
		"AIGW_CUSTOM_MODELS__ENABLED":          {`"true"`, "environment"},
		"metrics-listen":                       {`"127.0.0.1:9"`, file + ":12 AIGW_FASTAPI__METRICS_PORT"},
	} {
		value, err := json.Marshal(got[name].Value)
		if err != nil || string(value) != want[0] || got[name].Origin != want[1] {
			t.Errorf("%s: %s from %q, want %s from %q", name, value, got[name].Origin, want[0], want[1])
		}
	}
	if len(warnings) != 0 {
		t.Errorf("warnings %q", warnings)
	}
}

func writeAll(t *testing.T, files map[string]string) {
	t.Helper()
	for path, text := range files {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUnknownSettings(t *testing.T) {
	for name, test := range map[string]struct{ yaml, want string }{
		"a slip":          {"queu: 3\n", `aigw.yaml:1: unknown setting "queu"; did you mean "queue"?`},
		"a variable":      {"\nlogging:\n  leevel: INFO\n", `aigw.yaml:3: unknown setting "logging.leevel"; did you mean "logging.level"?`},
		"nothing like it": {"zzzzzzzzzz: 1\n", "aigw config --schema lists all"},
		"two":             {"queu: 3\nbatsh: 1\n", `"batch"`},
		"a list":          {"- queue\n", "name: value"},
		"a map":           {"queue: {a: 1}\n", "a value or a list"},
		"not a number":    {"queue: many\n", `aigw.yaml:1: --queue cannot be "many"`},
		"twice":           {"max-body: 1\nmax_body: 2\n", "set twice"},
		"no YAML":         {"queue: [\n", "aigw.yaml"},
		"out of range":    {"queue: 0\n", "--queue 0"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "aigw.yaml", test.yaml)
			for _, command := range []string{"config", "run"} {
				if code, _, stderr := call(t, command, "--config", file, "--listen", "127.0.0.1:0"); code == 0 || !strings.Contains(stderr, test.want) {
					t.Errorf("%s: code %d, %s, want %q", command, code, stderr, test.want)
				}
			}
		})
	}
	if code, _, stderr := call(t, "config", "--config", "/nowhere.yaml"); code != exitFailed || !strings.Contains(stderr, "/nowhere.yaml") {
		t.Errorf("code %d, %s", code, stderr)
	}
	t.Setenv("AIGW_GITLAB_ULR", "x")
	t.Setenv("aigw_fastapi__api_prot", "x")
	t.Setenv("AIGW_VERTEX_TEXT_MODEL__PROJECT", "x") // the original's, without a meaning here
	_, warnings := shown(t)
	if len(warnings) != 2 || !strings.Contains(warnings[0], "AIGW_FASTAPI__API_PORT") || !strings.Contains(warnings[1], "did you mean AIGW_GITLAB_URL?") {
		t.Errorf("warnings %q", warnings)
	}
	r := startClosed(t)
	r.wait("a warning", func() bool { return strings.Contains(r.log.String(), "AIGW_GITLAB_ULR is set and means nothing") })
}

func TestSecretsAreMasked(t *testing.T) {
	t.Setenv("AIGW_SELF_SIGNED_JWT__SIGNING_KEY", "top-secret")
	t.Setenv("HTTPS_PROXY", "http://person:top-secret@proxy.example.test:3128")
	got, _ := shown(t)
	all, err := json.Marshal(got)
	if err != nil || strings.Contains(string(all), "top-secret") || got["AIGW_SELF_SIGNED_JWT__SIGNING_KEY"].Value != "**********" ||
		!strings.Contains(got["HTTPS_PROXY"].Value.(string), "proxy.example.test:3128") {
		t.Errorf("%s, %v", all, err)
	}
}

func TestOutbound(t *testing.T) {
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"nothing":  {nil, "nothing:"},
		"GitLab":   {[]string{"--gitlab-url", "https://gitlab.example.test/sub"}, "https://gitlab.example.test:443"},
		"the file": {[]string{"--gitlab-url", "https://gitlab.example.test", "--jwks-file", "x"}, "nothing:"},
		"a model":  {[]string{"--model", "mistral=https://vllm.example.test/v1#org/mistral", "--jwks-file", "x"}, "https://vllm.example.test:443  model mistral"},
		"traces":   {[]string{"--otlp-endpoint", "http://collector.example.test:4318", "--jwks-file", "x"}, "http://collector.example.test:4318"},
	} {
		code, stdout, stderr := call(t, append([]string{"config", "--outbound"}, test.args...)...)
		if code != 0 || !strings.HasPrefix(stdout, test.want) {
			t.Errorf("%s: code %d, %s%s", name, code, stdout, stderr)
		}
	}
}

// The schema knows every flag and variable, as the reader does.
func TestSchema(t *testing.T) {
	code, stdout, stderr := call(t, "config", "--schema")
	var schema struct {
		Additional bool `json:"additionalProperties"`
		Properties map[string]struct {
			Type       any                       `json:"type"`
			Properties map[string]map[string]any `json:"properties"`
		} `json:"properties"`
	}
	if err := json.Unmarshal([]byte(stdout), &schema); err != nil || code != 0 || schema.Additional {
		t.Fatalf("code %d, %v, %s", code, err, stderr)
	}
	for _, f := range runFlags() {
		if name := f.Names()[0]; name != "config" && schema.Properties[name].Type == nil {
			t.Errorf("the flag %s is missing", name)
		}
	}
	if schema.Properties["logging"].Properties["level"]["type"] != "string" || schema.Properties["queue"].Type != "integer" {
		t.Errorf("%+v", schema.Properties)
	}
}

// Every flag of the server can be set in the environment, too.
func TestEveryFlagHasAVariable(t *testing.T) {
	for _, f := range runFlags() {
		if len(variablesOf([]cli.Flag{f})) == 0 {
			t.Errorf("--%s has no variable", f.Names()[0])
		}
	}
}

func TestTracesGoWhereTheyCan(t *testing.T) {
	for _, args := range [][]string{{"--otlp-endpoint", "collector:4318"}, {"--otlp-endpoint", "http://user:secret@c.example.test"}, {"--otlp-share", "2"}, {"--otlp-share", "NaN"}} {
		if code, stdout, stderr := call(t, append([]string{"config"}, args...)...); code != exitUsage || strings.Contains(stderr, "secret") || stdout != "" {
			t.Errorf("%v: code %d, %s", args, code, stderr)
		}
	}
}
