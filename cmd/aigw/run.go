package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"aigw/cmd/aigw/supervisor"
	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth/keyring"
	"aigw/gateway/prompts"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "load models into this process and answer GitLab's requests with it",
		Description: "The port opens at once; /monitoring/ready says when the model answers.\n" +
			"Without --model the server runs and answers health checks.\n\n" +
			"Examples:\n" +
			"  aigw run --model codestral.gguf\n" +
			"  aigw run --model codestral    # a stored model, see aigw models list\n" +
			"  aigw run --model codegemma-2b.gguf --model mistral=/models/mistral-7b-instruct.gguf    # completion, and chat\n" +
			"  aigw run --models-dir /models --completion-model codestral --chat-model mistral\n" +
			"  aigw run --litellm-config config.yaml\n" +
			"  aigw run --model codestral.gguf --model mistral=https://vllm.example.com/v1 --model-key-file key.txt    # chat by another server\n" +
			"  aigw run --model mixtral.gguf --rpc 10.0.0.2:50052 --rpc-peer 9a1e…    # layers on another machine, see aigw rpc-worker\n" +
			"  aigw run --config /etc/aigw/config.yaml    # see aigw config\n" +
			"  aigw run --model codegemma=/models/codegemma-7b.gguf --listen 0.0.0.0:5052 --parallel 16\n" +
			"  AIGW_AUTH__BYPASS_EXTERNAL=true aigw run --model codestral.gguf    # to try it without GitLab",
		Flags:        runFlags(),
		OnUsageError: onUsageError,
		Action:       serve,
	}
}

// runFlags are the settings of the server, on the command line and in the file of --config.
func runFlags() []cli.Flag {
	return append(slices.Concat(modelFlags(), modelSetFlags(), modelServerFlags(), rpcFlags(), authFlags(), openAIFlags(), tlsFlags(), limitFlags(), docsFlags(), tracingFlags()),
		configFlag(), superviseFlag(),
		&cli.StringFlag{Name: "listen", Usage: "`ADDRESS` of the API", DefaultText: "127.0.0.1:5052", EnvVars: []string{"AIGW_LISTEN"}},
		&cli.StringFlag{Name: "metrics-listen", Usage: "`ADDRESS` of the Prometheus metrics", DefaultText: "127.0.0.1:8082", EnvVars: []string{"AIGW_METRICS_LISTEN"}},
		&cli.IntFlag{Name: "parallel", Value: engine.DefaultParallel, Usage: "most requests that the model works on at once", EnvVars: []string{"AIGW_PARALLEL"}},
		&cli.IntFlag{Name: "queue", Value: engine.DefaultQueue, Usage: "most requests that wait, of completions, generations and conversations each; more are answered 429", EnvVars: []string{"AIGW_QUEUE"}},
		&cli.DurationFlag{Name: "max-wait", Value: engine.DefaultMaxWait, Usage: "how long a completion waits for its turn; generations wait 3 times, conversations 6 times as long; who cannot have it in time is answered 429 at once", EnvVars: []string{"AIGW_MAX_WAIT"}},
		calibrateFlag(),
		cacheRAMFlag(),
		keepPrefixesFlag(),
		&cli.StringFlag{Name: "kv-sharing", Value: string(engine.ShareInstance), Usage: "between whom what was computed of equal prompts is shared: instance, user or off; see docs/security.md", EnvVars: []string{"AIGW_KV_SHARING"}},
		&cli.IntFlag{Name: "batch", Value: engine.DefaultBatch, Usage: "most tokens computed in one step", EnvVars: []string{"AIGW_BATCH"}},
		&cli.IntFlag{Name: "slice", Value: engine.DefaultSlice, Usage: "prompt tokens that may make a step longer than --step-time, while they take no longer than its decoding", EnvVars: []string{"AIGW_SLICE"}},
		&cli.IntFlag{Name: "draft-tokens", Value: engine.DefaultDraft, Usage: "most tokens of a step that are guessed from what the text repeats (0: none)", EnvVars: []string{"AIGW_DRAFT_TOKENS"}},
		draftModelFlag(),
		&cli.DurationFlag{Name: "step-time", Usage: "how long a step may take while somebody's answer is being written; up to 2.5 times as long where more people wait than read", DefaultText: "100ms, 35ms with a GPU", EnvVars: []string{"AIGW_STEP_TIME"}},
		&cli.DurationFlag{Name: "completion-time", Value: 2500 * time.Millisecond, Usage: "how long a completion that is not streamed is written; the lines that are whole by then are the answer, else what there is (0: to its end)", EnvVars: []string{"AIGW_COMPLETION_TIME"}},
		&cli.StringFlag{Name: "chat-grammar", Value: "auto", Usage: "keep turns of Duo Chat in the form that GitLab reads, by a grammar: auto, or off", EnvVars: []string{"AIGW_CHAT_GRAMMAR"}},
		chatWarmupFlag(),
		&cli.StringFlag{Name: "prompts", Usage: "`DIR` of prompts that replace and add to those of this program; see docs/prompts.md", EnvVars: []string{"AIGW_PROMPTS"}},
		&cli.BoolFlag{Name: "strict-models", Usage: "refuse requests that name a model which is not loaded, instead of answering with the nearest that is", EnvVars: []string{"AIGW_STRICT_MODELS"}},
		&cli.Int64Flag{Name: "max-body", Value: 10 << 20, Usage: "largest request body in `BYTES`", EnvVars: []string{"AIGW_MAX_BODY"}},
		&cli.IntFlag{Name: "max-header", Value: 64 << 10, Usage: "largest request header in `BYTES`", EnvVars: []string{"AIGW_MAX_HEADER"}},
		&cli.IntFlag{Name: "max-connections", Value: 1024, Usage: "most open connections; more wait to be accepted", EnvVars: []string{"AIGW_MAX_CONNECTIONS"}},
		&cli.DurationFlag{Name: "drain-timeout", Value: 8 * time.Second, Usage: "how long running requests are waited for on SIGTERM; Docker kills after 10 s, Kubernetes after 30 s", EnvVars: []string{"AIGW_DRAIN_TIMEOUT"}},
	)
}

