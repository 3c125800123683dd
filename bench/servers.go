package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

// Scenarios over HTTP run one after the other, most of them on the same two servers. Where one needs more of them, both are started
// anew with it, and the command lines are printed again.

// needs is what a scenario wants of both servers beside the settings.
type needs struct {
	context int // KV cells, where the settings have fewer
	// maxWait is how long a request may wait for its turn; who would wait longer is refused. 0: as long as anybody's patience.
	// llama-server has no such setting: it never refuses.
	maxWait time.Duration
	// parked is how many MiB of prompts that nobody uses both sides may keep in main memory; 0: what our default is, and none for
	// llama-server, where it copies each finished prompt.
	parked int
	// oneStream is for a scenario with one stream at a time, for which llama-server has best settings of its own.
	oneStream bool
}

// httpScenario is a scenario over HTTP. A name may stand for several.
type httpScenario struct {
	name string
	needs
	// begin makes the scenario for both servers and a machine.
	begin func(r *rivals, at pace) scenario
}

// httpScenarios are in the order in which they run, soak and growth aside.
func (o options) httpScenarios() []httpScenario {
	limit := o.side
	// llama-server computes a herd's head once for each slot, and the herd before it is still in its cache in part.
	herd := needs{context: (crowd + 2) * (o.head + herdTail + teamAnswer)}
	paste := needs{context: o.paste + neighbourStream + neighbourTokens}
	return []httpScenario{
		{"stream", needs{oneStream: true}, func(r *rivals, _ pace) scenario { return &streamScenario{rivals: *r} }},
		{"latency", needs{}, func(r *rivals, _ pace) scenario { return &latencyScenario{rivals: *r} }},
		{"crowd", needs{}, func(r *rivals, at pace) scenario { return newCrowd(r, at, limit) }},
		{"chat", needs{}, func(r *rivals, at pace) scenario { return newChat(*r, 1, at, limit) }},
		{"chat", needs{}, func(r *rivals, at pace) scenario { return newChat(*r, crowd, at, limit) }},
		{"typing", needs{}, func(r *rivals, at pace) scenario { return newTyping(r, 0, true, at, limit) }},
		{"typing", needs{}, func(r *rivals, at pace) scenario { return newTyping(r, typingDebounce, true, at, limit) }},
		{"typing", needs{}, func(r *rivals, at pace) scenario { return newTyping(r, 0, false, at, limit) }},
		{"typing", needs{}, func(r *rivals, at pace) scenario { return newTyping(r, typingDebounce, false, at, limit) }},
		{"team", needs{}, func(r *rivals, at pace) scenario {
			return newTeam(r, "team", crowd, teamHead, teamTail, 0, false, at, limit)
		}},
		{"team", needs{}, func(r *rivals, at pace) scenario {
			return newTeam(r, "team", 4*crowd, teamHead, teamTail, 0, false, at, limit)
		}},
		{"neighbour", paste, func(r *rivals, at pace) scenario { return newNeighbour(r, o.paste, at, limit) }},
		{"hangup", needs{}, func(r *rivals, _ pace) scenario { return newHangup(r) }},
		{"herd", herd, func(r *rivals, at pace) scenario {
			return newTeam(r, "herd", crowd, o.head, herdTail, herdTarget, true, at, limit)
		}},
		{"overload", needs{maxWait: overloadMaxWait}, func(r *rivals, _ pace) scenario { return newOverload(r) }},
	}
}

// parkedMemory is small enough to be full after the first minute: what grows from then on is something else.
const parkedMemory = 64

// compareServers takes each scenario against each rival. Soak and growth have reports of their own, against the first rival.
func (b *benchmark) compareServers(ctx context.Context) error {
	s := servers{b: b}
	defer s.stop()
	for _, h := range b.httpScenarios() {
		if !b.wants(h.name) {
			continue
		}
		for _, rival := range b.rivals {
			if err := s.want(ctx, rival, h.needs); err != nil {
				return err
			}
			begun := h.begin(&s.rivals, s.pace)
			compared, notes, err := duel(ctx, begun, b.repetitions, b.sayFor(h.name))
			done := section{title: h.name, repetitions: b.repetitions, comparisons: compared, notes: notes, ours: "aigw", theirs: rival.peer()}
			if err := s.settle(ctx, &done, err); err != nil {
				return err
			}
			if err := b.add(done); err != nil {
				return err
			}
		}
	}
	for _, own := range []struct {
		name    string
		compare func(context.Context, *rivals) error
	}{{"soak", b.compareSoak}, {"growth", b.compareGrowth}} {
		if !b.wants(own.name) {
			continue
		}
		if err := s.want(ctx, b.rivals[0], needs{parked: parkedMemory}); err != nil {
			return err
		}
		done := section{title: own.name}
		err := own.compare(ctx, &s.rivals)
		if err := s.settle(ctx, &done, err); err != nil {
			return err
		}
		for _, note := range done.notes {
			fmt.Fprintf(b.out, "\n%s: %s\n", own.name, note)
		}
	}
	return nil
}

