// Package gateway is the HTTP side of aigw: GitLab's AI Gateway API, answered by the models of
// this process. It is the only place that knows HTTP.
package gateway

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/net/netutil"

	"aigw/gateway/auth"
	"aigw/gateway/chat"
	"aigw/gateway/chat/agent"
	"aigw/gateway/codesuggestions"
	"aigw/gateway/conversation"
	"aigw/gateway/docsearch"
	"aigw/gateway/limits"
	"aigw/gateway/metrics"
	"aigw/gateway/openai"
	"aigw/gateway/prompts"
	"aigw/gateway/serving"
	"aigw/gateway/ui"
	"aigw/gateway/usertoken"
	"aigw/gateway/xray"
)

// Server is the gateway. It is made by New, serves until it is shut down, and cannot be started
// again. Its methods may be used concurrently.
type Server struct {
	options Options
	state   *serving.State
	metrics *metrics.Metrics
	auth    *auth.Authenticator
	limits  *limits.Limiter
	code    *codesuggestions.Room
	chat    *chat.Room
	agent   *agent.Room
	xray    *xray.Room
	prompts *prompts.Room
	tokens  *usertoken.Room
	docs    *docsearch.Room
	openai  *openai.Room
	engine  *gin.Engine
	door    *gin.Engine // for API keys
	page    *ui.Room
	pages   *gin.Engine // of page
	hour    *ui.Hour    // nil: nobody looks at it
	made    time.Time
	http    *http.Server

	// stop ends the context of all requests, when they are not waited for any longer.
	stop context.CancelCauseFunc

	shutdown    sync.Once
	shutdownErr error
	stopped     chan struct{} // closed when Shutdown is done
}

// New returns a server that does nothing yet. It opens no port and starts no goroutine.
func New(o Options) *Server {
	o = o.withDefaults()
	base, stop := context.WithCancelCause(context.Background())
	s := &Server{
		options: o,
		state:   serving.NewState(o.Models),
		metrics: metrics.New(),
		auth:    auth.New(o.Auth),
		limits:  limits.New(o.Limits),
		made:    time.Now(),
		stop:    stop,
		stopped: make(chan struct{}),
	}
	s.code = codesuggestions.New(codesuggestions.Options{
		Logger:         o.Logger,
		Models:         s.state,
		Metrics:        s.metrics,
		Budget:         o.InferenceTimeout,
		CompletionTime: o.CompletionTime,
		GenerationTime: o.AnswerTime,
		WriteTimeout:   o.WriteTimeout,

		PostProcessing: o.PostProcessing,
		WholeAnswers:   o.WholeAnswers,
		NoCustomModels: o.NoCustomModels,
	})
	conversations := conversation.New(conversation.Options{
		Models:         s.state,
		Metrics:        s.metrics,
		Gap:            o.InferenceTimeout,
		Whole:          o.AnswerTime,
		WriteTimeout:   o.WriteTimeout,
		WholeAnswers:   o.WholeAnswers,
		NoCustomModels: o.NoCustomModels,
	})
	s.chat = chat.New(conversations)
	s.agent = agent.New(conversations, !o.FreeChat)
	s.xray = xray.New(conversations)
	s.prompts = prompts.New(conversations, o.Prompts)
	s.tokens = usertoken.New(o.Tokens)
	o.Docs.Models = s.state
	s.docs = docsearch.New(o.Docs)
	for engine, models := range o.MaxConcurrent {
		for model, most := range models {
			s.metrics.Concurrency(engine, model, most)
		}
	}
	if o.CountThreads {
		s.metrics.CountThreads()
	}
	s.openai = openai.New(openai.Options{Models: s.state, Metrics: s.metrics, Gap: o.InferenceTimeout, WriteTimeout: o.WriteTimeout, Version: o.Version, Open: o.OpenAIInsecure})
	if o.APIKeys != nil && !o.UI.Off {
		s.hour = ui.NewHour()
	}
	s.page = s.newPage(conversations)
	s.engine, s.door, s.pages = s.routes(), s.doorRoutes(), s.pageRoutes()
	s.http = &http.Server{
		Handler:           s,
		BaseContext:       func(net.Listener) context.Context { return base },
		ReadHeaderTimeout: o.ReadHeaderTimeout,
		ReadTimeout:       o.ReadTimeout,
		IdleTimeout:       o.IdleTimeout,
		// The longest that an answer in one piece can take; streams set their own.
		WriteTimeout: o.ReadTimeout + o.InferenceTimeout + o.WriteTimeout,
		// What is over MaxHeaderBytes by less than this is answered in JSON; beyond it net/http
		// answers by itself.
		MaxHeaderBytes: 4*o.MaxHeaderBytes + 64<<10,
		ErrorLog:       slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
		// "OPTIONS *" needs authentication like everything else.
		DisableGeneralOptionsHandler: true,
	}
	return s
}

// Loading tells the server that a model loads. progress goes from 0 to 1. Until Ready, NoModel or
// Failed is called, health checks are answered and everything else gets 503.
func (s *Server) Loading(name string, progress float64) { s.state.Loading(name, progress) }

