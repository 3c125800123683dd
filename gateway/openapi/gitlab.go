package openapi

import (
	"net/http"

	"aigw/gateway/schema"
)

// GitLab are the manners of GitLab's AI Gateway.
var GitLab = &Manners{
	Summary:  "GitLab's AI Gateway API, answered by models that run in this process",
	Schemes:  tokens,
	Forms:    refusals,
	Refusals: refused,
}

// tokens are what GitLab sends with each request (section 3.2 of the wire contract).
var tokens = schema.Description{
	{Name: "token", Value: schema.Description{{Name: "type", Value: "http"}, {Name: "scheme", Value: "bearer"}, {Name: "bearerFormat", Value: "JWT"}}},
	{Name: "kind", Value: schema.Description{
		{Name: "type", Value: "apiKey"}, {Name: "in", Value: "header"}, {Name: "name", Value: "X-Gitlab-Authentication-Type"}, {Name: "description", Value: "always oidc"},
	}},
}

// refusals are the forms that errors have.
var refusals = schema.Description{
	{Name: "Refusal", Value: Of[struct {
		Detail   string   `json:"detail"`
		Progress *float64 `json:"progress,omitempty"` // while a model loads
	}]()},
	{Name: "Invalid", Value: schema.Description{
		{Name: "type", Value: "object"},
		{Name: "properties", Value: schema.Description{{Name: "detail", Value: schema.Description{{Name: "anyOf", Value: []schema.Description{typed("string"), {
			{Name: "type", Value: "array"},
			{Name: "items", Value: schema.Description{
				{Name: "type", Value: "object"},
				{Name: "properties", Value: schema.Description{
					{Name: "type", Value: typed("string")},
					{Name: "loc", Value: append(typed("array"), schema.Keyword{Name: "items", Value: schema.Description{{Name: "type", Value: []string{"string", "number"}}}})},
					{Name: "msg", Value: typed("string")},
					{Name: "input", Value: schema.Description{}},
					{Name: "ctx", Value: typed("object")},
				}},
				{Name: "required", Value: []string{"type", "loc", "msg", "input"}},
			}},
		}}}}}}},
		{Name: "required", Value: []string{"detail"}},
	}},
	{Name: "Stranger", Value: Of[struct {
		Error string `json:"error"`
	}]()},
}

// Refused returns an answer that says in one text why something is not done.
func Refused(status int, about string) Answer { return In("Refusal", status, about) }

// refused are the answers of every route.
func refused(op Operation, authenticated bool) (all []Answer) {
	if authenticated && !op.Public {
		all = append(all, In("Stranger", http.StatusUnauthorized, "The token is missing or not valid."))
	}
	if !op.Public {
		all = append(all, Refused(http.StatusForbidden, "The token does not allow this, or a page of another origin asks where authentication is bypassed."))
	}
	if op.Body != nil {
		all = append(all,
			Refused(http.StatusBadRequest, "The body is no text in UTF-8, UTF-16 or UTF-32."),
			Refused(http.StatusRequestTimeout, "The body did not arrive in time."),
			Refused(http.StatusRequestEntityTooLarge, "The body is too large."),
			In("Invalid", http.StatusUnprocessableEntity, "The body is not what is described here, its prompt does not fit the model, or no model can do it."),
			Refused(http.StatusTooManyRequests, "All places are taken; Retry-After says for how long."),
			Refused(http.StatusServiceUnavailable, "A model is loading, the server stops, or the model failed."),
		)
	}
	return append(all, Refused(http.StatusRequestHeaderFieldsTooLarge, "The headers are too large."))
}
