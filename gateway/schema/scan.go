package schema

// syntaxError is a place where the text stops being JSON.
type syntaxError struct {
	at   int    // byte offset in the text
	what string // Python's words for it
}

// Words of Python 3.11's json module.
const (
	expectingValue    = "Expecting value"
	expectingName     = "Expecting property name enclosed in double quotes"
	expectingColon    = "Expecting ':' delimiter"
	expectingComma    = "Expecting ',' delimiter"
	extraData         = "Extra data"
	unterminated      = "Unterminated string starting at"
	invalidControl    = "Invalid control character at"
	invalidEscape     = `Invalid \escape`
	invalidHexEscape  = `Invalid \uXXXX escape`
	maxDepth          = 900  // containers in one another; Python's recursion limit of 1000, less the frames in use
	maxIntegerDigits  = 4300 // digits that Python's int() reads, sys.get_int_max_str_digits
	containersPerWord = 64
)

// scanner checks a text against the grammar that Python's json module accepts, which is JSON and
// the words NaN, Infinity and -Infinity. It does not recurse: what is open is kept as one bit a
// level.
type scanner struct {
	text string
	pos  int
	// objects has a bit for each open container, set if it is an object.
	objects [maxDepth/containersPerWord + 1]uint64
	depth   int
	// unreadable is set when Python would give up without naming a place: nesting too deep, or
	// an integer too long.
	unreadable bool
}

// checkSyntax returns the span of the value in text, without the white space around it.
// If unreadable is true the answer is 400 without a place; otherwise a non-nil error names one.
func checkSyntax(text string) (value string, unreadable bool, err *syntaxError) {
	s := scanner{text: text}
	s.space()
	start := s.pos
	if err := s.document(); err != nil || s.unreadable {
		return "", s.unreadable, err
	}
	end := s.pos
	s.space()
	if s.pos < len(text) {
		return "", false, &syntaxError{s.pos, extraData}
	}
	return text[start:end], false, nil
}

// document reads one value with everything inside it.
func (s *scanner) document() *syntaxError {
	for {
		opened, err := s.value()
		if err != nil || s.unreadable {
			return err
		}
		if opened {
			continue
		}
		// A value has ended; close what it was the last member of.
		for {
			if s.depth == 0 {
				return nil
			}
			s.space()
			inObject := s.inObject()
			if c := s.peek(); c == '}' && inObject || c == ']' && !inObject {
				s.pos++
				s.depth--
				continue
			}
			if s.peek() != ',' {
				return &syntaxError{s.pos, expectingComma}
			}
			s.pos++
			s.space()
			if inObject {
				if err := s.name(); err != nil {
					return err
				}
			}
			break
		}
	}
}

// value reads a scalar or an empty container, or opens a container and stops where its first
// member's value is due.
func (s *scanner) value() (opened bool, err *syntaxError) {
	switch s.peek() {
	case '"':
		return false, s.str()
	case '{', '[':
		isObject := s.text[s.pos] == '{'
		if !s.open(isObject) {
			return false, nil
		}
		s.pos++
		s.space()
		if c := s.peek(); isObject && c == '}' || !isObject && c == ']' {
			s.pos++
			s.depth--
			return false, nil
		}
		if isObject {
			err = s.name()
		}
		return true, err
	case 'n':
		return false, s.word("null")
	case 't':
		return false, s.word("true")
	case 'f':
		return false, s.word("false")
	case 'N':
		return false, s.word("NaN")
	case 'I':
		return false, s.word("Infinity")
	case '-':
		if s.pos+1 < len(s.text) && s.text[s.pos+1] == 'I' {
			return false, s.word("-Infinity")
		}
	}
	return false, s.number()
}

// open notes a new container, or gives up.
func (s *scanner) open(isObject bool) bool {
	if s.depth == maxDepth {
		s.unreadable = true
		return false
	}
	word, bit := s.depth/containersPerWord, uint64(1)<<(s.depth%containersPerWord)
	if isObject {
		s.objects[word] |= bit
	} else {
		s.objects[word] &^= bit
	}
	s.depth++
	return true
}

func (s *scanner) inObject() bool {
	d := s.depth - 1
	return s.objects[d/containersPerWord]&(1<<(d%containersPerWord)) != 0
}

// name reads a member's name, the colon and the white space after it.
func (s *scanner) name() *syntaxError {
	if s.peek() != '"' {
		return &syntaxError{s.pos, expectingName}
	}
	if err := s.str(); err != nil {
		return err
	}
	s.space()
	if s.peek() != ':' {
		return &syntaxError{s.pos, expectingColon}
	}
	s.pos++
	s.space()
	return nil
}

// str reads a string that begins at pos.
func (s *scanner) str() *syntaxError {
	begin := s.pos
	for i := begin + 1; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			s.pos = i + 1
			return nil
		case c < 0x20:
			return &syntaxError{i, invalidControl}
		case c == '\\':
			i++
			if i == len(s.text) {
				return &syntaxError{begin, unterminated}
			}
			switch s.text[i] {
			case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			case 'u':
				// As in Python, the text must go on after the four digits.
				if i+5 >= len(s.text) {
					return &syntaxError{i, invalidHexEscape}
				}
				if _, ok := hex4(s.text[i+1:]); !ok {
					return &syntaxError{i, invalidHexEscape}
				}
				i += 4
			default:
				return &syntaxError{i - 1, invalidEscape}
			}
		}
	}
	return &syntaxError{begin, unterminated}
}

// hex4 reads four hexadecimal digits.
func hex4(text string) (rune, bool) {
	if len(text) < 4 {
		return 0, false
	}
	var r rune
	for i := range 4 {
		digit, ok := hexValue(text[i])
		if !ok {
			return 0, false
		}
		r = r<<4 | digit
	}
	return r, true
}

func hexValue(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

func (s *scanner) word(w string) *syntaxError {
	if len(s.text)-s.pos < len(w) || s.text[s.pos:s.pos+len(w)] != w {
		return &syntaxError{s.pos, expectingValue}
	}
	s.pos += len(w)
	return nil
}

// number reads as much of a number as there is, like Python: of "1.x" only the 1.
func (s *scanner) number() *syntaxError {
	start, t := s.pos, s.text
	i := start
	if i < len(t) && t[i] == '-' {
		i++
	}
	first := i
	switch {
	case i < len(t) && t[i] == '0':
		i++
	case i < len(t) && isDigit(t[i]):
		i = skipDigits(t, i)
	default:
		return &syntaxError{start, expectingValue}
	}
	integer := i
	if i+1 < len(t) && t[i] == '.' && isDigit(t[i+1]) {
		i = skipDigits(t, i+1)
	}
	if i < len(t) && (t[i] == 'e' || t[i] == 'E') {
		exponent := i + 1
		if exponent < len(t) && (t[exponent] == '+' || t[exponent] == '-') {
			exponent++
		}
		if exponent < len(t) && isDigit(t[exponent]) {
			i = skipDigits(t, exponent)
		}
	}
	if i == integer && integer-first > maxIntegerDigits {
		s.unreadable = true
	}
	s.pos = i
	return nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func skipDigits(t string, i int) int {
	for i < len(t) && isDigit(t[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func (s *scanner) space() {
	for s.pos < len(s.text) && isSpace(s.text[s.pos]) {
		s.pos++
	}
}

// peek returns the next byte, or 0 at the end; no rule of the grammar accepts a 0 byte.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}
