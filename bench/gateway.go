package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// gateway is this program as GitLab meets it: `aigw run`, asked over the wire format of
// POST /v2/code/completions. It may be used concurrently.
type gateway struct {
	*client
	process *process
	// count tells how many tokens a streamed answer has; the wire format does not.
	count func(ctx context.Context, text string) (int, error)
}

var _ server = (*gateway)(nil)

// gatewayCommand starts aigw with the settings of all peers. Polling is not among its flags: it
// always polls at 0.
//
// llama-server has no limits of time, so ours wait as long as a client of this program does, but where a scenario is about refusals.
func gatewayCommand(program string, set settings, wants needs, address, metrics string) []string {
	parked := "-1" // the default
	if wants.parked != 0 {
		parked = strconv.Itoa(wants.parked)
	}
	return []string{
		program, "run", "--model", set.Model, "--listen", address, "--metrics-listen", metrics,
		"--threads", strconv.Itoa(set.Threads), "--ctx", strconv.Itoa(max(set.Context, wants.context)),
		"--parallel", strconv.Itoa(set.Parallel), "--gpu-layers", strconv.Itoa(set.GPULayers),
		"--batch", strconv.Itoa(set.Batch), "--draft-tokens", "0", "--completion-time", "0", "--inference-timeout", requestLimit.String(), "--max-wait", cmp.Or(wants.maxWait, requestLimit).String(),
		"--cache-ram", parked, "--chat-warmup", "off", "--openai-insecure", "--flash-attn", set.FlashAttention,
		"--cache-type-k", set.CacheTypeK, "--cache-type-v", set.CacheTypeV,
	}
}

// gatewayEnvironment lets everybody in: the gateway listens on the loopback interface only.
func gatewayEnvironment() []string {
	return append(environmentWithout("AIGW_"), "AIGW_AUTH__BYPASS_EXTERNAL=true")
}

// startGateway returns when the gateway has decoded its first token. Its process ends with ctx at
// the latest.
func startGateway(ctx context.Context, command, environment []string, address string) (*gateway, error) {
	p, err := startProcess(ctx, "aigw", command, environment)
	if err != nil {
		return nil, err
	}
	g := &gateway{client: newClient("aigw", "http://"+address), process: p}
	if err := g.waitReady(ctx, p, "/monitoring/ready"); err != nil {
		p.stop()
		return nil, err
	}
	return g, nil
}

// gatewayRequest is the body of POST /v2/code/completions with a prompt that is already written.
type gatewayRequest struct {
	PromptVersion int         `json:"prompt_version"`
	Prompt        string      `json:"prompt"`
	CurrentFile   currentFile `json:"current_file"`
	ModelProvider string      `json:"model_provider"`
	Stream        bool        `json:"stream"`
}

type currentFile struct {
	FileName string `json:"file_name"`
	Language string `json:"language_identifier"`
	Above    string `json:"content_above_cursor"`
	Below    string `json:"content_below_cursor"`
}

func newGatewayRequest(prompt string, stream bool) gatewayRequest {
	return gatewayRequest{
		PromptVersion: 2, Prompt: prompt, ModelProvider: "litellm", Stream: stream,
		CurrentFile: currentFile{FileName: "limits.py", Language: "python", Above: prompt},
	}
}

const completionsPath = "/v2/code/completions"

func (g *gateway) complete(ctx context.Context, prompt string, tokens int) (answer, error) {
	var body struct {
		Model struct {
			Used *struct {
				Input  int `json:"input_tokens"`
				Output int `json:"output_tokens"`
			} `json:"tokens_consumption_metadata"`
		} `json:"model"`
		Choices []struct {
			Text string `json:"text"`
		} `json:"choices"`
	}
	e, err := g.postJSON(ctx, completionsPath, newGatewayRequest(prompt, false), &body)
	if err != nil {
		return answer{}, g.process.explain(err)
	}
	if len(body.Choices) == 0 {
		return answer{}, &shortAnswerError{g.peer, 0, tokens}
	}
	if body.Model.Used == nil {
		return answer{}, errors.New("aigw answered without tokens_consumption_metadata; the lengths of both sides cannot be compared")
	}
	a := answer{
		text: body.Choices[0].Text, promptTokens: body.Model.Used.Input, outputTokens: body.Model.Used.Output,
		began: e.began, ended: e.ended,
	}
	return a, g.checkLength(a, tokens)
}

// stream leaves the number of output tokens open; see measure.
func (g *gateway) stream(ctx context.Context, prompt string, tokens int) (answer, error) {
	e, err := g.post(ctx, completionsPath, newGatewayRequest(prompt, true))
	if err != nil {
		return answer{}, g.process.explain(err)
	}
	a := parseTextStream(e.pieces)
	a.began, a.ended = e.began, e.ended
	return a, nil
}

// countSlack is how many tokens a full-length answer may seem to lack when its text is tokenized
// again: the tokens that a model generates are not always those that its text is cut into.
const countSlack = 4

// measure counts the tokens of a streamed answer and refuses one that ended early. It is called
// after the clock has stopped. The count never exceeds what was asked for, so where it is wrong it
// is to the gateway's disadvantage.
func (g *gateway) measure(ctx context.Context, a *answer, tokens int) error {
	n, err := g.count(ctx, a.text)
	if err != nil {
		return fmt.Errorf("count the tokens of an answer: %w", err)
	}
	a.outputTokens = min(n, tokens)
	if a.outputTokens < tokens-countSlack {
		return &shortAnswerError{g.peer, a.outputTokens, tokens}
	}
	if err := a.checkStream(); err != nil {
		return fmt.Errorf("%s: %w", g.peer, err)
	}
	return nil
}

// checkLength holds an answer that says its own length against what was asked for.
func (g *gateway) checkLength(a answer, tokens int) error {
	switch {
	case a.outputTokens < tokens:
		return &shortAnswerError{g.peer, a.outputTokens, tokens}
	case a.outputTokens > tokens:
		return fmt.Errorf("aigw gave %d tokens where %d are the most", a.outputTokens, tokens)
	}
	return nil
}

// gatewayVersion is what aigw says of itself.
func gatewayVersion(ctx context.Context, program string, environment []string) (string, error) {
	stdout, _, err := outputOf(ctx, versionLimit, []string{program, "version"}, environment)
	if err != nil {
		return "", err
	}
	version := strings.Join(strings.FieldsFunc(strings.TrimSpace(stdout), func(r rune) bool { return r == '\n' }), "; ")
	if version == "" {
		return "", fmt.Errorf("%s version printed nothing", program)
	}
	return version, nil
}
