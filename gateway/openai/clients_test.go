package openai_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/apikeys"
	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

// Of each way to fail the client from PyPI makes the exception that its documentation has for it. AIGW_OPENAI_CLIENTS names
// Pythons that have it, with colons between; .ci/openai installs them.
func TestClientsMakeExceptions(t *testing.T) {
	pythons := filepath.SplitList(os.Getenv("AIGW_OPENAI_CLIENTS"))
	if len(pythons) == 0 {
		t.Skip("AIGW_OPENAI_CLIENTS names no Python that has the package openai; .ci/openai does")
	}
	for _, python := range pythons {
		s, keys := keyed(t, gateway.Options{}, apikeys.Key{Name: "alice"}, apikeys.Key{Name: "bob", PerMinute: 1})
		var all []*serving.Model
		for name, g := range map[string]*gatewaytest.Generator{
			"fine":      answering("Hel", "lo"),
			"busy":      {Err: &engine.BusyError{Wait: 3 * time.Second}},
			"closed":    {Err: engine.ErrClosed},
			"broken":    {Err: errors.New("the device is gone")},
			"poisonous": {Err: engine.ErrPoisonous},
			"breaks":    {Pieces: []string{"Hel"}, Err: engine.ErrNoContinuation},
		} {
			all = append(all, &serving.Model{Name: name, Codec: &gatewaytest.Codec{}, Chat: &gatewaytest.Chat{}, Vocabulary: gatewaytest.Bytes{}, Generator: g, ContextSize: 4096})
		}
		s.Ready(all...)
		out, err := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "exceptions.py"), s.URL, keys[0], keys[1]).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", python, err, out)
		}
		t.Logf("%s", out)
	}
}
