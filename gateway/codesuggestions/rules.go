package codesuggestions

import (
	"slices"

	"aigw/gateway/schema"
)

// What the shapes of bodies do not tell by themselves, in JSON Schema for the API's document. Each
// rule stands for code: knownModel, checkDefinition, firstAsks.

// when demands more of objects that fit a condition.
func when(condition, then schema.Description) schema.Description {
	return schema.Description{{Name: "if", Value: condition}, {Name: "then", Value: then}}
}

// members describes some members of an object, of which the named ones must be there.
func members(properties schema.Description, required ...string) schema.Description {
	return schema.Description{{Name: "properties", Value: properties}, {Name: "required", Value: required}}
}

func oneOf(values ...string) schema.Description {
	return schema.Description{{Name: "enum", Value: values}}
}

// modelRule says which models may be named with which provider.
func modelRule() []schema.Description {
	var rules []schema.Description
	for _, provider := range providers {
		rules = append(rules, when(
			members(schema.Description{{Name: "model_provider", Value: oneOf(provider)}}, "model_provider", "model_name"),
			members(schema.Description{{Name: "model_name", Value: oneOf(slices.Concat(families, cloudModels[provider])...)}}),
		))
	}
	return rules
}

// definitionRule says what a request needs that leaves the prompt to the gateway.
func definitionRule() schema.Description {
	text := schema.Description{{Name: "type", Value: "string"}}
	endpoint := schema.Describe(&schema.Definitions{}, schema.Kind[string](schema.URL().Max(255)))
	return when(
		members(schema.Description{{Name: "prompt_id", Value: append(text, schema.Keyword{Name: "minLength", Value: 1})}}, "prompt_id"),
		members(schema.Description{
			{Name: "prompt_id", Value: oneOf(definition)},
			{Name: "model_name", Value: oneOf(slices.Concat(families, cloudModels[anthropic], cloudModels[vertexAI])...)},
			{Name: "model_endpoint", Value: endpoint},
		}, "model_name", "model_endpoint"),
	)
}

// version returns the shape of one prompt_version with its rules.
func version(shape schema.Kind[Request], rules ...schema.Description) schema.Kind[Request] {
	return schema.Described(shape, schema.Keyword{Name: "allOf", Value: append(modelRule(), rules...)})
}

// firstRule says what the first component may be. It stands apart from the list's own schema, where
// prefixItems would exempt the first item from items.
var firstRule = schema.Description{{Name: "prefixItems", Value: []schema.Description{
	members(schema.Description{{Name: "type", Value: oneOf(editorCompletion, editorGeneration)}}, "type"),
}}}
