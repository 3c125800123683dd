package settings

import (
	"strings"

	"github.com/xrash/smetrics"
)

// Prefix begins the names of all variables that are this program's own or its predecessor's.
const Prefix = "AIGW_"

// Variable is one of GitLab's own variables, or of the program's that have no flag.
type Variable struct {
	Name  string
	Kind  Kind
	About string
	// Secret ones are never shown.
	Secret bool
	// Ignored ones belong to what this program does not do; they are accepted without a word.
	Ignored bool
}

// Kind is the form of a variable's value.
type Kind string

const (
	Text Kind = "string"
	Bool Kind = "boolean"
	Int  Kind = "integer"
	List Kind = "array"  // JSON
	Map  Kind = "object" // JSON
)

// Variables is section 13 of the wire contract, in its order.
var Variables = []Variable{
	{Name: "AIGW_GITLAB_API_URL", About: "accepted; nothing is asked there"},
	{Name: "AIGW_CUSTOMER_PORTAL_URL", About: "a second issuer of tokens; not asked unless it is set"},
	{Name: "AIGW_GLGO_BASE_URL", Ignored: true},
	{Name: "AIGW_ENVIRONMENT", Ignored: true},
	{Name: "AIGW_MOCK_MODEL_RESPONSES", Kind: Bool, Ignored: true},
	{Name: "AIGW_FASTAPI__API_HOST", About: "host of --listen"},
	{Name: "AIGW_FASTAPI__API_PORT", Kind: Int, About: "port of --listen"},
	{Name: "AIGW_FASTAPI__METRICS_HOST", About: "host of --metrics-listen"},
	{Name: "AIGW_FASTAPI__METRICS_PORT", Kind: Int, About: "port of --metrics-listen"},
	{Name: "AIGW_FASTAPI__DOCS_URL", About: "path of the API's page for people, such as /docs"},
	{Name: "AIGW_FASTAPI__OPENAPI_URL", About: "path of the API's OpenAPI document, such as /openapi.json"},
	{Name: "AIGW_FASTAPI__REDOC_URL", About: "another path of the page"},
	{Name: "AIGW_FASTAPI__RELOAD", Kind: Bool, Ignored: true},
	{Name: "AIGW_FASTAPI__UVICORN_LOGGER", Kind: Map, Ignored: true},
	{Name: "AIGW_AUTH__BYPASS_EXTERNAL", Kind: Bool, About: "everybody may do everything"},
	{Name: "AIGW_AUTH__BYPASS_EXTERNAL_WITH_HEADER", Kind: Bool, About: "so may requests with the header Bypass-Auth: true"},
	{Name: "AIGW_AUTH__BYPASS_JWT_SIGNATURE", Kind: Bool, About: "tokens are read, but anybody may have signed them"},
	{Name: "AIGW_SELF_SIGNED_JWT__SIGNING_KEY", Secret: true, About: "RSA private key in PEM for editors' tokens"},
	{Name: "AIGW_SELF_SIGNED_JWT__VALIDATION_KEY", Secret: true, About: "the key before it, whose tokens are still good"},
	{Name: "AIGW_CUSTOM_MODELS__ENABLED", Kind: Bool, About: "false refuses requests for self-hosted models"},
	{Name: "AIGW_CUSTOM_MODELS__DISABLE_STREAMING", Kind: Bool, About: "answers are sent in one piece"},
	{Name: "AIGW_DEFAULT_PROMPTS", Kind: Map, Ignored: true},
	{Name: "AIGW_MODEL_ENGINE_CONCURRENCY_LIMITS", Kind: Map, About: "shown as the metric model_inferences_max_concurrent"},
	{Name: "AIGW_F__CODE_SUGGESTIONS__EXCL_POST_PROC", Kind: List, About: "clean-up rules of code suggestions to leave out"},
	{Name: "AIGW_FEATURE_FLAGS__DISALLOWED_FLAGS", Kind: Map, About: "feature flags that GitLab may not switch on, by realm"},
	{Name: "AIGW_LOGGING__LEVEL", About: "DEBUG, INFO, WARNING, ERROR or CRITICAL"},
	{Name: "AIGW_LOGGING__FORMAT_JSON", Kind: Bool, About: "one JSON object a line; by default so unless a terminal reads it"},
	{Name: "AIGW_LOGGING__TO_FILE", About: "a file that is written beside standard error"},
	{Name: "AIGW_LOGGING__ENABLE_REQUEST_LOGGING", Kind: Bool, About: "prompts and answers in the log"},
	{Name: "AIGW_INSTRUMENTATOR__THREAD_MONITORING_ENABLED", Kind: Bool, About: "adds the metric ai_gateway_threads_count"},
	{Name: "AIGW_INSTRUMENTATOR__THREAD_MONITORING_INTERVAL", Kind: Int, Ignored: true},
}

// Unprefixed are variables of other programs that count here too.
var Unprefixed = []Variable{
	{Name: "CLOUD_CONNECTOR_SERVICE_NAME", About: "how tokens name this gateway"},
	{Name: "SSL_CERT_FILE", About: "certificates to trust, in place of the system's"},
	{Name: "REQUESTS_CA_BUNDLE", About: "certificates to trust beside the system's"},
	{Name: "HTTP_PROXY", About: "proxy on the way to GitLab"},
	{Name: "HTTPS_PROXY", About: "proxy on the way to GitLab"},
	{Name: "NO_PROXY", About: "hosts that are asked without a proxy"},
}

// others begin the names of variables that are accepted and not read: services in the cloud, and
// what builds and tests this program.
var others = []string{
	"AIGW_ABUSE_DETECTION__", "AIGW_SNOWPLOW__", "AIGW_INTERNAL_EVENT__", "AIGW_GOOGLE_CLOUD_PLATFORM__",
	"AIGW_VERTEX_TEXT_MODEL__", "AIGW_VERTEX_SEARCH__", "AIGW_GOOGLE_CLOUD_PROFILER__", "AIGW_MODEL_KEYS__",
	"AIGW_MODEL_ENDPOINTS__", "AIGW_AMAZON_Q__",
	"AIGW_TEST_", "AIGW_CACHE", "AIGW_ARCH", "AIGW_CUDA", "AIGW_AMX", "AIGW_CPU_VARIANTS", "AIGW_JOBS", "AIGW_FAULT", "AIGW_BENCH_",
	"AIGW_CONTAINER_IMAGE", "AIGW_WORKER_LISTENERS", "AIGW_WORKER_CRASHES",
}

// accepted reports whether a variable has a meaning somewhere, in which case nothing is said of it.
func accepted(name string) bool {
	for _, begin := range others {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	for _, v := range Variables {
		if v.Name == name {
			return true
		}
	}
	return false
}

// nearest returns which of the known words somebody may have meant, or "" if none is near.
func nearest(word string, known []string) string {
	// A third of the letters wrong is no slip of the finger any more.
	best, least := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := smetrics.WagnerFischer(strings.ToLower(word), strings.ToLower(k), 1, 1, 1); d < least {
			best, least = k, d
		}
	}
	return best
}
