package grammar

import (
	"fmt"
	"slices"
	"strings"
)

// object writes the properties in order. Behind each there are two rules: for what may follow when
// something stands before, and when nothing does; so the grammar grows with the number of properties
// and not with that of their subsets.
func (b *schemaBuilder) object(s node, path string, depth int) string {
	var names []string
	var values []node
	if list, ok := s.get("properties"); ok {
		members, is := list.value.([]member)
		if !is {
			panic(&SchemaError{path + "/properties", "an object is expected"})
		}
		for _, m := range members {
			if at := slices.Index(names, m.name); at >= 0 {
				values[at] = m.value
				continue
			}
			names, values = append(names, m.name), append(values, m.value)
		}
	}
	required := b.required(s, path)
	for _, name := range required {
		if !slices.Contains(names, name) {
			names, values = append(names, name), append(values, node{value: true})
		}
	}
	space := b.space()
	behind, alone := b.additional(s, names, path, depth)
	for i := len(names) - 1; i >= 0; i-- {
		value := b.visit(values[i], path+"/properties/"+names[i], depth+1)
		pair := fmt.Sprintf(`%s %s ":" %s %s %s`, literal(quote(names[i])), space, space, value, space)
		first, next := pair+" "+behind, `"," `+space+" "+pair+" "+behind
		if !slices.Contains(required, names[i]) {
			first, next = first+" | "+alone, next+" | "+behind
		}
		alone, behind = b.fresh(first), b.fresh(next)
	}
	return b.fresh(`"{" ` + space + " " + alone + ` "}"`)
}

func (b *schemaBuilder) required(s node, path string) (names []string) {
	list, ok := s.get("required")
	if !ok {
		return nil
	}
	items, is := list.value.([]node)
	for _, item := range items {
		name, text := item.value.(string)
		is = is && text
		names = append(names, name)
	}
	if !is {
		panic(&SchemaError{path + "/required", "a list of names is expected"})
	}
	return names
}

// additional returns rules for the properties that are not named: behind others, and alone.
func (b *schemaBuilder) additional(s node, names []string, path string, depth int) (behind, alone string) {
	more, given := s.get("additionalProperties")
	allowed, isBool := more.value.(bool)
	switch {
	case given && isBool && !allowed, !given && len(names) > 0:
		empty := b.fresh(`""`)
		return empty, empty
	}
	value := b.primitive("value")
	if given && !isBool {
		value = b.visit(more, path+"/additionalProperties", depth+1)
	}
	b.primitive("char")
	space := b.space()
	pair := b.fresh(fmt.Sprintf(`"\"" %s %s ":" %s %s %s`, b.otherThan(names), space, space, value, space))
	behind = b.fresh(fmt.Sprintf(`( "," %s %s )*`, space, pair))
	return behind, b.fresh(fmt.Sprintf(`( %s %s )?`, pair, behind))
}

// otherThan is the rest of a string, with its closing quote, that is none of names: a trie of them,
// in which every other way out is allowed. Escapes, which could spell a name differently, are not.
func (b *schemaBuilder) otherThan(names []string) string {
	const plain = `"\\\x00-\x1F\x7F`
	var at func(rests []string) string
	at = func(rests []string) string {
		if len(rests) == 0 {
			return `[^` + plain + `]* "\""`
		}
		var first []rune
		next := map[rune][]string{}
		end := false
		for _, r := range rests {
			if r == "" {
				end = true
				continue
			}
			c := []rune(r)[0]
			if _, seen := next[c]; !seen {
				first = append(first, c)
			}
			next[c] = append(next[c], strings.TrimPrefix(r, string(c)))
		}
		not := plain
		var ways []string
		for _, c := range first {
			if c < 0x20 || c == '"' || c == '\\' || c == 0x7f {
				continue // cannot be written without an escape
			}
			not += set(c)
			ways = append(ways, fmt.Sprintf("[%s] %s", set(c), at(next[c])))
		}
		ways = append(ways, fmt.Sprintf(`[^%s] [^%s]* "\""`, not, plain))
		if !end {
			ways = append(ways, `"\""`)
		}
		return b.fresh(strings.Join(ways, " | "))
	}
	return at(names)
}

// set writes a character in a set of GBNF.
func set(c rune) string { return fmt.Sprintf(`\U%08X`, c) }
