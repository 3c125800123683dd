package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/gateway/ui"
)

// load brings the models into memory while the server already answers, all at the same time: the
// plan has made sure that they fit, and reading one file while another one's weights are put into
// order uses disk and processor together.
func (s *server) load(ctx context.Context) ([]*loaded, error) {
	files := s.models.local()
	if err := s.loadEmbedder(ctx); err != nil {
		return nil, err
	}
	if len(s.models.files) == 0 {
		s.gateway.NoModel()
		s.ports.ready()
		s.warmChat(ctx)
		s.log.Warn("no model: the server answers health checks, and model endpoints 503. Name one with --model FILE")
		return nil, nil
	}
	s.gateway.Loading(s.models.label(), 0)
	elsewhere, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		s.serve(ctx, nil, elsewhere)
		return nil, nil
	}
	if err := s.addWorkers(ctx); err != nil {
		return nil, err
	}
	options, err := s.prepare()
	if err != nil {
		return nil, err
	}
	out := make([]*loaded, len(files))
	failures := make([]error, len(files))
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for i, m := range files {
		all.Go(func() {
			if out[i], failures[i] = m.load(ctx, options[i]); failures[i] != nil {
				cancel() // the others are in vain
			}
		})
	}
	all.Wait()
	if err := firstCause(failures); err != nil {
		for _, m := range out {
			if m != nil {
				m.close()
			}
		}
		return nil, err
	}
	s.serve(ctx, out, elsewhere)
	return out, nil
}

// firstCause returns the error that made the others give up.
func firstCause(failures []error) error {
	var cancelled error
	for _, err := range failures {
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled):
			cancelled = err
		default:
			return err
		}
	}
	return cancelled
}

// prepare settles how each model is loaded, and prints what memory all of them will take.
func (s *server) prepare() ([]engine.Options, error) {
	files := s.models.local()
	options := make([]engine.Options, len(files))
	var size int64
	for _, m := range files {
		size += m.size
	}
	shown := newProgress(s.cli.App.ErrWriter, s.log, "loading "+s.models.label()).of(size)
	total := newShares(files, func(done float64) {
		s.gateway.Loading(s.models.label(), done)
		shown.set(float32(done))
	})
	turn := s.turn
	if len(files) > 1 && turn == nil {
		turn = &sync.Mutex{}
	}
	for i, m := range files {
		o := m.options(s.cli, s.log.With("model", m.name))
		if len(files) == 1 {
			o.Logger = s.log
		}
		o.Parallel, o.Queue, o.MaxWait = s.cli.Int("parallel"), s.cli.Int("queue"), s.cli.Duration("max-wait")
		o.KVSharing, o.CalibrationDir = s.cli.String("kv-sharing"), calibrationDir(s.cli)
		o.ParkBytes = cacheRAM(s.cli)
		o.StateDir, o.KeepPrefixes = stateDir(s.cli), s.cli.Int("keep-prefixes")<<20
		o.Batch, o.Slice, o.StepTime = s.cli.Int("batch"), s.cli.Int("slice"), s.cli.Duration("step-time")
		if o.Draft = s.cli.Int("draft-tokens"); o.Draft == 0 {
			o.Draft = -1 // 0 is the engine's own choice
		}
		o.Turn = turn
		o.Progress = func(done float32) { total.set(i, float64(done)) }
		if w := s.ports.worker; w != nil {
			o.Journal = w.Journal
		}
		options[i] = o
	}
	for _, m := range files {
		if err := tryModel(s.cli, s.log, m); err != nil {
			return nil, err
		}
	}
	if err := withDraftModel(s.cli, s.log, options); err != nil {
		return nil, err
	}
	plans, err := placeModels(s.cli, s.log, options)
	if err != nil {
		return nil, err
	}
	if isTerminal(s.cli.App.ErrWriter) {
		return options, printMemory(s.cli.App.ErrWriter, (&modelSet{files: files}).names(), plans)
	}
	for i, p := range plans {
		s.log.Info("memory plan", "model", files[i].name, "all_mib", p.Total()>>20, "needed_mib", p.Needed()>>20,
			"weights_mib", p.Weights>>20, "repacked_mib", p.Repacked>>20, "kv_cache_mib", p.Cache>>20, "compute_mib", p.Compute>>20,
			"outputs_mib", p.Outputs>>20, "vocabulary_mib", p.Vocabulary>>20, "gpu_layers", p.GPULayers, "layers", p.Layers)
		for _, g := range p.GPUs {
			if g.Remote {
				s.log.Info("memory on another machine", "model", files[i].name, "worker", g.Name, "all_mib", g.Total()>>20,
					"weights_mib", g.Weights>>20, "kv_cache_mib", g.Cache>>20, "compute_mib", g.Compute>>20, "free_mib", g.Free>>20)
			}
		}
	}
	return options, nil
}

