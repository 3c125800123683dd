package gateway

import (
	"crypto/tls"
	"log/slog"
	"net/netip"
	"time"

	"aigw/gateway/apikeys"
	"aigw/gateway/auth"
	"aigw/gateway/codesuggestions/postprocess"
	"aigw/gateway/docsearch"
	"aigw/gateway/featureflags"
	"aigw/gateway/limits"
	"aigw/gateway/prompts"
	"aigw/gateway/serving"
	"aigw/gateway/tracing"
	"aigw/gateway/ui"
	"aigw/gateway/usertoken"
)

// Options says how the server behaves. Its zero value is safe: authentication is on and refuses
// everybody, sizes and times are bounded by the defaults named here, no proxy is trusted.
type Options struct {
	Auth   auth.Options
	Logger *slog.Logger // nil is slog.Default
	// TLS is how the API is served with TLS; nil: without.
	TLS *tls.Config
	// LogPayloads has prompts and answers logged (AIGW_LOGGING__ENABLE_REQUEST_LOGGING).
	LogPayloads bool
	// AllowExpandedLogging has those logged for which GitLab's flag expanded_ai_logging is on.
	AllowExpandedLogging bool
	// Version is that of the program, for the API's document.
	Version string
	// OpenAPIPath, DocsPath and RedocPath are where the API's document and its page for people are
	// answered; empty is nowhere (AIGW_FASTAPI__OPENAPI_URL, __DOCS_URL, __REDOC_URL).
	OpenAPIPath, DocsPath, RedocPath string
	// Tokens says how tokens for editors are made; without a key none are.
	Tokens usertoken.Options
	// Docs says where documentation is searched.
	Docs docsearch.Options

	// Tracer sends where the time went to a collector; nil sends nothing.
	Tracer *tracing.Tracer

	// DisallowedFlags are the feature flags that GitLab may not switch on.
	DisallowedFlags featureflags.Disallowed

	// Models says which of several models answers a request.
	Models serving.Rules
	// PostProcessing cleans code that models write; its zero value applies all rules.
	PostProcessing postprocess.Chains
	// WholeAnswers sends streams of code in one piece (AIGW_CUSTOM_MODELS__DISABLE_STREAMING).
	WholeAnswers bool
	// NoCustomModels refuses requests for self-hosted models (AIGW_CUSTOM_MODELS__ENABLED=false).
	NoCustomModels bool

	// APIKeys are the keys that open the door for programs that speak OpenAI's API; without one it is shut.
	APIKeys *apikeys.Ring
	// OpenAIInsecure opens it without a key to whoever asks a loopback address.
	OpenAIInsecure bool

	// UI says what the status page shows, which an admin's API key opens.
	UI ui.Settings

	// Limits bound what one person and one GitLab may ask for; the zero value bounds nothing.
	Limits limits.Options

	// CountThreads adds the number of threads to the metrics (AIGW_INSTRUMENTATOR__THREAD_MONITORING_ENABLED).
	CountThreads bool
	// MaxConcurrent is only shown, as the original's gauge (AIGW_MODEL_ENGINE_CONCURRENCY_LIMITS).
	MaxConcurrent map[string]map[string]int

	// MaxBodyBytes bounds a request's body; 0 is 10 MiB. GitLab's own bodies reach some MB.
	MaxBodyBytes int64
	// MaxHeaderBytes bounds a request's line and headers together; 0 is 64 KiB.
	MaxHeaderBytes int
	// MaxConnections bounds the open connections; more wait to be accepted. 0 is 1024.
	MaxConnections int

	// ReadHeaderTimeout is how long a request's headers may take to arrive; 0 is 10 s.
	ReadHeaderTimeout time.Duration
	// ReadTimeout is how long a whole request may take to arrive; 0 is 60 s.
	ReadTimeout time.Duration
	// IdleTimeout is how long a connection is kept between requests; 0 is 120 s.
	IdleTimeout time.Duration
	// WriteTimeout is how long a client may take to accept one piece of an answer; 0 is 30 s.
	WriteTimeout time.Duration
	// InferenceTimeout is how long one generation may take, waiting included; 0 is 55 s, which is
	// how long GitLab Workhorse waits for an answer.
	InferenceTimeout time.Duration
	// CompletionTime is how long a completion that is not streamed is written; the lines that are whole
	// by then are the answer, or what there is, if there is any. 0 does not end it. GitLab's check of a
	// self-hosted model waits for 3 s, and nobody waits longer for the end of his line.
	CompletionTime time.Duration
	// AnswerTime is how long an answer of chat, or generated code, may take that is not streamed; what there is by
	// then is the answer. 0 is 28 s: GitLab waits for 30, and so does its script for finding faults.
	AnswerTime time.Duration
	// FreeChat lets turns of Duo Chat's agent be written without the grammar that keeps them in the form
	// that can be read.
	FreeChat bool
	// Prompts are those of /v1/prompts; nil is the program's own.
	Prompts *prompts.Catalogue
	// DrainTimeout is how long running requests are waited for on shutdown; 0 is 8 s, which fits
	// into the 10 s that Docker gives a container.
	DrainTimeout time.Duration

	// TrustedProxies are the addresses whose X-Forwarded-For and X-Forwarded-Proto are believed.
	TrustedProxies []netip.Prefix
}

func (o Options) withDefaults() Options {
	setDefault(&o.MaxBodyBytes, 10<<20)
	setDefault(&o.MaxHeaderBytes, 64<<10)
	setDefault(&o.MaxConnections, 1024)
	setDefault(&o.ReadHeaderTimeout, 10*time.Second)
	setDefault(&o.ReadTimeout, 60*time.Second)
	setDefault(&o.IdleTimeout, 120*time.Second)
	setDefault(&o.WriteTimeout, 30*time.Second)
	setDefault(&o.InferenceTimeout, 55*time.Second)
	setDefault(&o.AnswerTime, 28*time.Second)
	setDefault(&o.DrainTimeout, 8*time.Second)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
