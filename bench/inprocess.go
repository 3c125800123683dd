package main

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"aigw/engine"
	"aigw/models"
)

// inProcess is the engine without the gateway around it, in this very process: Go's scheduler and
// garbage collector, the engine's loop, sampling and text are in what it measures, HTTP is not.
type inProcess struct {
	engine *engine.Engine
	test   decodeTest
}

// openInProcess loads the model for one test, with a context just as long as the test: llama-bench
// gives itself the same. A longer one would keep the prompts of earlier repetitions for reuse, and
// attention would step over their cells while llama-bench's cache is empty.
func openInProcess(ctx context.Context, set settings, test decodeTest, log *slog.Logger) (*inProcess, error) {
	p := &inProcess{test: test}
	prompt, output := p.lengths()
	e, err := engine.Load(ctx, engine.Options{
		Model: set.Model, Context: prompt + output, Parallel: 1, Threads: set.Threads,
		// llama.cpp cuts llama-bench's batch to its context in the same way.
		Batch: min(set.Batch, prompt+output), Draft: -1, GPULayers: set.GPULayers, FlashAttention: set.FlashAttention,
		CacheTypeK: set.CacheTypeK, CacheTypeV: set.CacheTypeV, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("load the engine: %w", err)
	}
	p.engine = e
	return p, nil
}

func (p *inProcess) close() error { return p.engine.Close() }

// lengths are prompt and answer of the request that does what the test asks for. The first token
// of an answer comes from the prompt's last logits, so n timed decodes yield n+1 tokens. An empty
// prompt is none: a test of decoding at depth 0 starts at depth 1.
func (p *inProcess) lengths() (prompt, output int) {
	if p.test.prompt > 0 {
		return p.test.depth + p.test.prompt, 1
	}
	return max(1, p.test.depth), p.test.output + 1
}

// speed runs the test once and returns tokens a second. round makes the prompt differ from
// those before.
func (p *inProcess) speed(ctx context.Context, round int) (float64, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestLimit, fmt.Errorf("the engine did not answer within %s", requestLimit))
	defer cancel()
	prompt, output := p.lengths()
	tokens := p.randomTokens(prompt, round)
	began := time.Now()
	// No stops: the answer has its full length whatever the model says.
	r, err := p.engine.Generate(ctx, engine.Request{Prompt: tokens, MaxTokens: output}, func(string) error { return nil })
	whole := time.Since(began)
	if err != nil {
		return 0, fmt.Errorf("generate in process: %w", err)
	}
	if err := p.check(r, whole); err != nil {
		return 0, err
	}
	if p.test.prompt > 0 {
		// By the caller's clock: queueing and waking up belong to the time that people wait.
		return float64(p.test.prompt) / whole.Seconds(), nil
	}
	return float64(p.test.output) / r.Decode.Seconds(), nil
}

// check makes sure that everything was computed, and that the engine's own clock, which tells
// where the first token ended, agrees with the caller's.
func (p *inProcess) check(r engine.Result, whole time.Duration) error {
	prompt, output := p.lengths()
	if r.OutputTokens != output || r.PromptTokens != prompt {
		return fmt.Errorf("the engine read %d and gave %d tokens; %d and %d were asked for", r.PromptTokens, r.OutputTokens, prompt, output)
	}
	// One token, BOS, begins every prompt.
	if r.CachedTokens > 1 {
		return fmt.Errorf("the engine took %d prompt tokens from its cache; nothing may be reused here", r.CachedTokens)
	}
	const slack = 0.05 // share of the whole that may pass before the queue and after the last token
	if told := r.Queue + r.Prefill + r.Decode; told > whole || told.Seconds() < (1-slack)*whole.Seconds() {
		return fmt.Errorf("the engine accounts for %s of the %s that its caller waited; its clock cannot be used", told, whole)
	}
	return nil
}

// randomTokens is a prompt as llama-bench makes it: BOS where the vocabulary wants one, then
// anything.
func (p *inProcess) randomTokens(n, round int) []models.Token {
	vocabulary := p.engine.Vocabulary()
	random := rand.New(rand.NewPCG(uint64(round), uint64(n)))
	tokens := make([]models.Token, n)
	for i := range tokens {
		tokens[i] = models.Token(random.IntN(vocabulary.Size()))
	}
	if bos, ok := vocabulary.BOS(); ok {
		tokens[0] = bos
	}
	return tokens
}
