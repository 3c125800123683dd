package settings

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// Schema returns the JSON schema (draft 2020-12) of the file of --config, for editors: the flags of
// a command, and GitLab's variables.
func Schema(flags []cli.Flag) map[string]any {
	properties := map[string]any{}
	for _, f := range flags {
		name := f.Names()[0]
		if name == "config" || name == "help" {
			continue
		}
		p := map[string]any{"type": "string"}
		switch f.(type) {
		case *cli.BoolFlag:
			p["type"] = "boolean"
		case *cli.IntFlag, *cli.Int64Flag:
			p["type"] = "integer"
		case *cli.Float64Flag:
			p["type"] = "number"
		case *cli.DurationFlag:
			p["pattern"] = `^(0|([0-9.]+(ns|us|µs|ms|s|m|h))+)$`
		case *cli.StringSliceFlag, *cli.GenericFlag:
			p["type"] = []string{"array", "string"}
			p["items"] = map[string]any{"type": "string"}
		}
		if d, ok := f.(cli.DocGenerationFlag); ok {
			p["description"] = strings.ReplaceAll(d.GetUsage(), "`", "")
			if v := d.GetDefaultText(); v != "" {
				p["description"] = fmt.Sprintf("%s (default: %s)", p["description"], v)
			}
		}
		properties[name] = p
	}
	for _, v := range Variables {
		place := properties
		path := strings.Split(strings.ToLower(strings.TrimPrefix(v.Name, Prefix)), "__")
		for _, part := range path[:len(path)-1] {
			next, ok := place[part].(map[string]any)
			if !ok {
				next = object(map[string]any{})
				place[part] = next
			}
			place = next["properties"].(map[string]any)
		}
		kind := v.Kind
		if kind == "" {
			kind = Text
		}
		about := v.About
		if v.Ignored {
			about = "accepted, not used"
		}
		place[path[len(path)-1]] = map[string]any{"type": string(kind), "description": v.Name + ": " + about}
	}
	root := object(properties)
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "settings of aigw run"
	return root
}

func object(properties map[string]any) map[string]any {
	return map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
}
