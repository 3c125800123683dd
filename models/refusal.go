package models

import "fmt"

// Refusal says why a model file, or one use of it, is refused. Its text is one line.
type Refusal struct {
	File  string // path; may be empty
	Key   string // metadata key or tensor; may be empty
	Found string // what is wrong with it
	Do    string // what the operator can do
}

func (r *Refusal) Error() string {
	text := r.Found
	if r.Key != "" {
		text = r.Key + " " + text
	}
	if r.File != "" {
		text = r.File + ": " + text
	}
	if r.Do != "" {
		text += "; " + r.Do
	}
	return text
}

const (
	doConvertAgain = "convert the original model again with a current llama.cpp, or download another conversion"
	doUpdate       = "the model is newer than this engine: update aigw, or use another model"
)

// refusef makes a Refusal about key.
func refusef(key, do, format string, args ...any) *Refusal {
	return &Refusal{Key: key, Found: fmt.Sprintf(format, args...), Do: do}
}
