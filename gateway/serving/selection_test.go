package serving_test

import (
	"errors"
	"strings"
	"testing"

	"aigw/gateway/gatewaytest"
	"aigw/gateway/serving"
)

// The model that answers: by identifier, by name or alias, by family, by default, or none.
func TestWhichModelAnswers(t *testing.T) {
	code, chat := &gatewaytest.Codec{}, &gatewaytest.Chat{}
	gemma := &serving.Model{Name: "gemma-2b", Family: "codegemma", Aliases: []string{"codegemma"}, Codec: code, FillsIn: true}
	mistral := &serving.Model{Name: "Mistral-7B", Family: "mistral", Aliases: []string{"mistral"}, Codec: code, Chat: chat}
	llama := &serving.Model{Name: "llama", Family: "llama3", Chat: chat}
	all := []*serving.Model{mistral, gemma, llama}
	for _, test := range []struct {
		name   string
		models []*serving.Model
		rules  serving.Rules
		role   serving.Role
		wanted serving.Wanted
		want   *serving.Model
		err    string // part of the refusal
	}{
		{"one model answers whatever it is called", []*serving.Model{gemma}, serving.Rules{}, serving.Completion, serving.Wanted{Family: "codestral"}, gemma, ""},
		{"identifier before family", all, serving.Rules{}, serving.Completion, serving.Wanted{Identifier: "gemma-2b", Family: "mistral"}, gemma, ""},
		{"identifier with a provider", all, serving.Rules{}, serving.Completion, serving.Wanted{Identifier: "custom_openai/gemma-2b"}, gemma, ""},
		{"upper and lower case", all, serving.Rules{}, serving.Chat, serving.Wanted{Identifier: "mistral-7b"}, mistral, ""},
		{"unknown identifier, known family", all, serving.Rules{}, serving.Chat, serving.Wanted{Identifier: "x/y", Family: "mistral"}, mistral, ""},
		{"a size of the family", all, serving.Rules{}, serving.Completion, serving.Wanted{Family: "codegemma_7b"}, gemma, ""},
		{"another model if the named one cannot", all, serving.Rules{}, serving.Chat, serving.Wanted{Family: "codegemma"}, mistral, ""},
		{"made for completion", all, serving.Rules{}, serving.Completion, serving.Wanted{}, gemma, ""},
		{"made for generation", all, serving.Rules{}, serving.Generation, serving.Wanted{}, mistral, ""},
		{"able to complete", []*serving.Model{llama, mistral}, serving.Rules{}, serving.Completion, serving.Wanted{}, mistral, ""},
		{"default", all, serving.Rules{Default: map[serving.Role]string{serving.Chat: "llama"}}, serving.Chat, serving.Wanted{}, llama, ""},
		{"a wish before the default", all, serving.Rules{Default: map[serving.Role]string{serving.Chat: "llama"}}, serving.Chat, serving.Wanted{Family: "mistral"}, mistral, ""},
		{"a default that cannot", all, serving.Rules{Default: map[serving.Role]string{serving.Completion: "llama"}}, serving.Completion, serving.Wanted{}, gemma, ""},
		{"nobody can", []*serving.Model{gemma}, serving.Rules{}, serving.Chat, serving.Wanted{Family: "mistral"}, nil, "no loaded model can do chat; loaded: gemma-2b (completion, generation)"},
		{"strict, named", all, serving.Rules{Strict: true}, serving.Completion, serving.Wanted{Family: "codegemma"}, gemma, ""},
		{"strict, not named", all, serving.Rules{Strict: true}, serving.Completion, serving.Wanted{}, gemma, ""},
		{"strict, unknown", all, serving.Rules{Strict: true}, serving.Completion, serving.Wanted{Family: "codestral"}, nil, `model "codestral" is not loaded for completion; loaded: Mistral-7B (completion, generation, chat), gemma-2b`},
		{"strict, unable", all, serving.Rules{Strict: true}, serving.Chat, serving.Wanted{Family: "codegemma"}, nil, `model "codegemma" is not loaded for chat`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := serving.NewState(test.rules)
			s.Ready(test.models...)
			got, err := s.Choose(test.role, test.wanted)
			var refused *serving.UnsuitableError
			if got != test.want || (err != nil) != (test.err != "") || err != nil && (!errors.As(err, &refused) || !strings.Contains(err.Error(), test.err)) {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
