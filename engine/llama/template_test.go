package llama

import (
	"errors"
	"strings"
	"sync"
	"testing"
)

const chatMLTemplate = `{%- for message in messages %}
{{- '<|im_start|>' + message['role'] + '\n' + message['content'] | trim + '<|im_end|>\n' -}}
{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

func mustTemplate(t *testing.T, source string) *Template {
	t.Helper()
	made, err := ParseTemplate(source, "<s>", "</s>")
	if err != nil {
		t.Fatalf("%v in %.200s", err, source)
	}
	t.Cleanup(func() { made.Close() })
	return made
}

func TestTemplatesRender(t *testing.T) {
	messages := []Message{{"system", "Be terse."}, {"user", " 日本\x00 {{ x }}\n"}}
	for _, c := range []struct{ source, want string }{
		{chatMLTemplate, "<|im_start|>system\nBe terse.<|im_end|>\n<|im_start|>user\n日本\x00 {{ x }}<|im_end|>\n<|im_start|>assistant\n"},
		{`{{ bos_token }}{{ messages | length }}{{ eos_token }}`, "<s>2</s>"},
		{`{{ none_of_this }}`, ""},
		{`{% for p in messages[0].content %}{{ p.text }}{% endfor %}`, "Be terse."}, // takes parts only
	} {
		if got, err := mustTemplate(t, c.source).Render(messages); got != c.want || err != nil {
			t.Errorf("%s: %q, %v", c.source, got, err)
		}
	}
}

func TestTemplatesSayWhatTheyTake(t *testing.T) {
	plain := mustTemplate(t, chatMLTemplate)
	if plain.Tools || plain.ToolCalls || !plain.SystemRole {
		t.Errorf("%+v", plain)
	}
	strict := mustTemplate(t, `{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ messages[0].content }}`)
	if strict.SystemRole {
		t.Error("a template that refuses messages of the system is said to take them")
	}
	if _, err := strict.Render([]Message{{"system", "x"}}); err == nil || !strings.Contains(err.Error(), "no system role") {
		t.Errorf("error %v", err)
	}
	tools := mustTemplate(t, `{% for tool in tools %}{{ tool.function.name }}{{ tool | tojson }}{% endfor %}`+chatMLTemplate)
	if !tools.Tools {
		t.Error("a template that writes tools is said not to")
	}
}

// A template comes from a file: whatever it does, it ends, within bounds, with a reason.
func TestTemplatesAreBounded(t *testing.T) {
	for name, source := range map[string]string{
		"no end":          `{% for x in messages`,
		"nonsense":        `{{ ) }}`,
		"unknown filter":  `{{ messages | explode }}`,
		"refuses":         `{{ raise_exception('no') }}`,
		"endless loop":    `{% for i in range(100000000000) %}x{% endfor %}`,
		"nested loops":    strings.Repeat(`{% for i in range(9999) %}`, 5) + strings.Repeat(`{% endfor %}`, 5),
		"calls itself":    `{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}`,
		"doubles":         `{% set ns = namespace(x='xxxxxxxx') %}{% for i in range(64) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}`,
		"deep negation":   `{{ ` + strings.Repeat("not ", 30000) + `1 }}`,
		"deep list":       `{{ ` + strings.Repeat("[", 60000) + strings.Repeat("]", 60000) + ` }}`,
		"long":            strings.Repeat("x", maxTemplateBytes+1),
		"divides by zero": `{{ 1 // 0 }}{{ 1 % 0 }}{{ raise_exception('still there') }}`,
	} {
		made, err := ParseTemplate(source, "", "")
		if err == nil {
			_, err = made.Render([]Message{{"user", "Hi"}})
			made.Close()
		}
		if !errors.Is(err, ErrTemplate) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	// What is long but flat is fine, as is using one template from many sides.
	if got, err := mustTemplate(t, `{{ `+strings.Repeat("(", 60000)+"1"+strings.Repeat(")", 60000)+` }}`).Render(nil); err != nil || got != "1" {
		t.Errorf("deep brackets: %q, %v", got, err)
	}
	flat := mustTemplate(t, `{{ 'a'`+strings.Repeat(` ~ 'a'`, 1000)+` }}`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := flat.Render(nil); err != nil || got != strings.Repeat("a", 1001) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	wg.Wait()
	flat.Close()
	if _, err := flat.Render(nil); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add(chatMLTemplate)
	f.Add(`{% set x = messages[0].content.split(' ') %}{{ x | join('-') | upper }}{% if x is defined and x %}{{ x[-1:] | tojson }}{% endif %}`)
	f.Fuzz(func(t *testing.T, source string) {
		made, err := ParseTemplate(source, "<s>", "</s>")
		if err != nil {
			if len(err.Error()) == 0 {
				t.Error("no reason")
			}
			return
		}
		defer made.Close()
		if text, err := made.Render([]Message{{"user", "Hi there"}}); err == nil && len(text) > 4<<20 {
			t.Errorf("%d bytes", len(text))
		}
	})
}
