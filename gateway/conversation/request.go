package conversation

import (
	"aigw/gateway/schema"
	"aigw/gateway/serving"
	"aigw/models"
)

// Metadata names a model in requests of chat and prompts (section 4.1 of the wire contract). The
// endpoint and the key are checked and not used: the model runs in this process.
type Metadata struct {
	Name, Provider string
	Identifier     *string

	endpoint string
	apiKey   *string
}

// MetadataKind is the shape of model_metadata.
var MetadataKind = schema.Object(
	schema.Required("endpoint", schema.URL().Max(255), func(m *Metadata) *string { return &m.endpoint }),
	schema.Required("name", schema.String().Max(255), func(m *Metadata) *string { return &m.Name }),
	schema.Required("provider", schema.String().Max(255), func(m *Metadata) *string { return &m.Provider }),
	schema.Optional("api_key", schema.Nullable(schema.String().Max(255)), func(m *Metadata) **string { return &m.apiKey }),
	schema.Optional("identifier", schema.Nullable(schema.String().Max(255)), func(m *Metadata) **string { return &m.Identifier }),
)

// Wanted returns how the request names a model; m may be nil.
func (m *Metadata) Wanted() serving.Wanted {
	if m == nil {
		return serving.Wanted{}
	}
	w := serving.Wanted{Family: m.Name}
	if m.Identifier != nil {
		w.Identifier = *m.Identifier
	}
	return w
}

// MessageKind is the shape of a message that the caller wrote.
var MessageKind = schema.Object(
	schema.Required("role", schema.Enum(models.System, models.User, models.Assistant), func(m *models.Message) *string { return &m.Role }),
	schema.Required("content", schema.String(), func(m *models.Message) *string { return &m.Content }),
)
