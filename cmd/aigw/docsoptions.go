package main

import (
	"fmt"

	"aigw/gateway"
)

// docsOptions reads where the API's document and its page for people are answered. GitLab's image
// sets the first two to /openapi.json and /docs.
func docsOptions(o *gateway.Options) error {
	o.Version = version
	for name, path := range map[string]*string{
		"AIGW_FASTAPI__OPENAPI_URL": &o.OpenAPIPath,
		"AIGW_FASTAPI__DOCS_URL":    &o.DocsPath,
		"AIGW_FASTAPI__REDOC_URL":   &o.RedocPath,
	} {
		*path = textEnv(name, "")
		if err := gateway.CheckPath(*path); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
