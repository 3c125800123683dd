package settings

import (
	"net/url"
	"strings"
)

// Masked stands in place of a secret.
const Masked = "**********"

// secretWords are in the names of what must not be shown.
var secretWords = []string{"KEY", "SECRET", "PASSWORD", "TOKEN"}

// Secret reports whether the value of a variable must not be shown.
func Secret(name string) bool {
	name = strings.ToUpper(name)
	for _, w := range secretWords {
		if strings.HasSuffix(name, "_"+w) {
			return true
		}
	}
	return false
}

// Mask returns a value as it may be shown: secrets and the names and passwords in URLs are not.
func Mask(name, value string) string {
	if value == "" {
		return ""
	}
	if Secret(name) || strings.Contains(value, "-----BEGIN") {
		return Masked
	}
	if u, err := url.Parse(value); err == nil && u.User != nil {
		u.User = url.User(Masked)
		return u.String()
	}
	return value
}
