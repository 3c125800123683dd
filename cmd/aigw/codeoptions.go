package main

import (
	"encoding/json"
	"fmt"

	"aigw/gateway"
	"aigw/gateway/codesuggestions/postprocess"
)

// codeOptions reads GitLab's own variables about code suggestions (section 13 of the wire
// contract).
func codeOptions(o *gateway.Options) error {
	const excluded = "AIGW_F__CODE_SUGGESTIONS__EXCL_POST_PROC"
	if text := textEnv(excluded, ""); text != "" {
		var names []string
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			return fmt.Errorf("%s=%q: a JSON list of names is expected: %w", excluded, text, err)
		}
		var err error
		if o.PostProcessing, err = postprocess.New(names); err != nil {
			return fmt.Errorf("%s: %w", excluded, err)
		}
	}
	var err error
	if o.WholeAnswers, err = boolEnv("AIGW_CUSTOM_MODELS__DISABLE_STREAMING"); err != nil {
		return err
	}
	if o.CountThreads, err = boolEnv("AIGW_INSTRUMENTATOR__THREAD_MONITORING_ENABLED"); err != nil {
		return err
	}
	// Self-hosted models are what this program is for: only an explicit false switches them off.
	const enabled = "AIGW_CUSTOM_MODELS__ENABLED"
	if textEnv(enabled, "") != "" {
		on, err := boolEnv(enabled)
		if err != nil {
			return err
		}
		o.NoCustomModels = !on
	}
	return nil
}
