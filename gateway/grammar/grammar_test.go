package grammar_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"aigw/gateway/grammar"
)

// identifierOf reads a reader's answer as Rails does: what stands between the fences, as JSON.
func identifierOf(text string) (string, error) {
	_, body, found := strings.Cut(text, "```json")
	body, _, closed := strings.Cut(body, "```")
	if !found || !closed {
		return "", fmt.Errorf("no fence")
	}
	var object struct{ ResourceIdentifierType, ResourceIdentifier any }
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		return "", err
	}
	id := fmt.Sprint(object.ResourceIdentifier)
	form := map[any]string{"current": `^current$`, "iid": `^\d+$|e\+`, "id": `^\d+$|e\+`, "url": `^https?://.`, "reference": `^[\w./-]+([#&!]\d+|@[0-9a-f]+)$`}[object.ResourceIdentifierType]
	if form == "" || !regexp.MustCompile(form).MatchString(id) {
		return "", fmt.Errorf("%v %v", object.ResourceIdentifierType, id)
	}
	return id, nil
}

// Names of tools are quoted, whatever is in them.
func TestNamesAreQuoted(t *testing.T) {
	mustParse(t, grammar.React([]string{`a"b\n`, "c\nd\t\\"}))
	mustParse(t, grammar.React(nil))
}
