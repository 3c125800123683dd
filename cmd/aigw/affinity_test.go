package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

// What a person's requests being sent to the replica that knows his prompts is worth: the same requests of the same people
// are answered by one gateway, by three behind the directive of the chart, and by three that take turns. Of the prompts'
// tokens, counted by the gateways, as many come from KV caches with three as with one, but for 5 points: what people have in
// common is computed by each of the three. Requests come one by one, so that no count depends on time.

// chartDirective is what the chart asks of nginx, in the rendering of several replicas.
func chartDirective(t *testing.T) string {
	t.Helper()
	golden := read(t, "../../deploy/helm/test/testdata/replicas.yaml")
	directive := regexp.MustCompile(`nginx\.org/lb-method: (hash (\$\w+) consistent)\n`).FindStringSubmatch(golden)
	if directive == nil || !strings.Contains(golden, "nginx.ingress.kubernetes.io/upstream-hash-by: "+directive[2]+"\n") {
		t.Fatalf("the chart has no consistent hash for both controllers: %v", directive)
	}
	return directive[1]
}

// replica is a gateway as the chart runs it: a process without a supervisor.
type replica struct {
	*process
	address string // of its API
	metrics string
}

func startReplica(t *testing.T) *replica {
	t.Helper()
	r := &replica{process: newProcess(t, []string{"AIGW_AUTH__BYPASS_EXTERNAL=true", "AIGW_STATE_DIR=" + t.TempDir(), "AIGW_LOGGING__FORMAT_JSON=true"},
		"--supervise", "off", "--model", testmodel.Path(t), "--ctx", "4096", "--threads", "2", "--cache-ram", "0", "--openai-insecure")}
	listening := regexp.MustCompile(`"url":"(http://([^"]+))","metrics":"([^"]+)"`)
	r.wait("a port", func() bool {
		found := listening.FindStringSubmatch(r.log.String())
		if found != nil {
			r.url, r.address, r.metrics = found[1], found[2], found[3]
		}
		return found != nil
	})
	return r
}

// kill is what becomes of a pod on a node that fails.
func (r *replica) kill() {
	r.t.Helper()
	if err := r.cmd.Process.Kill(); err != nil {
		r.t.Fatal(err)
	}
	<-r.over
}

// reuse is how many tokens of prompts came from KV caches, and how many were computed.
type reuse struct{ reused, computed int }

func (u reuse) percent() float64 { return 100 * float64(u.reused) / float64(u.reused+u.computed) }

// reuseOf reads the counters of gateways.
func reuseOf(t *testing.T, replicas []*replica) (sum reuse) {
	t.Helper()
	for _, r := range replicas {
		res, err := http.Get(r.metrics)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(res.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), "} ")
			n, _ := strconv.ParseFloat(value, 64)
			switch name, _, _ = strings.Cut(name, "{"); name {
			case "aigw_engine_cached_tokens_total":
				sum.reused += int(n)
			case "aigw_engine_prompt_tokens_total":
				sum.computed += int(n)
			}
		}
		res.Body.Close()
	}
	return sum
}

// Team of the measurement. What they have in common is the beginning of their files and the system text of conversations.
const (
	typists, pauses = 6, 6 // people who write a file, and how often each is asked for a suggestion
	talkers, turns  = 3, 5 // people who hold a conversation, and its questions
)

// step is one request of a person.
type step struct {
	person, path, body string
}

// team is what everybody asks for, in an order drawn with a seed. Worlds differ in their first words, so that nothing of one
// is known from another, and in nothing else.
func team(t *testing.T, world int) []step {
	t.Helper()
	draw := rand.New(rand.NewPCG(11, 11))
	code := fmt.Sprintf("# %d, the shop\nimport json\nfrom shop import Order\n\n", world)
	var waiting [][]step
	body := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for i := range typists {
		person := fmt.Sprintf("typist %d", i)
		file := code + fmt.Sprintf("class Part%d:\n", i)
		line := func() {
			file += fmt.Sprintf("    x%d = %d * Order.y%d\n", draw.IntN(100), draw.IntN(100), draw.IntN(100))
		}
		for range 4 {
			line()
		}
		var steps []step
		for range pauses {
			line()
			// One token of an answer, which only this route lets a caller ask for.
			steps = append(steps, step{person, "/v1/completions", body(map[string]any{"prompt": file, "max_tokens": 1, "temperature": 0})})
		}
		waiting = append(waiting, steps)
	}
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	for i := range talkers {
		person := fmt.Sprintf("talker %d", i)
		messages := []message{{"system", fmt.Sprintf("%d. You help the people who write the shop. Answer with one sentence.", world)}}
		var steps []step
		for turn := range turns {
			messages = append(messages, message{"user", fmt.Sprintf("How many cups are in box %d?", draw.IntN(100))})
			steps = append(steps, step{person, "/v1/chat/agent", body(map[string]any{
				"stream": true, "prompt_components": []any{map[string]any{
					"type": "prompt", "metadata": map[string]any{"source": "GitLab EE", "version": "17.8.0-ee"},
					"payload": map[string]any{"content": messages, "params": map[string]any{"max_tokens_to_sample": 1}},
				}},
			})})
			messages = append(messages, message{"assistant", fmt.Sprintf("There are %d.", turn)})
		}
		waiting = append(waiting, steps)
	}
	var all []step
	for len(waiting) > 0 {
		i := draw.IntN(len(waiting))
		all = append(all, waiting[i][0])
		if waiting[i] = waiting[i][1:]; len(waiting[i]) == 0 {
			waiting = append(waiting[:i], waiting[i+1:]...)
		}
	}
	return all
}

