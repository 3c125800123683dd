package prompts

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// constraint is a set of versions in Poetry's notation, which GitLab writes: 1.0.0, ^1.0.0, ~1.2,
// ">=1.0,<2.0", 1.*, and several of them with || between.
type constraint struct{ alternatives []*semver.Constraints }

const (
	anyOfMajorOne  = "^1.0.0"
	mostConstraint = 256 // bytes
)

var (
	either     = regexp.MustCompile(`\|\|?`)
	equals     = regexp.MustCompile(`={2,3}`)
	unequal    = regexp.MustCompile(`<>`)
	compatible = regexp.MustCompile(`~=\s*(\d+(?:\.\d+)*)`)
	// semverOnly are notations that Masterminds reads and Poetry does not.
	semverOnly = regexp.MustCompile(`\s-\s|=>|=<|~>`)
	// aVersion is what each alternative must have.
	aVersion = regexp.MustCompile(`\d|\*`)
)

// parseConstraint reads a constraint; empty is that of the original.
func parseConstraint(text string) (constraint, error) {
	var none constraint
	if text == "" {
		text = anyOfMajorOne
	}
	if len(text) > mostConstraint {
		return none, fmt.Errorf("the constraint has more than %d bytes", mostConstraint)
	}
	if semverOnly.MatchString(text) {
		return none, errors.New("unknown operator")
	}
	text = unequal.ReplaceAllString(equals.ReplaceAllString(text, "="), "!=")
	// ~=1.4 is 1.4 and later up to 2, ~=1.4.2 is 1.4.2 and later up to 1.5.
	text = compatible.ReplaceAllStringFunc(text, func(found string) string {
		version := compatible.FindStringSubmatch(found)[1]
		if strings.Count(version, ".") < 2 {
			return ">=" + version + ",<" + nextMajor(version)
		}
		return "~" + version
	})
	for _, part := range either.Split(text, -1) {
		part = strings.TrimSpace(part)
		if !aVersion.MatchString(part) {
			return none, fmt.Errorf("%q names no version", part)
		}
		c, err := semver.NewConstraint(part)
		if err != nil {
			return none, err
		}
		none.alternatives = append(none.alternatives, c)
	}
	return none, nil
}

func nextMajor(version string) string {
	v, err := semver.NewVersion(version)
	if err != nil {
		return "0" // then nothing matches
	}
	return v.IncMajor().String()
}

func (c constraint) allows(v *semver.Version) bool {
	for _, one := range c.alternatives {
		if one.Check(v) {
			return true
		}
	}
	return false
}
