package chart

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// The test runs itself in namespaces of its own: its mounts and its ports are nobody else's.
const inNamespaceVar = "AIGW_TEST_IN_NAMESPACE"

// The real program, with command, environment, mounts, read-only root and probes as GitLab's documented command line renders
// them, starts within the startup probe's time, stays alive and ready, and ends within the grace period. AIGW_PROGRAM names it,
// AIGW_TEST_MODEL the weights (.ci/helm-test).
func TestTheProgramRunsAsRendered(t *testing.T) {
	binary, weights := os.Getenv("AIGW_PROGRAM"), os.Getenv("AIGW_TEST_MODEL")
	if binary == "" || weights == "" {
		t.Skip("AIGW_PROGRAM and AIGW_TEST_MODEL do not name a program and weights; see .ci/helm-test")
	}
	if os.Getenv(inNamespaceVar) == "" {
		if text, err := exec.Command("unshare", "-rmn", "ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
			t.Skipf("no namespaces here: %v: %s", err, text)
		}
		cmd := exec.Command("unshare", "-rmn", "--propagation", "private", os.Args[0], "-test.run=^TestTheProgramRunsAsRendered$", "-test.v")
		cmd.Env = append(os.Environ(), inNamespaceVar+"=1")
		if text, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(text), "--- PASS") {
			t.Errorf("%v\n%s", err, text)
		}
		return
	}
	shell(t, "ip link set lo up")
	files, err := render(t, settings["gitlab-documented"])
	if err != nil {
		t.Fatal(err)
	}
	var pod corev1.PodSpec
	secrets := map[string]corev1.Secret{}
	for _, m := range manifests(t, files) {
		switch o := decode(t, m).(type) {
		case *appsv1.Deployment:
			pod = o.Spec.Template.Spec
		case *corev1.Secret:
			secrets[o.Name] = *o
		}
	}
	c := pod.Containers[0]
	root := container(t, c, binary, weights)
	cmd := exec.Command("/aigw", c.Args...) // the image's entry point is the program
	cmd.Env, cmd.Dir = environment(t, c, secrets), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	fail := func(format string, args ...any) {
		_ = cmd.Process.Kill()
		text, _ := os.ReadFile(log.Name())
		t.Fatalf(format+"\n%s", append(args, text)...)
	}
	p := c.StartupProbe
	for left := p.FailureThreshold; ; left-- {
		err := probe(c, p)
		if err == nil {
			break
		}
		if left == 0 {
			fail("not started: %v", err)
		}
		select {
		case err := <-ended:
			fail("ended: %v", err)
		case <-time.After(time.Duration(p.PeriodSeconds) * time.Second):
		}
	}
	for name, p := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if err := probe(c, p); err != nil {
			fail("%s: %v", name, err)
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		fail("%v", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			fail("ended: %v", err)
		}
	case <-time.After(time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second):
		fail("Kubernetes would have killed it")
	}
}

// container makes the file system that a container of the pod sees: the program, and what is mounted; the rest is read-only.
func container(t *testing.T, c corev1.Container, binary, weights string) string {
	t.Helper()
	root := t.TempDir()
	script := "mount -t tmpfs none " + root + "\n"
	for _, dir := range []string{"usr", "lib", "lib64", "bin", "etc", "dev"} {
		if to, err := os.Readlink("/" + dir); err == nil {
			script += fmt.Sprintf("ln -s %s %s/%s\n", to, root, dir)
		} else if _, err := os.Stat("/" + dir); err == nil {
			script += fmt.Sprintf("mkdir %[1]s/%[2]s\nmount --rbind /%[2]s %[1]s/%[2]s\n", root, dir)
		}
	}
	script += fmt.Sprintf("mkdir %[1]s/proc %[1]s/sys\nmount --rbind /proc %[1]s/proc\nmount --rbind /sys %[1]s/sys\ntouch %[1]s/aigw\nmount --bind %[2]s %[1]s/aigw\n", root, binary)
	for _, m := range c.VolumeMounts {
		source := t.TempDir()
		script += fmt.Sprintf("mkdir -p %[1]s%[2]s\nmount --bind %[3]s %[1]s%[2]s\n", root, m.MountPath, source)
		if m.Name == "models" {
			script += fmt.Sprintf("touch %[1]s/model.gguf\nmount --bind %[2]s %[1]s/model.gguf\n", root+m.MountPath, weights)
		}
		if m.ReadOnly {
			script += fmt.Sprintf("mount -o remount,bind,ro %s%s\n", root, m.MountPath)
		}
	}
	models := "" // where no volume is mounted, the documented command line expects one of the administrator's
	for i, arg := range c.Args {
		if arg == "--models-dir" {
			models = c.Args[i+1]
		}
	}
	if !strings.Contains(script, root+models+"\n") {
		script += fmt.Sprintf("mkdir -p %[1]s%[2]s\ntouch %[1]s%[2]s/model.gguf\nmount --bind %[3]s %[1]s%[2]s/model.gguf\n", root, models, weights)
	}
	if s := c.SecurityContext; s != nil && s.ReadOnlyRootFilesystem != nil && *s.ReadOnlyRootFilesystem {
		script += "mount -o remount,ro " + root + "\n"
	}
	t.Cleanup(func() { shell(t, "umount -l "+root) }) // with all below it, before the folders are removed
	shell(t, script)
	return root
}

func shell(t *testing.T, script string) {
	t.Helper()
	if text, err := exec.Command("sh", "-e", "-c", script).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", script, err, text)
	}
}

// environment is the container's: the image's PATH, and what the manifest sets.
func environment(t *testing.T, c corev1.Container, secrets map[string]corev1.Secret) []string {
	t.Helper()
	env := []string{"PATH=/usr/bin:/bin"}
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			ref := e.ValueFrom.SecretKeyRef
			s := secrets[ref.Name]
			if text, ok := s.Data[ref.Key]; ok {
				value = string(text)
			} else if text, ok := s.StringData[ref.Key]; ok {
				value = text
			} else {
				t.Errorf("%s: there is no key %s in the Secret %s", e.Name, ref.Key, ref.Name)
			}
		}
		env = append(env, e.Name+"="+value)
	}
	return env
}

// probe asks as the kubelet does.
func probe(c corev1.Container, p *corev1.Probe) error {
	port := p.HTTPGet.Port.IntValue()
	for _, named := range c.Ports {
		if named.Name == p.HTTPGet.Port.String() {
			port = int(named.ContainerPort)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(max(1, p.TimeoutSeconds))*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", port, p.HTTPGet.Path), nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode >= 400 {
		return fmt.Errorf("%s", answer.Status)
	}
	return nil
}
