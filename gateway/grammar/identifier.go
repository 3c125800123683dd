package grammar

import (
	"fmt"
	"strings"
)

// Reader says what identifies a resource that one of GitLab's reader tools reads (section 9.7 of the
// wire contract).
type Reader struct {
	Number string // the type of a plain number: iid or id; empty: there is none
	Mark   string // what stands between a path and the number of a reference; empty: there is none
	Hex    bool   // a reference ends with a hash instead of a number
	Bare   bool   // neither a URL nor a reference: the question has none
}

// Readers are those tools, by name.
var Readers = map[string]Reader{
	"build_reader":         {Number: "id"},
	"commit_reader":        {Mark: "@", Hex: true},
	"epic_reader":          {Number: "iid", Mark: "&"},
	"issue_reader":         {Number: "iid", Mark: "#"},
	"merge_request_reader": {Number: "iid", Mark: "!"},
}

// Identifier is the grammar of a reader's answer: a JSON object in a fence, such as
//
//	```json
//	{"ResourceIdentifierType": "iid", "ResourceIdentifier": 17}
//	```
//
// A URL or a path has at most 300 characters.
func Identifier(r Reader) string {
	kinds := []string{`"current\"" then "\"current\""`}
	if !r.Bare {
		kinds = append(kinds, `"url\"" then "\"http" "s"? "://" [^"\\ \x00-\x1F\x7F]{1,292} "\""`)
	}
	if r.Number != "" {
		kinds = append(kinds, fmt.Sprintf(`%s then ( number | "\"" number "\"" )`, literal(r.Number+`"`)))
	}
	if r.Mark != "" && !r.Bare {
		end := "number"
		if r.Hex {
			end = "[0-9a-f]{7,64}"
		}
		kinds = append(kinds, fmt.Sprintf(`"reference\"" then "\"" [a-zA-Z0-9_] [a-zA-Z0-9_./-]{0,299} %s %s "\""`, literal(r.Mark), end))
	}
	return fmt.Sprintf("root ::= %s ( %s ) %s\nthen ::= %s\nnumber ::= [1-9] [0-9]{0,14}\n",
		literal("```json\n{\"ResourceIdentifierType\": \""), strings.Join(kinds, " | "), literal("}\n```"), literal(`, "ResourceIdentifier": `))
}
