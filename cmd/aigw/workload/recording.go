// Package workload plays a recorded mix of people against a gateway, and says how many of them it serves within
// stated objectives.
//
// A recording holds sessions: keystrokes in a file with the time between them, wishes for code, conversations. A person
// plays one of them, again and again, and asks as GitLab and its editor extensions ask: after a keystroke that was not
// followed by another for some time; the question before is given up then. A crowd is so many persons at once.
package workload

import (
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed recorded.yaml
var recorded string

// Kind says what a session consists of.
type Kind string

const (
	Typing     Kind = "typing"     // keystrokes in a file
	Generation Kind = "generation" // code that is asked for in words
	Chat       Kind = "chat"       // a conversation
)

// Recording holds what people do, and mixes of them.
type Recording struct {
	Mixes    map[string]Mix     `yaml:"mixes"`
	Sessions map[string]Session `yaml:"sessions"`
}

// Mix is who there is. The first person plays the first session, and so on; more people begin with the first again.
type Mix struct {
	About  string   `yaml:"about"`
	People []string `yaml:"people"` // names of sessions
}

// Session is what one person does.
type Session struct {
	Kind     Kind   `yaml:"kind"`
	File     string `yaml:"file"`
	Language string `yaml:"language"` // as editors name it
	Above    string `yaml:"above"`    // the cursor, before the first keystroke
	Below    string `yaml:"below"`

	Debounce int     `yaml:"debounce_ms"` // without a keystroke, after which the editor asks
	Rhythm   []int   `yaml:"rhythm_ms"`   // between two keystrokes of a burst, over and over
	Bursts   []Burst `yaml:"bursts"`

	System string `yaml:"system"`
	Tokens int    `yaml:"answer_tokens"` // most of an answer in a conversation
	Asks   []Ask  `yaml:"asks"`
}

// Burst is text that is typed without a pause, after one.
type Burst struct {
	Pause int    `yaml:"pause_ms"`
	Text  string `yaml:"text"`
}

// Ask is a wish for code, or a message of a conversation.
type Ask struct {
	Pause int    `yaml:"pause_ms"` // reading the answer before
	Text  string `yaml:"text"`
	Paste int    `yaml:"paste_functions"` // as many functions of about 60 tokens each are pasted behind the text
}

// Name stands in texts of a recording for a word that is another one for each person and each time that a session is
// played, so that nothing is found in a cache that would not be there at work.
const Name = "@NAME@"

// mostRecording bounds the file of a recording, in bytes.
const mostRecording = 4 << 20

// Recorded is the recording that comes with the program.
func Recorded() (*Recording, error) {
	return parse(strings.NewReader(recorded), "the program's recording")
}

// Open reads a recording from a file.
func Open(path string) (*Recording, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parse(io.LimitReader(f, mostRecording), path)
}

func parse(in io.Reader, from string) (*Recording, error) {
	var r Recording
	d := yaml.NewDecoder(in)
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		return nil, fmt.Errorf("%s is no recording: %w", from, err)
	}
	if err := r.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	return &r, nil
}

func (r *Recording) check() error {
	if len(r.Mixes) == 0 {
		return errors.New("there is no mix in it")
	}
	for name, m := range r.Mixes {
		if len(m.People) == 0 {
			return fmt.Errorf("nobody is in mix %q", name)
		}
		for _, p := range m.People {
			if _, ok := r.Sessions[p]; !ok {
				return fmt.Errorf("mix %q has a session %q, which is not described", name, p)
			}
		}
	}
	for name, s := range r.Sessions {
		if err := s.check(); err != nil {
			return fmt.Errorf("session %q: %w", name, err)
		}
	}
	return nil
}

// mostPaste bounds a paste to what no gateway refuses as too large a body.
const mostPaste = 2000

func (s Session) check() error {
	switch s.Kind {
	case Typing:
		return s.checkTyping()
	case Generation, Chat:
		if len(s.Asks) == 0 {
			return errors.New("there are no asks")
		}
		for i, a := range s.Asks {
			if a.Text == "" || a.Pause < 0 || a.Paste < 0 || a.Paste > mostPaste {
				return fmt.Errorf("ask %d: a text, a pause of 0 ms or more, and at most %d functions to paste are expected", i+1, mostPaste)
			}
		}
		if s.Kind == Chat && s.Tokens < 1 {
			return errors.New("answer_tokens has to be 1 or more")
		}
		return nil
	}
	return fmt.Errorf("kind %q: typing, generation or chat are possible", s.Kind)
}

func (s Session) checkTyping() error {
	if s.Debounce < 0 || len(s.Rhythm) == 0 || len(s.Bursts) == 0 || s.File == "" {
		return errors.New("file, debounce_ms, rhythm_ms and bursts are needed")
	}
	if slices.Min(s.Rhythm) < 1 {
		return errors.New("times between keystrokes are 1 ms and more")
	}
	pauses := 0
	for i, b := range s.Bursts {
		if b.Text == "" || b.Pause < 0 {
			return fmt.Errorf("burst %d: a text and a pause of 0 ms or more are expected", i+1)
		}
		pauses += b.Pause
	}
	if pauses < s.Debounce {
		return errors.New("no pause is long enough for a question")
	}
	return nil
}

// Mix returns a mix by its name.
func (r *Recording) Mix(name string) (Mix, error) {
	m, ok := r.Mixes[name]
	if !ok {
		return m, fmt.Errorf("there is no mix %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(r.Mixes)), ", "))
	}
	return m, nil
}

// Kinds are those of the first people of a mix, each once.
func (r *Recording) Kinds(m Mix, people int) []Kind {
	var out []Kind
	for i := range min(people, len(m.People)) {
		if k := r.Sessions[m.People[i]].Kind; !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

// Who says what the first people of a mix do.
func (r *Recording) Who(m Mix, people int) string {
	doing := map[Kind]int{}
	for i := range people {
		doing[r.Sessions[m.People[i%len(m.People)]].Kind]++
	}
	var parts []string
	for _, k := range []struct {
		kind      Kind
		one, more string
	}{{Typing, "types", "type"}, {Generation, "asks for code", "ask for code"}, {Chat, "chats", "chat"}} {
		switch n := doing[k.kind]; n {
		case 0:
		case 1:
			parts = append(parts, "1 "+k.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, k.more))
		}
	}
	return strings.Join(parts, ", ")
}

func milliseconds(n int) time.Duration { return time.Duration(n) * time.Millisecond }
