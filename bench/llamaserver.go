package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// llamaServer is the rival: llama.cpp's own server, from the same sources, built with the same
// flags. It may be used concurrently.
type llamaServer struct {
	*client
	process *process
}

var _ server = (*llamaServer)(nil)

// rival says with which settings llama-server runs.
type rival string

const (
	equal     rival = "equal"   // those of all peers
	best      rival = "best"    // what issue 5 found to be best on few cores, for what is measured
	byDefault rival = "default" // what it does when nobody tells it anything but the model and the context
)

// peer is the name in reports.
func (r rival) peer() string {
	return map[rival]string{equal: "llama-server", best: "llama-server at its best", byDefault: "llama-server by default"}[r]
}

func rivalsNamed(list string) (found []rival, err error) {
	for name := range strings.SplitSeq(list, ",") {
		r := rival(name)
		if r.peer() == "" {
			return nil, fmt.Errorf("-rival %q: %s, %s or %s is expected, or several of them with commas", name, equal, best, byDefault)
		}
		if slices.Contains(found, r) { // the same server would be sent the same prompts
			return nil, fmt.Errorf("-rival %s stands there twice; name each once", r)
		}
		found = append(found, r)
	}
	return found, nil
}

// bestBatch is the batch with which llama-server lets others wait least.
const bestBatch = 128

// llamaServerCommand starts llama-server. --kv-unified and -np make it share one KV cache among as many slots as aigw has rows;
// -cram 0 switches off its cache of old prompts, which few scenarios can hit and which would copy each finished prompt's KV.
func llamaServerCommand(program string, set settings, r rival, wants needs, address string) ([]string, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	command := []string{program}
	switch {
	case r == byDefault:
		command = append(command, "-m", set.Model)
	case r == best && wants.oneStream:
		set.FlashAttention, set.CacheTypeK = "off", "q8_0"
	case r == best: // shorter batches answer sooner, and read long prompts slower
		set.Batch, set.FlashAttention = bestBatch, "on"
	}
	if r != byDefault {
		command = append(command, set.llamaFlags()...)
		command = append(command, "-np", strconv.Itoa(set.Parallel), "--kv-unified", "-cram", strconv.Itoa(wants.parked))
	}
	return append(command, "-c", strconv.Itoa(max(set.Context, wants.context)), "--no-ui", "--offline", "--host", host, "--port", port), nil
}

// startLlamaServer returns when the server answers. Its process ends with ctx at the latest.
func startLlamaServer(ctx context.Context, command, environment []string, address string) (*llamaServer, error) {
	p, err := startProcess(ctx, "llama-server", command, environment)
	if err != nil {
		return nil, err
	}
	s := &llamaServer{newClient("llama-server", "http://"+address), p}
	if err := s.waitReady(ctx, p, "/health"); err != nil {
		p.stop()
		return nil, err
	}
	return s, nil
}

// serverRequest is the body of POST /completion (tools/server/README.md).
type serverRequest struct {
	Prompt      string   `json:"prompt"`
	Predict     int      `json:"n_predict"`
	Stream      bool     `json:"stream"`
	IgnoreEOS   bool     `json:"ignore_eos"`
	CachePrompt bool     `json:"cache_prompt"`
	Samplers    []string `json:"samplers"` // top-k with K = 1 alone is the shortest way to greedy
	TopK        int      `json:"top_k"`
	Temperature float64  `json:"temperature"`
}

func newServerRequest(prompt string, tokens int, stream bool) serverRequest {
	return serverRequest{
		Prompt: prompt, Predict: tokens, Stream: stream, IgnoreEOS: true,
		Samplers: []string{"top_k"}, TopK: 1,
	}
}

func (s *llamaServer) complete(ctx context.Context, prompt string, tokens int) (answer, error) {
	var body serverEvent
	e, err := s.postJSON(ctx, "/completion", newServerRequest(prompt, tokens, false), &body)
	if err != nil {
		return answer{}, s.process.explain(err)
	}
	a := answer{
		text: body.Content, promptTokens: body.Evaluated, cachedTokens: body.Timings.Cached,
		outputTokens: body.Predicted, began: e.began, ended: e.ended,
	}
	return a, checkRival(a, tokens)
}

func (s *llamaServer) stream(ctx context.Context, prompt string, tokens int) (answer, error) {
	e, err := s.post(ctx, "/completion", newServerRequest(prompt, tokens, true))
	if err != nil {
		return answer{}, s.process.explain(err)
	}
	a, err := parseServerStream(e.pieces)
	if err != nil {
		return answer{}, s.process.explain(err)
	}
	a.began, a.ended = e.began, e.ended
	if err := a.checkStream(); err != nil {
		return answer{}, fmt.Errorf("llama-server: %w", err)
	}
	return a, checkRival(a, tokens)
}

// checkRival makes sure that the rival did all the work that it is measured for. With ignore_eos
// it has no reason to end early.
func checkRival(a answer, tokens int) error {
	if a.outputTokens != tokens {
		return fmt.Errorf("llama-server gave %d of %d tokens", a.outputTokens, tokens)
	}
	if a.cachedTokens != 0 {
		return fmt.Errorf("llama-server took %d prompt tokens from its cache although that was switched off", a.cachedTokens)
	}
	return nil
}

// count is the number of tokens of a text, as a prompt (with what the vocabulary puts before it)
// or as it is.
func (s *llamaServer) count(ctx context.Context, text string, asPrompt bool) (int, error) {
	body := struct {
		Content    string `json:"content"`
		AddSpecial bool   `json:"add_special"`
	}{text, asPrompt}
	var found struct {
		Tokens []int `json:"tokens"`
	}
	if _, err := s.postJSON(ctx, "/tokenize", body, &found); err != nil {
		return 0, s.process.explain(err)
	}
	return len(found.Tokens), nil
}

// versionLimit bounds a peer that is asked for its version.
const versionLimit = 30 * time.Second

// llamaServerVersion is what llama-server says of itself, on standard error.
func llamaServerVersion(ctx context.Context, program string, environment []string) (string, error) {
	stdout, stderr, err := outputOf(ctx, versionLimit, []string{program, "--version"}, environment)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(stdout + stderr) {
		if version, ok := strings.CutPrefix(line, "version: "); ok {
			return "llama-server " + strings.TrimSpace(version), nil
		}
	}
	return "", fmt.Errorf("%s --version printed no version: %s", program, excerpt([]byte(stdout+stderr)))
}
