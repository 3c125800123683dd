package grammar

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp/syntax"
	"strconv"
	"strings"
)

// formats are those of RFC 3339 and RFC 9562 that a grammar can tell.
var formats = map[string]string{
	"date":      dateForm,
	"time":      timeForm,
	"date-time": dateForm + ` "T" ` + timeForm,
	"uuid":      `[0-9a-fA-F]{8} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{4} "-" [0-9a-fA-F]{12}`,
}

const (
	dateForm = `[0-9]{4} "-" ( "0" [1-9] | "1" [0-2] ) "-" ( "0" [1-9] | [12] [0-9] | "3" [01] )`
	timeForm = `( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] ":" [0-5] [0-9] ( "." [0-9]{1,9} )? ( "Z" | [-+] ( [01] [0-9] | "2" [0-3] ) ":" [0-5] [0-9] )`
)

func (b *schemaBuilder) text(s node, path string) string {
	if pattern, ok := s.get("pattern"); ok {
		expression, is := pattern.value.(string)
		if !is {
			panic(&SchemaError{path + "/pattern", "a text is expected"})
		}
		return b.fresh(`"\"" ` + b.pattern(expression, path+"/pattern") + ` "\""`)
	}
	if format, ok := s.get("format"); ok {
		name, _ := format.value.(string)
		if form, known := formats[name]; known {
			return b.fresh(`"\"" ` + form + ` "\""`)
		}
	}
	least, most := b.limit(s, "minLength", path), b.limit(s, "maxLength", path)
	if least <= 0 && most < 0 {
		return b.primitive("string")
	}
	return b.fresh(`"\"" ` + b.primitive("char") + times(least, most, path+"/minLength") + ` "\""`)
}

// pattern turns a regular expression, of the syntax that Go's package regexp and JSON schemas share,
// into an expression over the characters of a JSON string.
func (b *schemaBuilder) pattern(expression, path string) string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		panic(&SchemaError{path, err.Error()})
	}
	re = re.Simplify()
	parts := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		parts = re.Sub
	}
	open, end := true, true // may there be anything in front and behind?
	if n := len(parts); n > 0 && parts[0].Op == syntax.OpBeginText {
		open, parts = false, parts[1:]
	}
	if n := len(parts); n > 0 && parts[n-1].Op == syntax.OpEndText {
		end, parts = false, parts[:n-1]
	}
	var out []string
	if open {
		out = append(out, b.primitive("char")+"*")
	}
	for _, part := range parts {
		out = append(out, b.regexp(part, path, 0))
	}
	if end {
		out = append(out, b.primitive("char")+"*")
	}
	return strings.Join(out, " ")
}

func (b *schemaBuilder) regexp(re *syntax.Regexp, path string, depth int) string {
	if depth > maxSchemaDepth {
		panic(&SchemaError{path, "nested too deep"})
	}
	subs := func(separator string) string {
		parts := make([]string, len(re.Sub))
		for i, s := range re.Sub {
			parts[i] = b.regexp(s, path, depth+1)
		}
		return b.fresh(strings.Join(parts, separator))
	}
	switch re.Op {
	case syntax.OpEmptyMatch:
		return b.fresh(`""`)
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			panic(&SchemaError{path, "ignoring case is not supported"})
		}
		var parts []string
		for _, r := range re.Rune {
			parts = append(parts, inString([]rune{r, r}))
		}
		return b.fresh(strings.Join(parts, " "))
	case syntax.OpCharClass:
		return inString(re.Rune)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return inString([]rune{0, '\n' - 1, '\n' + 1, math.MaxInt32})
	case syntax.OpConcat:
		return subs(" ")
	case syntax.OpAlternate:
		return subs(" | ")
	case syntax.OpCapture:
		return b.regexp(re.Sub[0], path, depth+1)
	case syntax.OpStar:
		return b.fresh(subs("") + "*")
	case syntax.OpPlus:
		return b.fresh(subs("") + "+")
	case syntax.OpQuest:
		return b.fresh(subs("") + "?")
	}
	panic(&SchemaError{path, fmt.Sprintf("%q is not supported here", re.String())})
}