// serve hands loaded models, and those of other servers, to the gateway in the order in which they were named.
func (s *server) serve(ctx context.Context, all []*loaded, elsewhere map[*modelFile]*serving.Model) {
	here := map[*modelFile]*loaded{}
	for _, m := range all {
		here[m.file] = m
	}
	serves := make([]*serving.Model, len(s.models.files))
	for i, file := range s.models.files {
		if serves[i] = elsewhere[file]; serves[i] != nil {
			continue
		}
		m := here[file]
		serves[i] = &serving.Model{
			Name: m.file.name, Aliases: m.file.aliases, Family: m.codec.Family(),
			Codec: m.codec, FillsIn: m.file.what.FIM, Chat: m.chat,
			Vocabulary: m.engine.Vocabulary(), Generator: m.engine, ContextSize: m.engine.Limit(),
		}
		s.gateway.Warm(ctx, serves[i])
	}
	s.gateway.Ready(serves...)
	s.ports.ready()
	s.warmChat(ctx)
	for _, m := range all {
		s.announce(m)
	}
	if isTerminal(s.cli.App.ErrWriter) {
		fmt.Fprintf(s.cli.App.ErrWriter, "ready   %s\nIn GitLab, set %s\n", s.url, ui.Lines(s.url)[0].Text)
	}
}

// announce says how a model runs.
func (s *server) announce(m *loaded) {
	p := m.engine.Plan()
	for _, d := range m.file.what.Defects {
		s.log.Warn("defect of the model file", "file", filepath.Base(m.file.path), "defect", d.String())
	}
	if !isTerminal(s.cli.App.ErrWriter) {
		s.log.Info("ready", "url", s.url, "model", m.file.name, "aliases", m.file.aliases, "family", m.codec.Family(), "device", p.Device,
			"weights_mib", p.WeightBytes>>20, "kv_cache_mib", p.CacheBytes>>20, "cache_ram_mib", p.ParkBytes>>20, "compute_mib", p.ComputeBytes>>20,
			"context", p.Context, "parallel", p.Parallel, "queue", p.Queue, "threads", p.Threads, "flash_attention", p.FlashAttention,
			"cache_type_k", p.CacheTypeK, "measured", p.Calibration.String())
		return
	}
	fmt.Fprint(s.cli.App.ErrWriter, m.summary())
}

// shares adds up how far several models are, by the size of their files.
type shares struct {
	show func(done float64)

	mu    sync.Mutex
	share []float64 // of the whole
	done  []float64 // of each
}

func newShares(files []*modelFile, show func(float64)) *shares {
	s := &shares{show: show, share: make([]float64, len(files)), done: make([]float64, len(files))}
	var sum float64
	for i, m := range files {
		s.share[i] = float64(m.size)
		sum += s.share[i]
	}
	for i := range s.share {
		s.share[i] /= max(sum, 1)
	}
	return s
}

// set notes how far a model is, from 0 to 1.
func (s *shares) set(i int, done float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done[i] = done
	var sum float64
	for i, share := range s.share {
		sum += share * s.done[i]
	}
	s.show(sum)
}
