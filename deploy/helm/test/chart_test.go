// Package chart tests the Helm chart with Helm itself, as a library: what it renders, that Kubernetes'
// own types take it, and that wrong values are refused. A module of its own keeps Helm out of aigw's.
package chart

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"helm.sh/helm/v3/pkg/lint"
	"helm.sh/helm/v3/pkg/releaseutil"
	"helm.sh/helm/v3/pkg/strvals"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"
)

const folder = "../ai-gateway"

var update = flag.Bool("update", false, "write the golden files anew")

// settings are command lines of helm template, as --set takes them; the first is GitLab's documented one.
var settings = map[string]string{
	"gitlab-documented": "gitlab.url=https://gitlab.example.com,gitlab.apiUrl=https://gitlab.example.com/api/v4/," +
		"ingress.enabled=true,ingress.hosts[0].host=ai.example.com,ingress.hosts[0].paths[0].path=/,ingress.hosts[0].paths[0].pathType=ImplementationSpecific," +
		"ingress.tls[0].secretName=ai-tls,ingress.tls[0].hosts[0]=ai.example.com,ingress.className=nginx,image.tag=0.1.0",
	"defaults":     "",
	"claim-gpu":    "gitlab.url=https://gitlab.example.com,models.existingClaim=weights,gpu.count=1,runtimeClassName=nvidia,image.repository=aigw-cuda",
	"new-claim":    "gitlab.url=https://gitlab.example.com,models.size=40Gi,models.storageClassName=fast",
	"host-path":    "gitlab.url=https://gitlab.example.com,models.hostPath=/srv/weights,nodeSelector.disk=nvme,extraArgs[0]=--parallel,extraArgs[1]=16",
	"oci-volume":   "gitlab.url=https://gitlab.example.com,models.image=registry.example.com/weights:1,signingKey.existingSecret=own",
	"cluster":      "gitlab.url=https://gitlab.example.com,models.existingClaim=weights,autoscaling.enabled=true,podDisruptionBudget.enabled=true,networkPolicy.enabled=true,networkPolicy.egressTo[0].ipBlock.cidr=192.0.2.1/32,serviceMonitor.enabled=true",
	"replicas":     "gitlab.url=https://gitlab.example.com,models.existingClaim=weights,replicaCount=3,ingress.enabled=true,ingress.hosts[0].host=ai.example.com,ingress.hosts[0].paths[0].path=/",
	"certificates": "gitlab.url=https://gitlab.example.com,volumes[0].name=ca,volumes[0].secret.secretName=ca,volumeMounts[0].name=ca,volumeMounts[0].mountPath=/etc/ssl/certs/ca.pem,volumeMounts[0].subPath=ca.pem,extraEnvironmentVariables[0].name=SSL_CERT_FILE,extraEnvironmentVariables[0].value=/etc/ssl/certs/ca.pem",
}

// render is helm template RELEASE CHART --namespace ai-gateway --set set.
func render(t *testing.T, set string) (map[string]string, error) {
	t.Helper()
	c, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(set, "gitlab.apiUrl") {
		// A new RSA key takes seconds; one rendering with it is enough.
		set = strings.TrimPrefix(set+",signingKey.generate=false", ",")
	}
	values, err := strvals.Parse(set)
	if err != nil {
		t.Fatal(err)
	}
	all, err := chartutil.ToRenderValues(c, values, chartutil.ReleaseOptions{Name: "ai-gateway", Namespace: "ai-gateway", IsInstall: true, Revision: 1}, nil)
	if err != nil {
		return nil, err
	}
	return engine.Render(c, all)
}

// key is the signing key, which is new in every rendering.
var key = regexp.MustCompile(`(signing-key: )[A-Za-z0-9+/=]{100,}`)

// manifests are what would be applied, in a stable order.
func manifests(t *testing.T, files map[string]string) []releaseutil.Manifest {
	t.Helper()
	yamls := map[string]string{}
	for name, text := range files {
		if strings.HasSuffix(name, ".yaml") && strings.TrimSpace(text) != "" {
			yamls[name] = text
		}
	}
	hooks, rest, err := releaseutil.SortManifests(yamls, nil, releaseutil.InstallOrder)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range hooks {
		for _, e := range h.Events {
			// A hook that runs at install would hold up --wait --wait-for-jobs.
			if e != "test" {
				t.Errorf("%s is a hook of %s", h.Name, e)
			}
		}
		rest = append(rest, releaseutil.Manifest{Name: h.Path, Content: h.Manifest, Head: &releaseutil.SimpleHead{Kind: h.Kind}})
	}
	return rest
}

