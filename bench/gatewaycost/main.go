// Command gatewaycost measures what the gateway itself costs: HTTP, validation, pre- and
// post-processing, logging and metrics, in front of an engine and a tokenizer that take no time.
//
//	go run ./bench/gatewaycost
//	go run ./bench/gatewaycost -tokens    # what verifying tokens costs, and a flood of forged ones
//
// The server is a process of its own (this program again), so that its CPU time can be told from
// that of the clients. It prints latencies of one client, requests a second of many, CPU time for a
// request and for a piece of a stream, and the time from the engine's first piece to the client's
// first byte. A target that is missed is reported, and no failure of the program.
//
// -profile FILE writes a CPU profile of the server for go tool pprof.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Targets of docs/design.md, on two cores.
const (
	targetP50    = time.Millisecond
	targetP99    = 3 * time.Millisecond
	targetRate   = 2000 // requests a second
	targetPiece  = 50 * time.Microsecond
	targetFirst  = 5 * time.Millisecond
	targetDoor   = 500 * time.Microsecond
	warmUp       = 200 // requests that are not counted
	bodyBytes    = 10_000
	streamPieces = 100
)

func main() {
	if os.Getenv(serverVariable) != "" {
		if err := serve(); err != nil {
			fmt.Fprintln(os.Stderr, "gatewaycost: server:", err)
			os.Exit(1)
		}
		return
	}
	var o options
	flag.IntVar(&o.requests, "n", 5000, "requests of each measurement")
	flag.IntVar(&o.clients, "clients", 32, "clients at once where the rate is measured")
	flag.StringVar(&o.profile, "profile", "", "write a CPU profile of the server to this `FILE`")
	tokens := flag.Bool("tokens", false, "measure what tokens cost, in place of all else")
	flag.IntVar(&o.bad, "bad", 10_000, "forged tokens a second, with -tokens")
	flag.Parse()
	measure := o.run
	if *tokens {
		measure = o.tokens
	}
	if err := measure(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gatewaycost:", err)
		os.Exit(1)
	}
}

type options struct {
	requests, clients int
	bad               int // forged tokens a second
	profile           string
}

func (o options) run(ctx context.Context, out io.Writer) error {
	if o.requests < 1 || o.clients < 1 {
		return errors.New("-n and -clients must be at least 1")
	}
	fmt.Fprintf(out, "%s, %d CPUs; body of %d bytes, engine and tokenizer faked\n", runtime.Version(), runtime.NumCPU(), len(body(false)))
	server, err := startServer(ctx, o.profile, false)
	if err != nil {
		return err
	}
	defer server.stop()

	whole := body(false)
	if _, err := ask(server.address, gitlab(whole), 1, warmUp); err != nil {
		return err
	}
	one, err := ask(server.address, gitlab(whole), 1, o.requests)
	if err != nil {
		return err
	}
	p50, p99 := one.quantile(0.50), one.quantile(0.99)
	report(out, "latency, one client, p50", p50, p50 <= targetP50, targetP50)
	report(out, "latency, one client, p99", p99, p99 <= targetP99, targetP99)

	before, err := server.cpu()
	if err != nil {
		return err
	}
	many, err := ask(server.address, gitlab(whole), o.clients, o.requests)
	if err != nil {
		return err
	}
	after, err := server.cpu()
	if err != nil {
		return err
	}
	rate := float64(o.requests) / many.took.Seconds()
	fmt.Fprintf(out, "%-44s %8.0f /s  %s (%d /s; the clients take a part of the CPUs)\n", fmt.Sprintf("requests, %d clients", o.clients), rate, verdict(rate >= targetRate), targetRate)
	fmt.Fprintf(out, "%-44s %8s ms\n", "latency of those, p50 and p99", fmt.Sprintf("%s and %s", ms(many.quantile(0.5)), ms(many.quantile(0.99))))
	perRequest := (after - before) / time.Duration(o.requests)
	fmt.Fprintf(out, "%-44s %8s ms (so %.0f requests/s for each core)\n", "CPU of the server for a request", ms(perRequest), 1/perRequest.Seconds())

	streams := max(1, o.requests/streamPieces)
	before = after
	streamed, err := ask(server.address, gitlab(body(true)), 1, streams)
	if err != nil {
		return err
	}
	if after, err = server.cpu(); err != nil {
		return err
	}
	perPiece := ((after - before) - perRequest*time.Duration(streams)) / time.Duration(streams*streamPieces)
	report(out, "CPU of the server for a piece of a stream", perPiece, perPiece <= targetPiece, targetPiece)
	first := streamed.quantile(0.99) // a request is over here when its first piece has come
	report(out, "first byte of a stream, p99", first, first <= targetFirst, targetFirst)
	return o.door(out, server)
}

// door measures the OpenAI door: a completion between two texts of as many bytes, and a conversation.
func (o options) door(out io.Writer, server *process) error {
	for _, q := range []struct {
		name string
		question
	}{
		{"OpenAI door, completion, p50", question{path: "/v1/completions", body: fillIn()}},
		{"OpenAI door, chat, p50", question{path: "/v1/chat/completions", body: conversation()}},
	} {
		if _, err := ask(server.address, q.question, 1, warmUp); err != nil {
			return err
		}
		took, err := ask(server.address, q.question, 1, o.requests)
		if err != nil {
			return err
		}
		p50 := took.quantile(0.50)
		report(out, q.name, p50, p50 <= targetDoor, targetDoor)
	}
	return nil
}

