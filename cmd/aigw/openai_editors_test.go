package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// editorRequest is a request as an editor's plug-in writes it, and what the plug-in needs of the answer. The values of
// settings are the plug-in's own defaults.
type editorRequest struct {
	of         string // the program, the file that writes it, and the commit that was read
	path, body string
	read       func(answer string) error
}

// editors are:
//   - llama.vim, autoload/llama.vim of ggml-org/llama.vim at 381730b05805: s:ring_update, llama#fim with one answer and with
//     two (n_cmpl), llama#inst and llama#inst_send; at 02e6a4f337968 what older copies send;
//   - Continue, of continuedev/continue at 11fa0e26449c: core/llm/llms/OpenAI.ts with the body of core/llm/openaiTypeConverters.ts
//     (chat, and what autocompletion sends to /completions with the markers and stops of Qwen's template), and
//     packages/openai-adapters/src/apis/OpenAI.ts at 023111db46ab (a chat of an agent); core/llm/llms/LlamaCpp.ts at 0c38ecf05bc3;
//   - Zed, of zed-industries/zed: crates/open_ai/src/completion.rs at 04b569a45e17 (the agent's panel), and
//     crates/edit_prediction/src/fim.rs at 09512d2e88ed (edit predictions of a server with OpenAI's API);
//   - aider 0.86.2 with LiteLLM 1.81.10, as recorded from aider --model openai/smol --message TEXT --yes --no-git FILE;
//     its text and a stop, which keeps the answer short, are ours.
var editors = []editorRequest{
	{"llama.vim, what it reads ahead", "/infill", `{"id_slot":0,"input_prefix":"","input_suffix":"","input_extra":` + ringExtra + `,"prompt":"","n_predict":0,"temperature":0.0,"samplers":[],"stream":false,"cache_prompt":true,"t_max_prompt_ms":1,"t_max_predict_ms":1,"response_fields":[""],"model":"smol"}`,
		exactly("{}")},
	{"llama.vim", "/infill", `{"id_slot":0,"input_prefix":"def add(a, b):\n","input_suffix":"\nprint(add(1, 2))\n","input_extra":` + ringExtra + `,"prompt":"    return","n_predict":128,"stop":[],"n_cmpl":1,"n_indent":4,` + ringSampling + `"t_max_predict_ms":250,` + ringFields + `}`,
		ringAnswers(1)},
	{"llama.vim, two answers", "/infill", `{"id_slot":0,"input_prefix":"def add(a, b):\n","input_suffix":"\nprint(add(1, 2))\n","input_extra":[],"prompt":"    return","n_predict":16,"stop":["\n\n"],"n_cmpl":2,"n_indent":4,` + ringSampling + `"t_max_predict_ms":1000,` + ringFields + `}`,
		ringAnswers(2)},
	{"llama.vim, an older one", "/infill", `{"input_prefix":"def add(a, b):\n","input_suffix":"\nprint(add(1, 2))\n","input_extra":` + ringExtra + `,"prompt":"    return","n_predict":32,"n_indent":4,"top_k":40,"top_p":0.99,"stream":false,"samplers":["top_k","top_p","infill"],"cache_prompt":true,"t_max_prompt_ms":500,"t_max_predict_ms":1000,` + ringFields + `}`,
		ringAnswers(1)},
	{"llama.vim, before an instruction", "/v1/chat/completions", `{"id_slot":3,"messages":[{"role":"system","content":"You edit text.\n--- SELECTION\nx = 1\n"},{"role":"user","content":""}],"samplers":[],"n_predict":0,"stream":false,"cache_prompt":true,"response_fields":[""],"model":"smol"}`,
		contains(`"content":""`)},
	{"llama.vim, an instruction", "/v1/chat/completions", `{"id_slot":3,"messages":[{"role":"system","content":"You edit text.\n--- SELECTION\nx = 1\n"},{"role":"user","content":"INSTRUCTION: Name the variable count."}],"min_p":0.1,"temperature":0.1,"samplers":["min_p","temperature"],"stop":["\n"],"stream":true,"cache_prompt":true}`,
		deltas},
	{"Continue, a chat", "/v1/chat/completions", `{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"model":"smol","max_tokens":16,"stream":true}`, deltas},
	{"Continue, an agent", "/v1/chat/completions", `{"model":"smol","messages":[{"role":"user","content":"Which files are there?"},{"role":"assistant","content":" ","tool_calls":[{"id":"c1","type":"function","function":{"name":"ls","arguments":"{\"dirPath\":\"/\"}"}}]},{"role":"tool","content":"main.py","tool_call_id":"c1"}],"max_tokens":24,"stream":true,` +
		`"tools":[{"type":"function","function":{"name":"ls","description":"List files","parameters":{"type":"object","required":["dirPath"],"properties":{"dirPath":{"type":"string"},"recursive":{"type":"boolean"}}}}}],"parallel_tool_calls":false,"stream_options":{"include_usage":true}}`, deltas},
	{"Continue, a completion", "/v1/completions", `{"model":"smol","max_tokens":16,"temperature":0.01,"stream":true,"stop":["<|endoftext|>","<|fim_prefix|>","<|fim_middle|>","<|fim_suffix|>","<|fim_pad|>","<|repo_name|>","<|file_sep|>","<|im_start|>","<|im_end|>","/src/","#- coding: utf-8","` + "```" + `"],"prompt":"<|fim_prefix|>def add(a, b):\n    return<|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>"}`,
		texts},
	{"Continue, by llama-server's route", "/completion", `{"prompt":"def add(a, b):\n    return","stream":true,"n_predict":16,"frequency_penalty":0,"presence_penalty":0,"min_p":0.05,"mirostat":0,"stop":["\n\n"],"top_k":40,"top_p":0.9,"temperature":0.01}`,
		contents},
	{"Zed, the agent's panel", "/v1/chat/completions", `{"model":"smol","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Which files "},{"type":"text","text":"are there?"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"list_directory","arguments":"{\"path\":\"app\"}"}}]},{"role":"tool","content":"main.py","tool_call_id":"c1"}],` +
		`"stream":true,"stream_options":{"include_usage":true},"max_completion_tokens":24,"temperature":1.0,"tool_choice":"auto","tools":[{"type":"function","function":{"name":"list_directory","description":"Lists files","parameters":{"$schema":"http://json-schema.org/draft-07/schema#","title":"ListDirectoryToolInput","type":"object","properties":{"path":{"description":"The path","type":"string"}},"required":["path"]}}}],"prompt_cache_key":"4c1e"}`,
		deltas},
	{"aider", "/v1/chat/completions", `{"messages":[{"role":"system","content":"Return whole files."},{"role":"user","content":"Change the greeting."},{"role":"assistant","content":"hello.py\n` + "```" + `\nprint(1)\n` + "```" + `"},{"role":"user","content":"These are my files:\n\ncalc.py\n` + "```" + `\ndef add(a, b):\n    return a - b\n` + "```" + `"},{"role":"assistant","content":"Ok."},{"role":"user","content":"Make add add."}],"model":"smol","stream":true,"temperature":0,"stop":["\n\n"]}`,
		deltas},
	{"Zed, an edit prediction", "/v1/completions", `{"model":"smol","prompt":"[SUFFIX]\n\nprint(add(1, 2))\n[PREFIX]def add(a, b):\n    return","max_tokens":16,"stop":["[PREFIX]","[SUFFIX]"]}`,
		rawCompletion},
}

