package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"aigw/engine"
)

// benchmark is one run: the head, then the engine against llama-bench, then the servers. The
// engine is closed before the servers start, so the model is in memory at most twice.
type benchmark struct {
	options
	out io.Writer
	log *slog.Logger
	say func(string) // progress

	serverAddress, gatewayAddress, metricsAddress string
	unmeasured                                    []string // scenarios that a side could not do
	raw                                           rawReport
}

func (b *benchmark) run(ctx context.Context) error {
	if err := b.begin(ctx); err != nil {
		return err
	}
	before := readCPUTimes()
	bench := &llamaBench{program: b.llamaBench, set: b.set, environment: llamaEnvironment()}
	if b.wants("engine") {
		if err := b.compareEngine(ctx, bench); err != nil {
			return err
		}
	}
	if b.wants("busy") {
		if err := b.compareBusy(ctx, bench); err != nil {
			return err
		}
	}
	if b.wants("speculation") {
		if err := b.compareSpeculation(ctx); err != nil {
			return err
		}
	}
	if b.wants("grammar") {
		if err := b.compareGrammar(ctx); err != nil {
			return err
		}
	}
	if b.wantsServers() {
		if err := b.compareServers(ctx); err != nil {
			return err
		}
	}
	b.raw.Stolen = readCPUTimes().since(before).stolen()
	fmt.Fprintf(b.out, "\nstolen by the hypervisor during the run: %.1f %% of the cores' time\n", 100*b.raw.Stolen)
	if b.options.raw != "" {
		if err := writeRaw(b.options.raw, b.raw); err != nil {
			return err
		}
	}
	if len(b.unmeasured) > 0 {
		return fmt.Errorf("not measured in full, see the report: %s", strings.Join(b.unmeasured, ", "))
	}
	return nil
}

// begin finds the programs and prints the head.
func (b *benchmark) begin(ctx context.Context) error {
	addresses, err := freeAddresses(3)
	if err != nil {
		return err
	}
	b.serverAddress, b.gatewayAddress, b.metricsAddress = addresses[0], addresses[1], addresses[2]
	h := &b.raw.head
	h.Settings = b.set
	if h.Versions, err = b.versions(ctx); err != nil {
		return err
	}
	if h.Commands, err = b.commands(); err != nil {
		return err
	}
	h.Machine = look(ctx)
	h.Date = time.Now().Format(time.RFC3339)
	if warning := h.Machine.warning(); warning != "" {
		b.say("warning: " + warning)
	}
	return printHead(b.out, *h)
}

// llamaEnvironment keeps settings of llama.cpp's programs where they are printed: on their command
// lines.
func llamaEnvironment() []string { return environmentWithout("LLAMA_", "GGML_") }

func (b *benchmark) versions(ctx context.Context) ([]string, error) {
	var found []string
	if b.wantsEngine() {
		if err := isProgram(b.llamaBench); err != nil {
			return nil, err
		}
		about, err := engine.About()
		if err != nil {
			return nil, fmt.Errorf("ask the engine for its version: %w", err)
		}
		found = append(found, fmt.Sprintf("engine in process: llama.cpp %s, ggml %s, linked %s", about.Llama, about.GGML, about.Linkage))
	}
	if b.wantsServers() {
		if err := errors.Join(isProgram(b.llamaServer), isProgram(b.aigw)); err != nil {
			return nil, err
		}
		server, err := llamaServerVersion(ctx, b.llamaServer, llamaEnvironment())
		if err != nil {
			return nil, err
		}
		gateway, err := gatewayVersion(ctx, b.aigw, gatewayEnvironment())
		if err != nil {
			return nil, err
		}
		found = append(found, server, gateway)
	}
	return found, nil
}

func isProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%w; build it with make build peers", err)
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not a program; build it with make build peers", path)
	}
	return nil
}

