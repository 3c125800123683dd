package schema

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// IntKind reads integers. The methods set limits while the schema is built.
type IntKind struct {
	min, max       int
	hasMin, hasMax bool
}

// Int accepts integers, floats without a fraction, true and false (1 and 0), and strings that
// pydantic reads as an integer, such as " +1_000.0 ". An integer has no size limit there; here
// one beyond int64 becomes the nearest int64.
func Int() IntKind { return IntKind{} }

// AtLeast demands n or more.
func (k IntKind) AtLeast(n int) IntKind { k.min, k.hasMin = n, true; return k }

// AtMost demands n or less.
func (k IntKind) AtMost(n int) IntKind { k.max, k.hasMax = n, true; return k }

func (k IntKind) read(c *checker, v Value) (int64, bool) {
	n, ok := k.unlimited(c, v)
	if !ok {
		return 0, false
	}
	// pydantic-core checks the upper limit first.
	if k.hasMax && n > int64(k.max) {
		c.fail(v, "less_than_equal", fmt.Sprintf("Input should be less than or equal to %d", k.max), Detail{"le", k.max})
		return 0, false
	}
	if k.hasMin && n < int64(k.min) {
		c.fail(v, "greater_than_equal", fmt.Sprintf("Input should be greater than or equal to %d", k.min), Detail{"ge", k.min})
		return 0, false
	}
	return n, true
}

const intTooLong = "Unable to parse input string as an integer, exceeded maximum size"

func (k IntKind) unlimited(c *checker, v Value) (int64, bool) {
	switch v.kind() {
	case boolean:
		if v.raw == "true" {
			return 1, true
		}
		return 0, true
	case integer:
		return saturated(v.raw), true
	case float:
		f := v.float()
		switch {
		case math.IsNaN(f) || math.IsInf(f, 0):
			c.fail(v, "finite_number", "Input should be a finite number")
		case f != math.Trunc(f):
			c.fail(v, "int_from_float", "Input should be a valid integer, got a number with a fractional part")
		case !fitsInt64(f):
			c.fail(v, "int_parsing_size", intTooLong)
		default:
			return int64(f), true
		}
		return 0, false
	case text:
		s, ok := c.unicode(v)
		if !ok {
			return 0, false
		}
		digits, ok := integerText(s)
		switch {
		case !ok:
			c.fail(v, "int_parsing", "Input should be a valid integer, unable to parse string as an integer")
		case len(digits) > maxIntegerDigits: // the sign counts here
			c.fail(v, "int_parsing_size", intTooLong)
		default:
			return saturated(digits), true
		}
		return 0, false
	}
	c.fail(v, "int_type", "Input should be a valid integer")
	return 0, false
}

// fitsInt64 has pydantic-core's open limits; MaxInt64 rounds up to 2^63.
func fitsInt64(f float64) bool { return f > math.MinInt64 && f < math.MaxInt64 }

// smallInteger returns the value of a number that is a 64-bit integer.
func smallInteger(v Value) (int64, bool) {
	if v.kind() == integer {
		n, err := strconv.ParseInt(v.raw, 10, 64)
		return n, err == nil
	}
	f := v.float()
	return int64(f), f == math.Trunc(f) && fitsInt64(f)
}

// saturated reads a decimal integer. ParseInt returns the nearest int64 when out of range.
func saturated(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64)
	return n
}

// integerText brings a string that pydantic-core 2.27 takes for an integer to the form of a JSON
// integer. It drops, in this order: white space around, a plus sign, zeros and underscores before the first
// other digit, a fraction of zeros, and single underscores between digits. (Its loop over leading
// zeros stops at a minus sign too, so that "0-1" is -1. The testdata has such cases.)
func integerText(s string) (string, bool) {
	s = strings.TrimSpace(s)
	sign := ""
	switch {
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	case strings.HasPrefix(s, "-"):
		sign, s = "-", s[1:]
	}
	if s == "" || !isDigit(s[0]) {
		return "", false
	}
	if s[0] == '0' {
		rest := strings.TrimLeft(s, "0_")
		switch {
		case rest == "":
			s = s[len(s)-1:]
		case rest[0] == '.':
			s = s[len(s)-len(rest)-1:]
		default:
			s = rest
		}
	}
	if whole, fraction, ok := strings.Cut(s, "."); ok && fraction != "" && strings.Trim(fraction, "0") == "" {
		s = whole
	}
	s = sign + withoutUnderscores(s)
	digits := strings.TrimPrefix(s, "-")
	if digits == "" || skipDigits(digits, 0) < len(digits) || digits[0] == '0' && len(digits) > 1 {
		return "", false
	}
	return s, true
}

// withoutUnderscores drops single underscores; it leaves a string alone that begins or ends with
// one, or has two in a row.
func withoutUnderscores(s string) string {
	if strings.HasPrefix(s, "_") || strings.HasSuffix(s, "_") || strings.Contains(s, "__") {
		return s
	}
	return strings.ReplaceAll(s, "_", "")
}

// FloatKind reads numbers. The methods set limits while the schema is built.
type FloatKind struct {
	min, max       float64
	hasMin, hasMax bool
}

// Float accepts numbers, true and false (1 and 0), and strings that pydantic reads as a number.
// NaN and Infinity are numbers unless a limit excludes them.
func Float() FloatKind { return FloatKind{} }

// AtLeast demands f or more.
func (k FloatKind) AtLeast(f float64) FloatKind { k.min, k.hasMin = f, true; return k }

// AtMost demands f or less.
func (k FloatKind) AtMost(f float64) FloatKind { k.max, k.hasMax = f, true; return k }

func (k FloatKind) read(c *checker, v Value) (float64, bool) {
	f, ok := k.unlimited(c, v)
	if !ok {
		return 0, false
	}
	// Written so that NaN is outside every limit.
	if k.hasMax && !(f <= k.max) {
		c.fail(v, "less_than_equal", "Input should be less than or equal to "+limitText(k.max), Detail{"le", k.max})
		return 0, false
	}
	if k.hasMin && !(f >= k.min) {
		c.fail(v, "greater_than_equal", "Input should be greater than or equal to "+limitText(k.min), Detail{"ge", k.min})
		return 0, false
	}
	return f, true
}

func (k FloatKind) unlimited(c *checker, v Value) (float64, bool) {
	switch v.kind() {
	case boolean:
		if v.raw == "true" {
			return 1, true
		}
		return 0, true
	case integer, float:
		return v.float(), true
	case text:
		s, ok := c.unicode(v)
		if !ok {
			return 0, false
		}
		if f, ok := floatText(s); ok {
			return f, true
		}
		c.fail(v, "float_parsing", "Input should be a valid number, unable to parse string as a number")
		return 0, false
	}
	c.fail(v, "float_type", "Input should be a valid number")
	return 0, false
}

// limitText returns a limit as messages have it: 1, not 1.0.
func limitText(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// floatText reads a string as pydantic-core 2.27 does: white space around is allowed, or single
// underscores inside, but not both.
func floatText(s string) (float64, bool) {
	for _, candidate := range []string{strings.TrimSpace(s), withoutUnderscores(s)} {
		if unsigned := strings.TrimLeft(candidate, "+-"); len(candidate)-len(unsigned) <= 1 && strings.EqualFold(unsigned, "nan") {
			return math.NaN(), true
		}
		// Go also reads hexadecimal floats and, in some places, underscores; Rust does not.
		if !strings.ContainsAny(candidate, "_xXpP") {
			if f, err := strconv.ParseFloat(candidate, 64); err == nil || math.IsInf(f, 0) {
				return f, true
			}
		}
	}
	return 0, false
}
