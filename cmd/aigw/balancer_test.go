package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// nginxVar names the nginx that stands before several gateways; .ci/affinity-test sets it.
const nginxVar = "AIGW_TEST_NGINX"

// balancer is an nginx before replicas of the gateway. It listens on sockets, so that no free port has to be found.
type balancer struct {
	t   *testing.T
	dir string
}

// The ways to choose a replica, by the names of their sockets.
const (
	byPerson = "person" // as the chart has it
	byCaller = "caller" // as docs/install-kubernetes.md has it for callers without a person
	byTurn   = "turn"   // round robin
)

// startBalancer begins an nginx whose replicas are these addresses. The directive is one of nginx's upstreams.
func startBalancer(t *testing.T, directive string, addresses ...string) *balancer {
	t.Helper()
	b := &balancer{t, t.TempDir()}
	var servers strings.Builder
	for _, a := range addresses {
		fmt.Fprintf(&servers, "server %s; ", a)
	}
	var conf strings.Builder
	fmt.Fprintf(&conf, "daemon off;\nuser root;\nworker_processes 1;\npid %[1]s/pid;\nerror_log %[1]s/error.log;\nevents {}\nhttp {\naccess_log off;\n"+
		"client_max_body_size 16m;\nproxy_buffering off;\nproxy_read_timeout 300s;\nadd_header X-Replica $upstream_addr always;\n", b.dir)
	for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		fmt.Fprintf(&conf, "%s_temp_path %s/%s;\n", name, b.dir, name)
	}
	conf.WriteString("map $http_x_gitlab_global_user_id $caller { '' $http_authorization; default $http_x_gitlab_global_user_id; }\n")
	for name, way := range map[string]string{byPerson: directive + ";", byCaller: "hash $caller consistent;", byTurn: ""} {
		fmt.Fprintf(&conf, "upstream %[1]s { %[2]s %[3]s}\nserver { listen unix:%[4]s/%[1]s; location / { proxy_pass http://%[1]s; proxy_set_header Host $host; } }\n", name, way, servers.String(), b.dir)
	}
	conf.WriteString("}\n")
	file := filepath.Join(b.dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	said := &lockedBuffer{}
	cmd := exec.Command(os.Getenv(nginxVar), "-c", file, "-p", b.dir)
	cmd.Stderr = said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	over := make(chan error, 1)
	go func() {
		over <- cmd.Wait()
		close(over)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt) // it takes its workers along
		for range over {
		}
	})
	for {
		conn, err := net.Dial("unix", filepath.Join(b.dir, byTurn))
		if err == nil {
			conn.Close()
			return b
		}
		select {
		case err := <-over:
			over <- err
			t.Fatalf("nginx: %v\n%s", err, said)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// client reaches the replicas in one of the ways, each time over a new connection.
func (b *balancer) client(way string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(b.dir, way))
	}}}
}

// replicaOf says where a request with this header goes, and where it was tried before.
func (b *balancer) replicaOf(client *http.Client, header, value string) string {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, "http://127.0.0.1/monitoring/healthz", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	if value != "" {
		r.Header.Set(header, value)
	}
	res, err := client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	if res.StatusCode != http.StatusOK {
		b.t.Fatalf("%s %s: %s", header, value, res.Status)
	}
	tried := strings.Split(res.Header.Get("X-Replica"), ", ")
	return tried[len(tried)-1]
}

// people says where each of so many people goes.
func (b *balancer) people(n int) []string {
	b.t.Helper()
	client := b.client(byPerson)
	where := make([]string, n)
	for i := range where {
		where[i] = b.replicaOf(client, "X-Gitlab-Global-User-Id", fmt.Sprintf("person %d", i))
	}
	return where
}
