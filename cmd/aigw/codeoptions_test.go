package main

import (
	"strings"
	"testing"

	"aigw/gateway"
)

func TestCodeOptions(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string
		err                   string
		holds                 func(gateway.Options) bool
	}{
		{"nothing set", "AIGW_X", "", "", func(o gateway.Options) bool {
			return !o.WholeAnswers && !o.NoCustomModels && o.PostProcessing.Runs("strip_whitespaces")
		}},
		{"an operation excluded", "AIGW_F__CODE_SUGGESTIONS__EXCL_POST_PROC", `["strip_whitespaces"]`, "", func(o gateway.Options) bool {
			return !o.PostProcessing.Runs("strip_whitespaces") && o.PostProcessing.Runs("fix_end_block_errors")
		}},
		{"name in lower case", "aigw_f__code_suggestions__excl_post_proc", `["fix_end_block_errors"]`, "", func(o gateway.Options) bool {
			return !o.PostProcessing.Runs("fix_end_block_errors")
		}},
		{"no list", "AIGW_F__CODE_SUGGESTIONS__EXCL_POST_PROC", "strip_whitespaces", "JSON list", nil},
		{"no operation", "AIGW_F__CODE_SUGGESTIONS__EXCL_POST_PROC", `["x"]`, `"x"`, nil},
		{"streaming disabled", "AIGW_CUSTOM_MODELS__DISABLE_STREAMING", "true", "", func(o gateway.Options) bool { return o.WholeAnswers }},
		{"custom models off", "AIGW_CUSTOM_MODELS__ENABLED", "False", "", func(o gateway.Options) bool { return o.NoCustomModels }},
		{"custom models on", "AIGW_CUSTOM_MODELS__ENABLED", "true", "", func(o gateway.Options) bool { return !o.NoCustomModels }},
		{"custom models undecided", "AIGW_CUSTOM_MODELS__ENABLED", "perhaps", "true or false", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(test.variable, test.value)
			set.Store(nil) // what a run of an earlier test had read
			var o gateway.Options
			err := codeOptions(&o)
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("error %v, want %s", err, test.err)
				}
				return
			}
			if err != nil || !test.holds(o) {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}