// commands are the full command lines of both sides, and what they are asked.
func (b *benchmark) commands() ([]command, error) {
	var found []command
	if b.wantsEngine() {
		bench := &llamaBench{program: b.llamaBench, set: b.set}
		for _, test := range engineTests {
			p := inProcess{test: test.decodeTest}
			prompt, output := p.lengths()
			found = append(found,
				command{"llama-bench, " + test.name, quoted(bench.command(test.decodeTest))},
				command{"in process, " + test.name, fmt.Sprintf("engine.Load with context %d, parallel 1, settings as above; a prompt of %s, %d generated", prompt+output, plural(prompt, "random token"), output)})
		}
	}
	if !b.wantsServers() {
		return found, nil
	}
	servers, err := b.serverCommands(b.rivals[0], b.firstNeeds())
	if err != nil {
		return nil, err
	}
	const anyPrompt = "..."
	server1, err := json.Marshal(newServerRequest(anyPrompt, outputTokens, true))
	if err != nil {
		return nil, err
	}
	gateway1, err := json.Marshal(newGatewayRequest(anyPrompt, true))
	if err != nil {
		return nil, err
	}
	if b.wants("chat") {
		server2, err := json.Marshal(newServerChat([]message{{"user", anyPrompt}}, chatAnswerTokens))
		if err != nil {
			return nil, err
		}
		gateway2, err := json.Marshal(newGatewayChat([]message{{"user", anyPrompt}}, chatAnswerTokens))
		if err != nil {
			return nil, err
		}
		found = append(found,
			command{"llama-server is asked, chat", "POST /v1/chat/completions " + string(server2)},
			command{"aigw is asked, chat", "POST " + chatPath + " " + string(gateway2)})
	}
	return append(found,
		servers[0],
		command{"llama-server is asked", "POST /completion " + string(server1)},
		servers[1],
		command{"aigw is asked", "POST " + completionsPath + " " + string(gateway1)},
	), nil
}

// compareEngine runs every test of llama_decode.
func (b *benchmark) compareEngine(ctx context.Context, bench *llamaBench) error {
	s := section{title: "engine", repetitions: b.repetitions, ours: "in process", theirs: "llama-bench"}
	for _, test := range engineTests {
		f := figure{name: test.name, unit: "tok/s", target: engineTarget}
		compared, err := b.compareTest(ctx, bench, f, test.decodeTest)
		if err != nil {
			return err
		}
		s.comparisons = append(s.comparisons, compared...)
	}
	s.notes = append(s.notes, "llama-bench says of itself: "+bench.about)
	return b.add(s)
}

// compareBusy runs one test while a core is busy with something else.
func (b *benchmark) compareBusy(ctx context.Context, bench *llamaBench) error {
	busy, err := keepCoreBusy(ctx)
	if err != nil {
		return err
	}
	defer busy.stop()
	s := section{title: "busy", repetitions: b.repetitions, ours: "in process", theirs: "llama-bench"}
	f := figure{name: busyTest.name + ", one core busy", unit: "tok/s"}
	if s.comparisons, err = b.compareTest(ctx, bench, f, busyTest.decodeTest); err != nil {
		return err
	}
	return b.add(s)
}

func (b *benchmark) compareTest(ctx context.Context, bench *llamaBench, f figure, test decodeTest) (compared []comparison, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", f.name, err)
		}
	}()
	b.say("loading the engine for " + f.name)
	s, err := openEngineScenario(ctx, f, test, bench, b.log)
	if err != nil {
		return nil, err
	}
	defer func() { err = joinClose(err, s.close) }()
	compared, _, err = duel(ctx, s, b.repetitions, b.sayFor(f.name))
	return compared, err
}

func (b *benchmark) sayFor(name string) func(string) {
	return func(text string) { b.say(name + ": " + text) }
}

// add prints a section and keeps it for -json.
func (b *benchmark) add(s section) error {
	b.raw.Figures = append(b.raw.Figures, rawFigures(s)...)
	return printSection(b.out, s)
}

// joinClose closes something and adds what goes wrong to err.
func joinClose(err error, closer func() error) error { return errors.Join(err, closer()) }