func serve(c *cli.Context) error {
	if c.Args().Present() {
		return usagef("run takes flags only, %q is left over; a model is named with --model FILE", c.Args().First())
	}
	if err := checkRunFlags(c); err != nil {
		return err
	}
	log, err := openLog(c.App.ErrWriter, c.Bool("verbose"))
	if err != nil {
		return err
	}
	if err := supervisor.NoCoreDumps(); err != nil {
		log.Warn("if the program crashes, its memory, with people's code in it, may be written to a disk", "error", err)
	}
	ports, err := openPorts(c)
	if err != nil {
		return err
	}
	defer ports.close()
	defer context.AfterFunc(c.Context, func() { notify(daemon.SdNotifyStopping) })()
	if ports.worker == nil && c.String("supervise") == "on" {
		reopenOnHangup(c.Context, log)
		return supervise(c, ports, log.Logger)
	}
	for _, line := range set.Load().Unknown {
		log.Warn(line)
	}
	chosen, err := chooseModels(c, log.Logger)
	if err != nil {
		return err
	}
	options, err := gatewayOptions(c)
	if err != nil {
		return err
	}
	options.Logger, options.Models = log.Logger, chosen.rules
	ring, err := authOptions(c, log.Logger, &options)
	if err != nil {
		return err
	}
	if options.Tracer, err = openTracer(c, log.Logger); err != nil {
		return err
	}
	defer closeTracer(options.Tracer, log.Logger)
	if err := openAIOptions(c, &options); err != nil {
		return err
	}
	docs := newDocsServer(c, log.Logger, &options)
	own, err := ownCertificate(c)
	if err != nil {
		return err
	}
	scheme := "http://"
	uiOptions(c, ring, own, &options)
	if own != nil {
		options.TLS, scheme = own.Config(), "https://"
	}
	s := &server{cli: c, log: log.Logger, gateway: gateway.New(options), models: chosen, ring: ring, docs: docs, ports: ports, url: scheme + ports.api.Addr().String()}
	s.reloader = newReloader(c, log, s.gateway, ring, options.APIKeys, own)
	log.Info("listening", "url", s.url, "metrics", "http://"+ports.metrics.Addr().String()+"/metrics", "version", version, "pid", os.Getpid())
	if options.Auth.BypassWarning() == "" && noIssuer(c) && options.APIKeys.Len() == 0 && !options.OpenAIInsecure {
		log.Warn("authentication is on and no issuer is configured: every API request is refused with 401. " +
			"Name your GitLab with AIGW_GITLAB_URL; to try the gateway on this machine, start it with AIGW_AUTH__BYPASS_EXTERNAL=true")
	}
	announceUI(log.Logger, s.url, &options)
	ports.worker.Serving()
	return s.run(c.Context)
}

// server is one run of the program.
type server struct {
	cli     *cli.Context
	log     *slog.Logger
	gateway *gateway.Server
	models  *modelSet
	ring    *keyring.Ring
	docs    *docsServer
	ports   *ports
	url     string

	reloader *reloader      // nil: none
	warming  sync.WaitGroup // see warmChat

	embedder *engine.Embedder // nil: none
	turn     sync.Locker      // of models that compute beside each other; nil: there is only one
}