// decode reads a manifest as Kubernetes would with --validate=strict.
func decode(t *testing.T, m releaseutil.Manifest) any {
	t.Helper()
	var into any
	switch m.Head.Kind {
	case "Deployment":
		into = &appsv1.Deployment{}
	case "Service":
		into = &corev1.Service{}
	case "ServiceAccount":
		into = &corev1.ServiceAccount{}
	case "Secret":
		into = &corev1.Secret{}
	case "PersistentVolumeClaim":
		into = &corev1.PersistentVolumeClaim{}
	case "Pod":
		into = &corev1.Pod{}
	case "Ingress":
		into = &networkingv1.Ingress{}
	case "NetworkPolicy":
		into = &networkingv1.NetworkPolicy{}
	case "PodDisruptionBudget":
		into = &policyv1.PodDisruptionBudget{}
	case "HorizontalPodAutoscaler":
		into = &autoscalingv2.HorizontalPodAutoscaler{}
	case "ServiceMonitor": // a type of prometheus-operator's, not of Kubernetes'
		into = &map[string]any{}
	default:
		t.Fatalf("%s: no type for %s", m.Name, m.Head.Kind)
	}
	if err := yaml.UnmarshalStrict([]byte(m.Content), into); err != nil {
		t.Errorf("%s: %v\n%s", m.Name, err, m.Content)
	}
	return into
}

func TestGolden(t *testing.T) {
	for name, set := range settings {
		t.Run(name, func(t *testing.T) {
			files, err := render(t, set)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for _, m := range manifests(t, files) {
				decode(t, m)
				out.WriteString("---\n# " + m.Name + "\n" + strings.TrimSpace(key.ReplaceAllString(m.Content, "${1}NEW")) + "\n")
			}
			golden := filepath.Join("testdata", name+".yaml")
			if *update {
				if err := os.WriteFile(golden, []byte(out.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil || string(want) != out.String() {
				t.Errorf("helm template differs from %s (go test -update writes it anew): %v\n%s", golden, err, out.String())
			}
		})
	}
}

// The times of the documented command line, `--timeout=300s --wait --wait-for-jobs`, have room for the start.
func TestStartFitsTheDocumentedTimeout(t *testing.T) {
	files, err := render(t, settings["gitlab-documented"])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range manifests(t, files) {
		d, ok := decode(t, m).(*appsv1.Deployment)
		if !ok {
			continue
		}
		c := d.Spec.Template.Spec.Containers[0]
		if p := c.StartupProbe; p.PeriodSeconds*p.FailureThreshold >= 300 || p.PeriodSeconds*p.FailureThreshold < 240 {
			t.Errorf("a start may take %d s", p.PeriodSeconds*p.FailureThreshold)
		}
		env := map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		if env["AIGW_GITLAB_URL"] != "https://gitlab.example.com" || env["AIGW_GITLAB_API_URL"] != "https://gitlab.example.com/api/v4/" {
			t.Errorf("environment %v", env)
		}
		return
	}
	t.Error("no deployment")
}

// Users are sent to one of several replicas by both controllers, unless that is switched off, and by what the
// administrator names.
func TestUserAffinity(t *testing.T) {
	const (
		community, organisation = "nginx.ingress.kubernetes.io/upstream-hash-by", "nginx.org/lb-method"
		header                  = "$http_x_gitlab_global_user_id"
	)
	for _, test := range []struct{ set, community, organisation string }{
		{"", header, "hash " + header + " consistent"},
		{",ingress.userAffinity=false", "", ""},
		{`,ingress.annotations.nginx\.ingress\.kubernetes\.io/upstream-hash-by=$caller`, "$caller", "hash " + header + " consistent"},
	} {
		files, err := render(t, settings["replicas"]+test.set)
		if err != nil {
			t.Fatal(err)
		}
		found := false
		for _, m := range manifests(t, files) {
			if i, ok := decode(t, m).(*networkingv1.Ingress); ok {
				found = true
				if got := i.Annotations; got[community] != test.community || got[organisation] != test.organisation {
					t.Errorf("%s: %v", test.set, got)
				}
			}
		}
		if !found {
			t.Errorf("%s: no ingress", test.set)
		}
	}
}

func TestLint(t *testing.T) {
	result := lint.All(folder, map[string]any{}, "ai-gateway", true)
	for _, m := range result.Messages {
		// An icon is for catalogues in the web.
		if !strings.Contains(m.Error(), "icon is recommended") {
			t.Error(m)
		}
	}
}

func TestValuesThatAreRefused(t *testing.T) {
	for set, says := range map[string]string{
		"gitlab.ulr=https://gitlab.example.com":     "ulr",
		"gitlab.url=gitlab.example.com":             "url",
		"models.hostPath=srv":                       "hostPath",
		"models.hostPath=/srv,models.size=1Gi":      "only one of",
		"service.port=70000":                        "port",
		"image.pullPolicy=Sometimes":                "pullPolicy",
		"ingress.enabled=true,ingress.hosts[0].x=1": "host",
	} {
		if _, err := render(t, set); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", set, err)
		}
	}
}
