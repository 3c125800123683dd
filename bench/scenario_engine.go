package main

import (
	"context"
	"fmt"
	"log/slog"
)

// engineTests are what llama-bench and the engine in process are both asked for.
var engineTests = []struct {
	name string
	decodeTest
}{
	{fmt.Sprintf("prefill of %d tokens", promptTokens), decodeTest{prompt: promptTokens}},
	{fmt.Sprintf("decode of %d tokens at depth 0", outputTokens), decodeTest{output: outputTokens}},
	{fmt.Sprintf("decode of %d tokens at depth %d", outputTokens, promptTokens), decodeTest{output: outputTokens, depth: promptTokens}},
}

// engineTarget is issue 3's: what Go, the loop and sampling may cost of llama_decode's speed.
const engineTarget = 0.97

// busyTest is taken again while a core is busy.
var busyTest = engineTests[len(engineTests)-1]

// engineScenario is one test of llama_decode, by llama-bench and by the engine in process.
type engineScenario struct {
	figure figure
	bench  *llamaBench
	engine *inProcess
	round  int
}

var _ scenario = (*engineScenario)(nil)

// openEngineScenario loads the engine and lets it run the test once without counting it, as
// llama-bench does.
func openEngineScenario(ctx context.Context, f figure, test decodeTest, bench *llamaBench, log *slog.Logger) (*engineScenario, error) {
	engine, err := openInProcess(ctx, bench.set, test, log)
	if err != nil {
		return nil, err
	}
	const warmUp = -1 // a round of its own
	if _, err := engine.speed(ctx, warmUp); err != nil {
		return nil, fmt.Errorf("warm up: %w", joinClose(err, engine.close))
	}
	return &engineScenario{figure: f, bench: bench, engine: engine}, nil
}

func (s *engineScenario) close() error { return s.engine.close() }

func (s *engineScenario) figures() []figure {
	return []figure{s.figure}
}

func (s *engineScenario) prepare(_ context.Context, round int) error {
	s.round = round
	return nil
}

func (s *engineScenario) theirs(ctx context.Context) ([]float64, error) {
	speed, err := s.bench.speed(ctx, s.engine.test)
	return []float64{speed}, err
}

func (s *engineScenario) ours(ctx context.Context) ([]float64, error) {
	speed, err := s.engine.speed(ctx, s.round)
	return []float64{speed}, err
}

// notes is empty: lengths are checked token by token on both sides.
func (s *engineScenario) notes() []string { return nil }