// Warm has a model compute what many requests begin with, before it serves. A failure is only
// logged: the model may still do.
func (s *Server) Warm(ctx context.Context, m *serving.Model) {
	if err := s.code.Warm(ctx, m); err != nil {
		s.options.Logger.Warn("the usual beginnings of prompts are not computed ahead", "model", m.DisplayName(), "error", err)
	}
}

// Ready tells the server that all models that were asked for answer, in the order in which they
// were named.
func (s *Server) Ready(models ...*serving.Model) {
	counted := make([]*serving.Model, 0, len(models))
	for _, m := range models {
		if m != nil {
			s.adopt(m)
			s.metrics.Loaded(m.DisplayName(), time.Since(s.made))
			counted = append(counted, s.observe(m))
		}
	}
	s.state.Ready(counted...)
}

// SetEmbedding tells the server which model computes embeddings, before it is ready.
func (s *Server) SetEmbedding(m *serving.EmbeddingModel) {
	s.metrics.KnowModel(m.Name)
	s.state.SetEmbedding(m)
}

// WarmChat has the model for conversations compute what the turns of Duo Chat's agent begin with, when nobody else wants
// anything of it. It is for a server that is ready, and returns when that is done or ctx ends. A failure is only logged.
func (s *Server) WarmChat(ctx context.Context) {
	m, err := s.state.Choose(serving.Chat, serving.Wanted{})
	if err != nil {
		return // there is none
	}
	if err := s.agent.Warm(ctx, m); err != nil && ctx.Err() == nil {
		s.options.Logger.Info("the beginning of chats is not computed ahead", "model", m.DisplayName(), "reason", err)
	}
}

// NoModel tells the server that it runs without a model.
func (s *Server) NoModel() { s.state.NoModel() }

// Failed tells the server that a model cannot be loaded. The reason is logged, and not shown to
// clients.
func (s *Server) Failed(reason error) {
	s.options.Logger.Error("model cannot be loaded", "error", reason)
	s.state.Failed()
}

// levelCritical is how the original logs that authentication is bypassed.
const levelCritical = slog.LevelError + 4

// Serve answers requests on the listener until ctx ends or Shutdown is called, and returns when
// the last one is answered. It closes the listener. An orderly end is nil.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	go s.warnOfBypass(ctx)
	defer context.AfterFunc(ctx, func() { _ = s.Shutdown(context.WithoutCancel(ctx)) })()
	limited := netutil.LimitListener(listener, s.options.MaxConnections)
	if s.options.TLS != nil {
		limited = tls.NewListener(limited, s.options.TLS)
	}
	err := s.http.Serve(limited)
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve on %s: %w", listener.Addr(), err)
	}
	<-s.stopped
	return s.shutdownErr
}

// warnOfBypass says again and again that authentication is bypassed, until the server stops: what
// was switched on to find a fault must not be forgotten.
func (s *Server) warnOfBypass(ctx context.Context) {
	text := s.options.Auth.BypassWarning()
	if text == "" {
		return
	}
	s.metrics.Bypassed()
	for {
		s.options.Logger.Log(ctx, levelCritical, text)
		select {
		case <-s.stopped:
			return
		case <-ctx.Done():
			return
		case <-time.After(time.Minute):
		}
	}
}

// Shutdown refuses new requests and waits for the running ones, until ctx ends or DrainTimeout
// has passed; then it cancels them. It may be called several times, and returns when all is
// done.
func (s *Server) Shutdown(ctx context.Context) error {
	s.shutdown.Do(func() {
		defer close(s.stopped)
		s.state.Drain()
		ctx, cancel := context.WithTimeout(ctx, s.options.DrainTimeout)
		defer cancel()
		if err := s.http.Shutdown(ctx); err == nil {
			s.stop(serving.ErrStopping)
			return
		}
		s.options.Logger.Warn("requests that still run are cancelled")
		s.stop(serving.ErrStopping)
		// They need a moment to notice; what does not is cut off.
		last, cancelLast := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancelLast()
		if s.http.Shutdown(last) != nil {
			_ = s.http.Close()
			s.shutdownErr = errors.New("requests were cut off on shutdown")
		}
	})
	<-s.stopped
	return s.shutdownErr
}

// ServeMetrics answers every request on the listener with metrics, until the server has been shut
// down or ctx ends. It closes the listener. An orderly end is nil.
func (s *Server) ServeMetrics(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           s.metrics.Handler(),
		ReadHeaderTimeout: s.options.ReadHeaderTimeout,
		ReadTimeout:       s.options.ReadTimeout,
		WriteTimeout:      s.options.WriteTimeout,
		IdleTimeout:       s.options.IdleTimeout,
		MaxHeaderBytes:    s.options.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.options.Logger.Handler(), slog.LevelWarn),
	}
	done := make(chan struct{})
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		select {
		case <-ctx.Done():
		case <-s.stopped:
		case <-done:
		}
		_ = server.Close() // a scrape that is cut off is repeated
	}()
	err := server.Serve(netutil.LimitListener(listener, s.options.MaxConnections))
	close(done)
	<-finished
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve metrics on %s: %w", listener.Addr(), err)
	}
	return nil
}