// inString writes a class of characters, as pairs of first and last, as they stand in a JSON string:
// some only behind a backslash.
func inString(pairs []rune) string {
	var plain string
	var ways []string
	for i := 0; i < len(pairs); i += 2 {
		for lo, hi := pairs[i], min(pairs[i+1], 0x10FFFF); lo <= hi; {
			next := hi + 1
			switch {
			case lo < 0x20:
				next = min(0x20, hi+1)
				for c := lo; c < next; c++ {
					if at := strings.IndexRune("\b\f\n\r\t", c); at >= 0 {
						ways = append(ways, fmt.Sprintf(`"\\%c"`, "bfnrt"[at]))
					}
				}
			case lo == '"' || lo == '\\':
				next = lo + 1
				ways = append(ways, fmt.Sprintf(`"\\\%c"`, lo))
			case lo == 0x7F || lo >= 0xD800 && lo < 0xE000:
				next = lo + 1
			default:
				for _, stop := range []rune{'"', '\\', 0x7F, 0xD800} {
					if lo < stop {
						next = min(next, stop)
					}
				}
				plain += set(lo)
				if next-1 > lo {
					plain += "-" + set(next-1)
				}
			}
			lo = next
		}
	}
	if plain != "" {
		ways = append(ways, "["+plain+"]")
	}
	if len(ways) == 0 {
		panic(&SchemaError{"", "a pattern asks for characters that JSON cannot hold"})
	}
	if len(ways) == 1 {
		return ways[0]
	}
	return "( " + strings.Join(ways, " | ") + " )"
}

// maxBound is the largest bound of an integer that is kept: what a float holds exactly.
const maxBound = 1 << 53

func (b *schemaBuilder) integer(s node, path string) string {
	bound := func(name string, up bool, by int64) (*big.Int, bool) {
		v, ok := s.get(name)
		number, is := v.value.(json.Number)
		if !ok {
			return nil, false
		}
		f, err := strconv.ParseFloat(string(number), 64)
		if !is || err != nil || math.Abs(f) > maxBound {
			panic(&SchemaError{path + "/" + name, "a number of at most 2^53 is expected"})
		}
		whole := math.Floor(f)
		if up {
			whole = math.Ceil(f)
		}
		if whole != f { // 1.5 < x is 2 <= x already
			by = 0
		}
		return big.NewInt(int64(whole) + by), true
	}
	low, hasLow := bound("minimum", true, 0)
	if x, ok := bound("exclusiveMinimum", true, 1); ok && (!hasLow || x.Cmp(low) > 0) {
		low, hasLow = x, true
	}
	high, hasHigh := bound("maximum", false, 0)
	if x, ok := bound("exclusiveMaximum", false, -1); ok && (!hasHigh || x.Cmp(high) < 0) {
		high, hasHigh = x, true
	}
	if !hasLow && !hasHigh {
		return b.primitive("integer")
	}
	lo, hi := int64(-maxBound), int64(maxBound)
	if hasLow {
		lo = low.Int64()
	}
	if hasHigh {
		hi = high.Int64()
	}
	if lo > hi {
		panic(&SchemaError{path, "no integer is within the bounds"})
	}
	return b.fresh(strings.Join(between(lo, hi), " | "))
}

// between writes the integers from lo to hi as alternatives.
func between(lo, hi int64) (ways []string) {
	if lo < 0 {
		for _, w := range positive(max(1, -min(hi, -1)), -lo) {
			ways = append(ways, `"-" `+w)
		}
	}
	if lo <= 0 && hi >= 0 {
		ways = append(ways, `"0"`)
	}
	if hi > 0 {
		ways = append(ways, positive(max(lo, 1), hi)...)
	}
	return ways
}

// positive writes the numbers from lo to hi, both above 0, by their number of digits.
func positive(lo, hi int64) (ways []string) {
	for lo <= hi {
		last := int64(9) // the largest with as many digits as lo
		for last < lo {
			last = last*10 + 9
		}
		last = min(last, hi)
		ways = append(ways, digits(strconv.FormatInt(lo, 10), strconv.FormatInt(last, 10))...)
		lo = last + 1
	}
	return ways
}

// digits writes the numbers from a to b, of equally many digits.
func digits(a, b string) []string {
	if a == "" {
		return []string{`""`}
	}
	n := len(a) - 1
	rest := ""
	if n > 0 {
		rest = fmt.Sprintf(" [0-9]{%d}", n)
	}
	if a[1:] == strings.Repeat("0", n) && b[1:] == strings.Repeat("9", n) {
		return []string{fmt.Sprintf("[%c-%c]%s", a[0], b[0], rest)}
	}
	if a[0] == b[0] {
		return prefixed(a[0], digits(a[1:], b[1:]))
	}
	ways := prefixed(a[0], digits(a[1:], strings.Repeat("9", n)))
	if a[0]+1 < b[0] {
		ways = append(ways, fmt.Sprintf("[%c-%c]%s", a[0]+1, b[0]-1, rest))
	}
	return append(ways, prefixed(b[0], digits(strings.Repeat("0", n), b[1:]))...)
}

func prefixed(digit byte, ways []string) []string {
	out := make([]string, len(ways))
	for i, w := range ways {
		out[i] = fmt.Sprintf(`"%c" %s`, digit, w)
	}
	return out
}
