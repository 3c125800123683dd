package gateway_test

import (
	"strings"
	"testing"

	"aigw/gateway/gatewaytest"
)

// Bodies are in the log only where the operator wants them, and keys never are.
func TestBodiesInTheLog(t *testing.T) {
	const secretBody = `{"prompt_version":1,"model_api_key":"top\"secret","current_file":{"file_name":"a.py","content_above_cursor":"my code = ","content_below_cursor":""}}`
	for _, test := range []struct {
		name       string
		all, allow bool
		flag       string
		wantInLog  bool
	}{
		{"usually", false, false, "", false},
		{"GitLab asks, the operator does not allow", false, false, "expanded_ai_logging", false},
		{"allowed, and not asked for", false, true, "", false},
		{"allowed and asked for", false, true, "other,expanded_ai_logging", true},
		{"all", true, false, "", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			o := open
			o.LogPayloads, o.AllowExpandedLogging = test.all, test.allow
			s := gatewaytest.Start(t, o)
			s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"the answer"}}))
			got := s.Do("POST", completions, secretBody, "X-Request-ID", "one", "x-gitlab-enabled-feature-flags", test.flag)
			if got.StatusCode != 200 || !strings.Contains(got.Text, "the answer") {
				t.Fatalf("%d %s", got.StatusCode, got.Text)
			}
			s.LogLine("one")
			if test.wantInLog {
				gatewaytest.Eventually(t, "the bodies", func() bool { return strings.Contains(s.Log(), "api.payload") })
			}
			log := s.Log()
			if strings.Contains(log, "my code") != test.wantInLog || strings.Contains(log, "the answer") != test.wantInLog {
				t.Errorf("%s", log)
			}
			if strings.Contains(log, "top") || strings.Contains(log, `secret"`) {
				t.Errorf("a key is in the log: %s", log)
			}
		})
	}
}

// Section 14.1 of the wire contract.
func TestAccessLine(t *testing.T) {
	s := gatewaytest.Start(t, open)
	s.Ready(gatewaytest.Model(&gatewaytest.Generator{Pieces: []string{"1"}}))
	s.Do("POST", completions+"?a=b", rightBody, "X-Request-ID", "one", "X-Gitlab-Version", "17.8.0", "x-gitlab-enabled-feature-flags", "b,a",
		"X-Gitlab-Rails-Send-Start", "no number")
	line := s.LogLine("one")
	for name, want := range map[string]any{
		"logger": "api.access", "path": completions + "?a=b", "method": "POST", "status_code": 200.0, "http_version": "1.1", "content_type": "application/json",
		"client_ip": "127.0.0.1", "duration_request": -1.0, "gitlab_version": "17.8.0", "gitlab_realm": nil, "gitlab_duo_seat_count": nil,
		"meta.feature_category": "code_suggestions", "meta.unit_primitive": "complete_code", "model_engine": "agent", "lang": "python",
	} {
		if got, ok := line[name]; !ok || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, name := range []string{
		"url", "user_agent", "client_port", "duration_s", "response_start_duration_s", "first_chunk_duration_s", "cpu_s", "request_arrived_at", "auth_duration_s",
		"gitlab_language_server_version", "gitlab_instance_id", "gitlab_global_user_id", "gitlab_host_name", "gitlab_saas_duo_pro_namespace_ids",
		"gitlab_feature_enabled_by_namespace_ids", "enabled_feature_flags", "tracked_internal_events", "model_name", "prompt_length", "prompt_length_stripped",
		"inference_duration_s", "model_output_length", "model_output_length_stripped", "editor_lang", "queue_duration_s", "prefill_duration_s", "decode_duration_s",
		"prompt_tokens", "cached_tokens", "output_tokens",
	} {
		if _, ok := line[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	if flags, ok := line["enabled_feature_flags"].([]any); !ok || len(flags) != 2 || flags[0] != "a" {
		t.Errorf("flags %v", line["enabled_feature_flags"])
	}
	if events, ok := line["tracked_internal_events"].([]any); !ok || len(events) != 1 || events[0] != "request_complete_code" {
		t.Errorf("events %v", line["tracked_internal_events"])
	}
}

// What a request was for is told by the name that it asks for, where one path serves many.
func TestAccessLineOfPathsForMuch(t *testing.T) {
	s := gatewaytest.Start(t, open)
	s.NoModel()
	chat := `{"prompt_components":[{"type":"prompt","metadata":{"source":"GitLab EE","version":"17.8.0"},"payload":{"content":"hi"}}]}`
	for _, test := range []struct{ path, body, category, right string }{
		{"/v1/chat/agent", chat, "duo_chat", "duo_chat"},
		{"/v1/chat/explain_vulnerability", chat, "duo_chat", "explain_vulnerability"},
		{"/v1/prompts/chat/fix_code", `{"inputs":{}}`, "ai_abstraction_layer", "fix_code"},
		{"/v1/prompts/model_configuration%2Fcheck", `{"inputs":{}}`, "ai_abstraction_layer", "complete_code"},
	} {
		s.Do("POST", test.path, test.body, "X-Request-ID", test.path)
		line := s.LogLine(test.path)
		if line["meta.feature_category"] != test.category || line["meta.unit_primitive"] != test.right {
			t.Errorf("%s: %v, %v", test.path, line["meta.feature_category"], line["meta.unit_primitive"])
		}
		if events, ok := line["tracked_internal_events"].([]any); !ok || len(events) != 1 || events[0] != "request_"+test.right {
			t.Errorf("%s: events %v", test.path, line["tracked_internal_events"])
		}
	}
	shown := s.Metrics()
	for _, handler := range []string{"/v1/chat/{chat_invokable}", "/v1/prompts/{prompt_id}"} {
		if !strings.Contains(shown, `http_request_duration_seconds_count{handler="`+handler+`"`) {
			t.Errorf("the metrics do not name %s", handler)
		}
	}
}