// run serves until ctx ends or something fails, and puts everything away.
func (s *server) run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	runKeys(ctx, s.cli, s.ring)
	go s.reloader.run(ctx)
	go s.reloader.keys.Watch(ctx, s.log)
	docsEnded := s.docs.start(ctx)
	served := make(chan error, 2)
	go func() { served <- s.gateway.Serve(ctx, s.ports.api) }()
	go func() { served <- s.gateway.ServeMetrics(ctx, s.ports.metrics) }()

	loaded, err := s.load(ctx)
	if err != nil && ctx.Err() == nil {
		s.gateway.Failed(err)
		cancel(err)
	}
	var failure error
	for range 2 { // both end when ctx does
		if err := <-served; err != nil {
			failure = errors.Join(failure, err)
			cancel(err)
		}
	}
	docsEnded()
	cancel(nil)
	s.warming.Wait()
	for _, m := range loaded {
		failure = errors.Join(failure, m.engine.Close())
	}
	if s.embedder != nil {
		failure = errors.Join(failure, s.embedder.Close())
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, err) {
		return errors.Join(err, failure)
	}
	s.log.Info("stopped")
	return failure
}

// listen opens a port, or says which one is taken and what to do.
func listen(flag, address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use; stop the other program or choose another port with %s", address, flag)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("%s needs more rights than this user has; choose a port above 1023 with %s", address, flag)
	case err != nil:
		return nil, fmt.Errorf("cannot listen on %s: %w; choose another address with %s", address, err, flag)
	}
	return l, nil
}

// apiAddress and metricsAddress honour GitLab's variables where the flag is not given.
func apiAddress(c *cli.Context) string {
	return address(c.String("listen"), "AIGW_FASTAPI__API_HOST", "AIGW_FASTAPI__API_PORT", "5052")
}

func metricsAddress(c *cli.Context) string {
	return address(c.String("metrics-listen"), "AIGW_FASTAPI__METRICS_HOST", "AIGW_FASTAPI__METRICS_PORT", "8082")
}

func address(flag, hostEnv, portEnv, port string) string {
	if flag != "" {
		return flag
	}
	return net.JoinHostPort(textEnv(hostEnv, "127.0.0.1"), textEnv(portEnv, port))
}

func gatewayOptions(c *cli.Context) (gateway.Options, error) {
	o := gateway.Options{
		MaxBodyBytes:   c.Int64("max-body"),
		MaxHeaderBytes: c.Int("max-header"),
		MaxConnections: c.Int("max-connections"),
		DrainTimeout:   c.Duration("drain-timeout"),
		CompletionTime: c.Duration("completion-time"),
		FreeChat:       c.String("chat-grammar") == "off",
	}
	var wrong error
	o.Prompts, wrong = prompts.Load(c.String("prompts"))
	err := errors.Join(limitOptions(c, &o), codeOptions(&o), docsOptions(&o), wrong)
	return o, err
}

func checkRunFlags(c *cli.Context) error {
	for _, name := range []string{"parallel", "queue", "batch", "slice", "max-header", "max-connections", "docs-tokens"} {
		if n := c.Int(name); n < 1 {
			return usagef("--%s %d: at least 1 is needed", name, n)
		}
	}
	if v := c.String("supervise"); v != "on" && v != "off" {
		return usagef("--supervise %q: on or off", v)
	}
	if v := c.String("chat-grammar"); v != "auto" && v != "off" {
		return usagef("--chat-grammar %q: auto or off", v)
	}
	if n := c.Int("draft-tokens"); n < 0 {
		return usagef("--draft-tokens %d: 0 or more are needed", n)
	}
	if n := c.Int64("max-body"); n < 1 {
		return usagef("--max-body %d: at least 1 is needed", n)
	}
	if d := c.Duration("drain-timeout"); d <= 0 {
		return usagef("--drain-timeout %s: it must be longer than nothing", d)
	}
	if n := c.Int("keep-prefixes"); n < 0 || n > 1<<16 {
		return usagef("--keep-prefixes %d: from 0 to %d MiB", n, 1<<16)
	}
	if n := c.Int("cache-ram"); n < -1 || n > 1<<20 {
		return usagef("--cache-ram %d: from 0 to %d MiB, or -1", n, 1<<20)
	}
	if err := errors.Join(checkCalibrate(c), checkChatWarmup(c)); err != nil {
		return err
	}
	if _, err := engine.ParseSharing(c.String("kv-sharing")); err != nil {
		return usagef("--kv-sharing: %v", err)
	}
	if d := c.Duration("max-wait"); d <= 0 {
		return usagef("--max-wait %s: it must be longer than nothing", d)
	}
	if d := c.Duration("step-time"); d < 0 {
		return usagef("--step-time %s: it cannot be negative", d)
	}
	if d := c.Duration("completion-time"); d < 0 {
		return usagef("--completion-time %s: it cannot be negative", d)
	}
	if err := checkTLSFlags(c); err != nil {
		return err
	}
	if _, err := collector(c); err != nil {
		return err
	}
	if err := errors.Join(checkModelServers(c), checkRPC(c), checkOpenAIFlags(c), checkUI(c)); err != nil {
		return err
	}
	if _, err := bypassOptions(c); err != nil {
		return err
	}
	if err := limitOptions(c, &gateway.Options{}); err != nil {
		return err
	}
	return checkModelFlags(c)
}