// Parts of llama.vim's requests.
const (
	ringExtra    = `[{"text":"def sub(a, b):\n    return a - b\n","time":[12,345],"filename":"b.py"}]`
	ringSampling = `"top_k":40,"top_p":0.90,"samplers":["top_k","top_p","infill"],"stream":false,"cache_prompt":true,"t_max_prompt_ms":500,`
	ringFields   = `"response_fields":["content","timings/prompt_n","timings/prompt_ms","timings/prompt_per_token_ms","timings/prompt_per_second","timings/predicted_n","timings/predicted_ms","timings/predicted_per_token_ms","timings/predicted_per_second","truncated","tokens_cached"]`
)

// Editors get the answers that they read.
func testEditors(t *testing.T, r *running) {
	for _, e := range editors {
		t.Run(e.of, func(t *testing.T) {
			got := r.post(e.path, e.body)
			if got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.text)
			}
			if err := e.read(got.text); err != nil {
				t.Errorf("%v in %s", err, got.text)
			}
		})
	}
}

func exactly(want string) func(string) error {
	return func(answer string) error {
		if answer != want {
			return fmt.Errorf("%s is wanted", want)
		}
		return nil
	}
}

func contains(want string) func(string) error {
	return func(answer string) error {
		if !strings.Contains(answer, want) {
			return fmt.Errorf("no %s", want)
		}
		return nil
	}
}