// question is a request.
type question struct {
	path, body string
	headers    string // whole lines that say who asks; may be empty
}

func gitlab(body string) question { return question{path: "/v2/code/completions", body: body} }

// line is one of the code in all bodies.
const line = `    result = compute(values, index) + offset  # keep \"quotes\" and ünïcode\n`

func fillIn() string {
	above, below := strings.Repeat(line, bodyBytes*4/5/len(line)), strings.Repeat(line, bodyBytes/8/len(line))
	return `{"model":"codestral","prompt":"` + above + `    return ","suffix":"\n` + below + `","max_tokens":128,"temperature":0.2,"stop":["\n\n"]}`
}

func conversation() string {
	text := strings.Repeat(line, bodyBytes/2/len(line))
	return `{"model":"codestral","messages":[{"role":"system","content":"You help with code."},{"role":"user","content":"` + text + `"},{"role":"assistant","content":"Yes."},{"role":"user","content":"` + text + `"}]}`
}

func verdict(met bool) string {
	if met {
		return "met   "
	}
	return "MISSED"
}

func report(out io.Writer, what string, d time.Duration, met bool, target time.Duration) {
	fmt.Fprintf(out, "%-44s %8s ms  %s (%s ms)\n", what, ms(d), verdict(met), ms(target))
}

func ms(d time.Duration) string { return strconv.FormatFloat(d.Seconds()*1000, 'f', 3, 64) }

// body is a request of an editor with code of about bodyBytes.
func body(stream bool) string {
	above := strings.Repeat(line, bodyBytes*4/5/len(line))
	below := strings.Repeat(line, bodyBytes/8/len(line))
	return `{"prompt_version":2,"project_path":"group/project","project_id":42,"current_file":{"file_name":"lib/worker.py","language_identifier":"python","content_above_cursor":"` + above +
		`    return ","content_below_cursor":"\n` + below + `"},"model_provider":"litellm","model_name":"codestral","model_endpoint":"http://models.example.test:8000/v1","model_api_key":"none","model_identifier":null,"prompt":null,` +
		`"telemetry":[{"model_engine":"agent","model_name":"codestral","lang":"python","requests":3,"accepts":1,"errors":0}],"stream":` + strconv.FormatBool(stream) + `,"choices_count":0,"context":[]}`
}

// measured are the durations of requests, and of all of them together.
type measured struct {
	durations []time.Duration
	took      time.Duration
}

func (m measured) quantile(q float64) time.Duration {
	return m.durations[min(len(m.durations)-1, int(q*float64(len(m.durations))))]
}

// ask sends n requests from some clients, each on a connection of its own. A request ends with its
// answer; a stream is read to its end, but its duration is that to the first piece.
func ask(address string, q question, clients, n int) (measured, error) {
	clients = min(clients, n)
	var all measured
	var mu sync.Mutex
	var failure error
	var group sync.WaitGroup
	start := time.Now()
	for i := range clients {
		share := n / clients
		if i < n%clients {
			share++
		}
		group.Go(func() {
			durations, err := client(address, q, share)
			mu.Lock()
			defer mu.Unlock()
			all.durations = append(all.durations, durations...)
			if failure == nil {
				failure = err
			}
		})
	}
	group.Wait()
	all.took = time.Since(start)
	slices.Sort(all.durations)
	return all, failure
}

// text is the request as it goes over the wire.
func (q question) text() string {
	return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nX-Request-ID: r\r\nX-Gitlab-Version: 17.8.0\r\n%sContent-Length: %d\r\n\r\n%s", q.path, q.headers, len(q.body), q.body)
}

func client(address string, q question, n int) ([]time.Duration, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reader := bufio.NewReader(conn)
	request := q.text()
	var durations []time.Duration
	for range n {
		start := time.Now()
		if _, err := io.WriteString(conn, request); err != nil {
			return nil, err
		}
		response, err := http.ReadResponse(reader, nil)
		if err != nil {
			return nil, err
		}
		var first [1]byte
		if _, err := io.ReadFull(response.Body, first[:]); err != nil {
			return nil, fmt.Errorf("status %d: %w", response.StatusCode, err)
		}
		took := time.Since(start)
		rest, err := io.Copy(io.Discard, response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK || rest == 0 {
			return nil, fmt.Errorf("status %d, %d bytes: %w", response.StatusCode, rest+1, err)
		}
		if response.ContentLength >= 0 {
			took = time.Since(start)
		}
		durations = append(durations, took)
	}
	return durations, nil
}

// process is the server.
type process struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	address string
	token   string // that it accepts; "-" where it takes everybody
}

func startServer(ctx context.Context, profile string, tokens bool) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	p := &process{command: exec.CommandContext(ctx, self)}
	p.command.Env = append(os.Environ(), serverVariable+"=1", profileVariable+"="+profile, tokensVariable+"="+strconv.FormatBool(tokens))
	p.command.Stderr = os.Stderr
	if p.stdin, err = p.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanln(stdout, &p.address, &p.token); err != nil {
		p.stop()
		return nil, fmt.Errorf("the server does not say where it listens: %w", err)
	}
	return p, nil
}

// stop ends the server, which goes when its input does.
func (p *process) stop() {
	_ = p.stdin.Close()
	_ = p.command.Wait() // what it has to say it writes to stderr
}

// cpu returns the CPU time that the server has used (proc(5): fields 14 and 15, in hundredths).
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, syscall.ENODATA
	}
	user, errUser := strconv.Atoi(fields[11])
	system, errSystem := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond, errors.Join(errUser, errSystem)
}
