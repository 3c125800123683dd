package featureflags_test

import (
	"net/http"
	"slices"
	"testing"

	"aigw/gateway/featureflags"
)

func TestEnabled(t *testing.T) {
	rules := featureflags.Disallowed{"self-managed": {"expanded_ai_logging"}}
	for _, test := range []struct {
		name, realm, header string
		want                []string
	}{
		{"none", "self-managed", "", nil},
		{"several", "saas", "expanded_ai_logging,ai_commit_reader_for_chat", []string{"ai_commit_reader_for_chat", "expanded_ai_logging"}},
		{"one is not allowed in this realm", "self-managed", "expanded_ai_logging,ai_commit_reader_for_chat", []string{"ai_commit_reader_for_chat"}},
		{"spaces and repetitions", "", " a , ,a", []string{"a"}},
	} {
		h := http.Header{}
		h.Set("X-Gitlab-Realm", test.realm)
		h.Set(featureflags.Header, test.header)
		if got := rules.Enabled(h); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