// ringAnswers reads answers as llama.vim does (s:fim_on_response, s:fim_render): an object, or a list of as many as were
// asked for, in which "content": is followed by its text at once, and with all times by their long names.
func ringAnswers(n int) func(string) error {
	return func(answer string) error {
		var all []map[string]any
		if n == 1 {
			all = make([]map[string]any, 1)
			if err := json.Unmarshal([]byte(answer), &all[0]); err != nil {
				return err
			}
		} else if err := json.Unmarshal([]byte(answer), &all); err != nil || len(all) != n {
			return fmt.Errorf("%d answers, %w", len(all), err)
		}
		if !strings.Contains(answer, `"content":"`) {
			return errors.New("no content")
		}
		for _, one := range all {
			for _, name := range []string{"timings/prompt_n", "timings/prompt_ms", "timings/prompt_per_second", "timings/predicted_n", "timings/predicted_ms", "timings/predicted_per_second", "tokens_cached"} {
				if _, ok := one[name].(float64); !ok {
					return fmt.Errorf("%s is %v", name, one[name])
				}
			}
			if one["content"] == "" {
				return errors.New("nothing is written")
			}
		}
		return nil
	}
}

// streamed calls read with the data of each event but the last, which has to be end, unless that is empty.
func streamed(answer, end string, read func(data []byte) error) error {
	var all []string
	for line := range strings.Lines(answer) {
		if data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: "); ok {
			all = append(all, data)
		}
	}
	if end != "" {
		if len(all) == 0 || all[len(all)-1] != end {
			return fmt.Errorf("no %s at the end", end)
		}
		all = all[:len(all)-1]
	}
	for _, data := range all {
		if err := read([]byte(data)); err != nil {
			return fmt.Errorf("%s: %w", data, err)
		}
	}
	return nil
}

// deltas reads a conversation's stream as all three do: Zed, the strictest, wants choices and in each of them an index, and
// of usage three numbers.
func deltas(answer string) error {
	said, finish := "", ""
	err := streamed(answer, "[DONE]", func(data []byte) error {
		var event struct {
			Choices *[]struct {
				Index *int
				Delta struct {
					Content   *string
					ToolCalls []struct {
						Index    *int
						ID       string
						Function struct{ Name, Arguments string }
					} `json:"tool_calls"`
				}
				FinishReason *string `json:"finish_reason"`
			}
			Usage *struct {
				Prompt     *int `json:"prompt_tokens"`
				Completion *int `json:"completion_tokens"`
				Total      *int `json:"total_tokens"`
			}
		}
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		if event.Choices == nil || event.Usage != nil && (event.Usage.Prompt == nil || event.Usage.Completion == nil || event.Usage.Total == nil) {
			return errors.New("a member is missing")
		}
		for _, x := range *event.Choices {
			if x.Index == nil {
				return errors.New("no index")
			}
			if x.Delta.Content != nil {
				said += *x.Delta.Content
			}
			for _, call := range x.Delta.ToolCalls {
				if call.Index == nil {
					return errors.New("a call without an index")
				}
				said += call.Function.Name + call.Function.Arguments
			}
			if x.FinishReason != nil {
				finish = *x.FinishReason
			}
		}
		return nil
	})
	if err == nil && (said == "" || !slices.Contains([]string{"stop", "length", "tool_calls"}, finish)) {
		err = fmt.Errorf("%q is said, the end is %q", said, finish)
	}
	return err
}

// texts reads a stream of /v1/completions as Continue does.
func texts(answer string) error {
	all := ""
	err := streamed(answer, "[DONE]", func(data []byte) error {
		var event struct{ Choices []struct{ Text string } }
		if err := json.Unmarshal(data, &event); err != nil {
			return err
		}
		for _, x := range event.Choices {
			all += x.Text
		}
		return nil
	})
	if err == nil && all == "" {
		err = errors.New("nothing is written")
	}
	return err
}

// contents reads a stream of llama-server's as Continue does.
func contents(answer string) error {
	all, stop := "", false
	err := streamed(answer, "", func(data []byte) error {
		var event struct {
			Content *string
			Stop    bool
		}
		if err := json.Unmarshal(data, &event); err != nil || event.Content == nil {
			return fmt.Errorf("no content, %w", err)
		}
		all, stop = all+*event.Content, event.Stop
		return nil
	})
	if err == nil && (all == "" || !stop) {
		err = errors.New("nothing is written, or it does not end")
	}
	return err
}

// rawCompletion reads an answer as Zed's RawCompletionResponse, of which no member may be missing.
func rawCompletion(answer string) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal([]byte(answer), &all); err != nil {
		return err
	}
	for _, name := range []string{"id", "object", "created", "model", "choices", "usage"} {
		if all[name] == nil {
			return fmt.Errorf("no %s", name)
		}
	}
	var choices []struct{ Text string }
	if err := json.Unmarshal(all["choices"], &choices); err != nil || len(choices) != 1 || choices[0].Text == "" || strings.Contains(choices[0].Text, "[PREFIX]") {
		return fmt.Errorf("%s, %w", all["choices"], err)
	}
	return nil
}
