package serving

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"aigw/models"
)

// Wanted is how a request names a model. Both may be empty.
type Wanted struct {
	Identifier string // "provider/model" or "model"; wins over the family
	Family     string // a name that GitLab knows, such as "codegemma"
}

// Rules say which of several models answers. The zero value suits one model and most sets.
type Rules struct {
	// Strict refuses a request that names a model which is not loaded or cannot play the role.
	// Otherwise the nearest that can answers: administrators name in GitLab what they like.
	Strict bool
	// Default names the model for a role where a request's own wish leads to none. Without it
	// that is the first loaded that was made for the role, else the first that can.
	Default map[Role]string
}

// UnsuitableError refuses a request that no loaded model answers: asking again will not help.
type UnsuitableError struct {
	Role   Role
	Wanted string // the name in the request; empty if no loaded model can play the role
	Loaded []string
}

func (e *UnsuitableError) Error() string {
	loaded := strings.Join(e.Loaded, ", ")
	if e.Wanted == "" {
		return fmt.Sprintf("no loaded model can do %s; loaded: %s", e.Role, loaded)
	}
	return fmt.Sprintf("model %q is not loaded for %s; loaded: %s", models.Clip(e.Wanted), e.Role, loaded)
}

// UnknownModelError refuses a name that no loaded model has.
type UnknownModelError struct {
	Name   string
	Loaded []string
}

func (e *UnknownModelError) Error() string {
	if len(e.Loaded) == 0 {
		return fmt.Sprintf("there is no model %q", models.Clip(e.Name))
	}
	return fmt.Sprintf("there is no model %q; loaded: %s", models.Clip(e.Name), strings.Join(e.Loaded, ", "))
}

// known reports whether a name leads to a model, whatever the model can do.
func known(all []*Model, name string) bool {
	if find(all, name) != nil || find(all, bareName(name)) != nil {
		return true
	}
	family, ok := models.FindGitLabName(bareName(name))
	return ok && family.Family != "" && slices.ContainsFunc(all, func(m *Model) bool { return m.Family == string(family.Family) })
}

// choose finds the model for a role among all that are loaded, in the order of section 4.3 of the
// wire contract: the identifier, the family, the default.
func (r Rules) choose(all []*Model, role Role, wanted Wanted) (*Model, error) {
	able := slices.DeleteFunc(slices.Clone(all), func(m *Model) bool { return !m.Can(role) })
	refusal := &UnsuitableError{Role: role}
	for _, m := range all {
		refusal.Loaded = append(refusal.Loaded, m.describe())
	}
	if len(able) == 0 {
		return nil, refusal
	}
	if m := find(able, bareName(wanted.Identifier)); m != nil {
		return m, nil
	}
	// The identifier is how the server behind the endpoint called the model. Here names are given
	// by the operator of this program, so that the family may be all that both know.
	if m := find(able, wanted.Family); m != nil {
		return m, nil
	}
	if m := sameFamily(able, wanted.Family, role); m != nil {
		return m, nil
	}
	if named := cmp.Or(wanted.Identifier, wanted.Family); r.Strict && named != "" {
		refusal.Wanted = named
		return nil, refusal
	}
	if m := find(able, r.Default[role]); m != nil {
		return m, nil
	}
	return first(able, role), nil
}

// bareName takes the provider off an identifier, as GitLab writes them: "custom_openai/name".
func bareName(identifier string) string {
	if _, name, ok := strings.Cut(identifier, "/"); ok {
		return name
	}
	return identifier
}

// find returns the model that is called so.
func find(all []*Model, name string) *Model {
	if name == "" {
		return nil
	}
	for _, m := range all {
		if strings.EqualFold(m.Name, name) || slices.ContainsFunc(m.Aliases, func(alias string) bool { return strings.EqualFold(alias, name) }) {
			return m
		}
	}
	return nil
}

// sameFamily returns a model of the family that GitLab means by a name: codegemma_2b,
// codellama:code, mixtral_8x22b_text, codestral@2405 are sizes, uses and versions of it.
func sameFamily(all []*Model, name string, role Role) *Model {
	known, ok := models.FindGitLabName(name)
	if !ok || known.Family == "" {
		return nil
	}
	return first(slices.DeleteFunc(slices.Clone(all), func(m *Model) bool { return m.Family != string(known.Family) }), role)
}

// first returns the first model that was made for a role, else the first.
func first(able []*Model, role Role) *Model {
	for _, m := range able {
		if m.suits(role) {
			return m
		}
	}
	if len(able) > 0 {
		return able[0]
	}
	return nil
}
