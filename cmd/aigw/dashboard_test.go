package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"aigw/internal/testmodel"
)

// metricNames finds the names of metrics in a query: words that end as ours and the original's do.
var metricNames = regexp.MustCompile(`\b(?:aigw|http|code_suggestions|process|model_inferences)_[a-z_]+`)

// Every query of the dashboard and of the alerts asks for something that a server which was used has
// on its page.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	queries := []string{}
	text, err := os.ReadFile("../../deploy/grafana/aigw.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []struct {
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	if text, err = os.ReadFile("../../deploy/prometheus/alerts.yaml"); err != nil {
		t.Fatal(err)
	}
	var alerts struct {
		Groups []struct {
			Rules []struct{ Expr string }
		}
	}
	if err := yaml.Unmarshal(text, &alerts); err != nil {
		t.Fatal(err)
	}
	for _, g := range alerts.Groups {
		for _, r := range g.Rules {
			queries = append(queries, r.Expr)
		}
	}
	if len(queries) < 20 {
		t.Fatalf("only %d queries", len(queries))
	}

	t.Setenv("AIGW_USER_RATE", "2")
	r := start(t, "--model", testmodel.Path(t), "--ctx", "1024", "--completion-time", "200ms")
	r.wait("ready", func() bool { return r.get("/monitoring/ready") == http.StatusOK })
	for range 3 { // two are answered, one is refused
		r.post(codeRequests[1].path, fmt.Sprintf(codeRequests[1].body, false))
	}
	page := metricsPage(t, r)
	for _, query := range queries {
		for _, name := range metricNames.FindAllString(query, -1) {
			if name == "aigw_tls_certificate_expiry_timestamp_seconds" { // only with TLS
				continue
			}
			if !strings.Contains(page, "\n"+name+"{") && !strings.Contains(page, "\n"+name+" ") {
				t.Errorf("%s asks for %s, which there is not", query, name)
			}
		}
	}
}

func metricsPage(t *testing.T, r *running) string {
	t.Helper()
	found := regexp.MustCompile(`"metrics":"(http://[^"]+)"`).FindStringSubmatch(r.log.String())
	if found == nil {
		t.Fatal("the log does not say where the metrics are")
	}
	answer, err := http.Get(found[1])
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// Each alert is raised by its fault and by nothing else, if Prometheus' tool is here to say so.
func TestAlertRules(t *testing.T) {
	tool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("no promtool here: apt-get install prometheus")
	}
	if text, err := exec.Command(tool, "test", "rules", "../../deploy/prometheus/alerts_test.yaml").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}