// servers are both servers as the scenario at hand needs them.
type servers struct {
	b       *benchmark
	running bool
	as      rival
	with    needs
	pace    pace // 0 before it is found
	rivals
}

// want starts both servers, unless they run as wanted.
func (s *servers) want(ctx context.Context, as rival, wants needs) (err error) {
	wants.context = max(wants.context, s.b.set.Context)
	wants.oneStream = wants.oneStream && as == best // the only one to whom it makes a difference
	if s.running && s.as == as && s.with == wants {
		return nil
	}
	s.stop()
	commands, err := s.b.serverCommands(as, wants)
	if err != nil {
		return err
	}
	if s.pace != (pace{}) { // the first are in the head of the report
		for _, c := range commands {
			fmt.Fprintf(s.b.out, "\n%s from here on\n    %s\n", c.Peer, c.Line)
		}
	}
	if err := s.start(ctx, as, wants); err != nil {
		s.stop()
		return err
	}
	s.running, s.as, s.with = true, as, wants
	if s.pace == (pace{}) {
		if s.pace, err = s.findPace(ctx); err != nil {
			return fmt.Errorf("find the pace of this machine: %w", err)
		}
		fmt.Fprintf(s.b.out, "\npace: %s\n", s.pace)
	}
	return nil
}

func (s *servers) start(ctx context.Context, as rival, wants needs) error {
	b := s.b
	theirs, ours, err := b.serverLines(as, wants)
	if err != nil {
		return err
	}
	b.say("starting llama-server")
	if s.theirs, err = startLlamaServer(ctx, theirs, llamaEnvironment(), b.serverAddress); err != nil {
		return err
	}
	b.say("starting aigw")
	if s.ours, err = startGateway(ctx, ours, gatewayEnvironment(), b.gatewayAddress); err != nil {
		return err
	}
	count := s.theirs.count
	s.ours.count = func(ctx context.Context, text string) (int, error) { return count(ctx, text, false) }
	if err := s.warmUp(ctx); err != nil {
		return fmt.Errorf("warm up: %w", err)
	}
	return nil
}

func (s *servers) stop() {
	if s.ours != nil {
		s.ours.process.stop()
	}
	if s.theirs != nil {
		s.theirs.process.stop()
	}
	s.rivals, s.running = rivals{}, false
}

// settle looks at how a scenario ended. That a side could not do it is part of the report, and the next one gets fresh servers; only
// the end of the run ends the run.
func (s *servers) settle(ctx context.Context, done *section, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", done.title, err)
	}
	who := ""
	if unable := (*unableError)(nil); errors.As(err, &unable) {
		who, err = cmp.Or(map[string]string{"ours": done.ours, "theirs": done.theirs}[unable.side], unable.side)+" could not do this: ", unable.err
	}
	if len(done.comparisons) > 0 {
		done.repetitions = len(done.comparisons[0].ours)
	}
	if done.repetitions == 0 {
		done.comparisons = nil
	}
	done.notes = append(done.notes, "NOT MEASURED IN FULL: "+who+excerpt([]byte(err.Error())))
	s.b.unmeasured = append(s.b.unmeasured, done.title)
	s.stop()
	return nil
}

// firstNeeds are those of the first scenario that is wanted.
func (b *benchmark) firstNeeds() needs {
	wants := needs{parked: parkedMemory}
	for _, h := range b.httpScenarios() {
		if b.wants(h.name) {
			wants = h.needs
			break
		}
	}
	wants.context = max(wants.context, b.set.Context)
	return wants
}

// serverLines are the command lines of llama-server and aigw.
func (b *benchmark) serverLines(as rival, wants needs) (theirs, ours []string, err error) {
	theirs, err = llamaServerCommand(b.llamaServer, b.set, as, wants, b.serverAddress)
	return theirs, gatewayCommand(b.aigw, b.set, wants, b.gatewayAddress, b.metricsAddress), err
}

// serverCommands are these as they are printed.
func (b *benchmark) serverCommands(as rival, wants needs) ([]command, error) {
	theirs, ours, err := b.serverLines(as, wants)
	if err != nil {
		return nil, err
	}
	return []command{
		{"llama-server", quoted(theirs)},
		{"aigw", "AIGW_AUTH__BYPASS_EXTERNAL=true " + quoted(ours)},
	}, nil
}