// play sends the steps one after the other, and returns which replicas each person's requests went to.
func play(t *testing.T, client *http.Client, url string, steps []step) map[string]map[string]bool {
	t.Helper()
	where := map[string]map[string]bool{}
	for _, s := range steps {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+s.path, strings.NewReader(s.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Gitlab-Global-User-Id", s.person)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		if res.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("%s: %s %s %v", s.person, res.Status, text, err)
		}
		res.Body.Close()
		if where[s.person] == nil {
			where[s.person] = map[string]bool{}
		}
		where[s.person][res.Header.Get("X-Replica")] = true
	}
	return where
}

func TestReplicasKeepPrefixes(t *testing.T) {
	if os.Getenv(nginxVar) == "" {
		t.Skip(nginxVar + " names no nginx: .ci/affinity-test runs this")
	}
	directive := chartDirective(t)
	var replicas []*replica
	var addresses []string
	for range 3 {
		r := startReplica(t)
		replicas = append(replicas, r)
		addresses = append(addresses, r.address)
	}
	for _, r := range replicas {
		r.waitReady()
	}
	nginx := startBalancer(t, directive, addresses...)

	measure := func(world int, client *http.Client, url string) (reuse, map[string]map[string]bool) {
		before := reuseOf(t, replicas)
		where := play(t, client, url, team(t, world))
		after := reuseOf(t, replicas)
		return reuse{after.reused - before.reused, after.computed - before.computed}, where
	}
	one, _ := measure(1, fresh, replicas[0].url)
	three, where := measure(2, nginx.client(byPerson), "http://127.0.0.1")
	inTurn, _ := measure(3, nginx.client(byTurn), "http://127.0.0.1")
	t.Logf("prompt tokens from KV caches: one gateway %.1f %% of %d; three, %s: %.1f %%; three in turn: %.1f %%",
		one.percent(), one.reused+one.computed, directive, three.percent(), inTurn.percent())
	for way, u := range map[string]reuse{"three": three, "in turn": inTurn} {
		if u.reused+u.computed != one.reused+one.computed {
			t.Errorf("%s: %d prompt tokens, one gateway had %d: this was not the same work", way, u.reused+u.computed, one.reused+one.computed)
		}
	}
	if three.percent() < one.percent()-5 {
		t.Errorf("three gateways reuse %.1f %%, one %.1f %%: more than 5 points less", three.percent(), one.percent())
	}
	if three.percent() < inTurn.percent()+10 {
		t.Errorf("three gateways reuse %.1f %%, in turn %.1f %%: the directive is worth nothing", three.percent(), inTurn.percent())
	}
	used := map[string]bool{}
	for person, to := range where {
		if len(to) != 1 {
			t.Errorf("%s went to %d replicas", person, len(to))
		}
		for r := range to {
			used[r] = true
		}
	}
	if len(used) < 2 {
		t.Errorf("everybody went to %v", used)
	}
	membersChange(t, nginx, directive, replicas, addresses)
}

// membersChange counts who moves when a replica dies, is taken off the list, and another joins: nobody but its own people.
func membersChange(t *testing.T, nginx *balancer, directive string, replicas []*replica, addresses []string) {
	t.Helper()
	const everybody = 300
	before := nginx.people(everybody)
	dead := addresses[2]
	people := map[string]int{}
	for _, r := range before {
		people[r]++
	}
	for _, a := range addresses {
		if people[a] < everybody/10 {
			t.Errorf("of %d people %v go to each", everybody, people)
		}
	}
	// Callers without a person, such as editors with a key of OpenAI's door, are told apart by their key.
	byKey := map[string]bool{}
	client := nginx.client(byCaller)
	for i := range 60 {
		key := fmt.Sprintf("Bearer key-%d", i)
		where := nginx.replicaOf(client, "Authorization", key)
		if byKey[where] = true; nginx.replicaOf(client, "Authorization", key) != where {
			t.Errorf("%s does not stay at one replica", key)
		}
	}
	if len(byKey) != len(addresses) {
		t.Errorf("callers with keys go to %v", byKey)
	}

	replicas[2].kill()
	compare := func(what string, after []string, mayMove func(from, to string) bool) []string {
		moved := 0
		for i := range after {
			if after[i] == before[i] {
				continue
			}
			moved++
			if !mayMove(before[i], after[i]) {
				t.Errorf("%s: person %d went from %s to %s", what, i, before[i], after[i])
			}
		}
		t.Logf("%s: %d of %d people move", what, moved, everybody)
		if moved < everybody/10 || moved > everybody/2 {
			t.Errorf("%s: %d of %d people move", what, moved, everybody)
		}
		return after
	}
	left := func(from, to string) bool { return from == dead && to != dead }
	after := compare("a replica is killed", nginx.people(everybody), left)
	without := compare("it is taken off the list", startBalancer(t, directive, addresses[:2]...).people(everybody), left)
	for i := range after {
		if after[i] != without[i] {
			t.Errorf("person %d moves twice: to %s while the dead replica is known, to %s without it", i, after[i], without[i])
		}
	}
	// A code suggestion does not fail on the way either: its connection is refused before it is sent.
	for i, r := range before {
		if r == dead {
			steps := team(t, 4)[:1]
			steps[0].person = fmt.Sprintf("person %d", i)
			play(t, nginx.client(byPerson), "http://127.0.0.1", steps)
			break
		}
	}
	joined := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer joined.Close()
	newcomer := joined.Listener.Addr().String()
	before = without
	compare("another joins the two", startBalancer(t, directive, addresses[0], addresses[1], newcomer).people(everybody),
		func(_, to string) bool { return to == newcomer })
}
