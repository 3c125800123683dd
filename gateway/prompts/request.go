package prompts

import (
	"encoding/json"
	"fmt"
	"strings"

	"aigw/gateway/conversation"
	"aigw/gateway/schema"
)

type body struct {
	Inputs  map[string]schema.Value
	Version *string
	Model   *conversation.Metadata
	Stream  bool
}

var requestKind = schema.Object(
	schema.Required("inputs", schema.Map[schema.Value](schema.String(), schema.Any()), func(b *body) *map[string]schema.Value { return &b.Inputs }),
	schema.Optional("prompt_version", schema.Nullable[string](schema.String()), func(b *body) **string { return &b.Version }),
	schema.Optional("model_metadata", schema.Nullable(conversation.MetadataKind), func(b *body) **conversation.Metadata { return &b.Model }),
	schema.Optional("stream", schema.OrNull(schema.Bool()), func(b *body) *bool { return &b.Stream }),
)

// texts returns the inputs as a prompt shows them: lists one item a line, nothing for null, objects as JSON.
func (b body) texts() map[string]string {
	out := make(map[string]string, len(b.Inputs))
	for name, value := range b.Inputs {
		out[name] = show(value.Decode())
	}
	return out
}

func show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case []any:
		lines := make([]string, len(v))
		for i, item := range v {
			lines[i] = show(item)
		}
		return strings.Join(lines, "\n")
	case map[string]any:
		if text, err := json.Marshal(v); err == nil { // NaN and infinities are no JSON
			return string(text)
		}
	}
	return fmt.Sprint(value)
}
