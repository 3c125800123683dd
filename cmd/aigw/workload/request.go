package workload

import (
	"fmt"
	"strings"
)

// Request is what a person asks for, in GitLab's words (sections 4, 5 and 8 of the wire contract).
type Request struct {
	Class    Class
	Path     string
	Body     any
	Streamed bool // the answer is text as it comes; otherwise one JSON object
}

type object = map[string]any

// completion is the code at the cursor. GitLab waits for the whole of it.
func completion(class Class, name string, s Session, above, below string) Request {
	return Request{Class: class, Path: "/v2/code/completions", Body: object{
		"prompt_version": 1, "stream": false, "project_path": "bench/" + name, "project_id": 0, "telemetry": []any{},
		"current_file": currentFile(s, above, below),
	}}
}

// generation is code that the end of a file asks for.
func generation(name string, s Session, above, below string) Request {
	return Request{Class: OfGeneration, Path: "/v2/code/generations", Streamed: true, Body: object{
		"prompt_version": 1, "stream": true, "project_path": "bench/" + name, "project_id": 0, "telemetry": []any{},
		"current_file": currentFile(s, above, below),
	}}
}

func currentFile(s Session, above, below string) object {
	return object{"file_name": s.File, "language_identifier": s.Language, "content_above_cursor": above, "content_below_cursor": below}
}

type message struct {
	Role    string `json:"role"`
	Content string `json:"content"`
}

func chat(messages []message, tokens int) Request {
	return Request{Class: OfChat, Path: "/v1/chat/agent", Streamed: true, Body: object{
		"stream": true, "prompt_components": []any{object{
			"type": "prompt", "metadata": object{"source": "aigw bench", "version": "17.8.0-ee"},
			"payload": object{"content": messages, "params": object{"max_tokens_to_sample": tokens}},
		}},
	}}
}

// Probe is a small request of a kind, to find out whether a gateway answers it at all.
func Probe(k Kind) Request {
	s := Session{File: "hello.go", Language: "go"}
	switch k {
	case Generation:
		return generation("probe", s, "package hello\n\n// Add returns the sum of two numbers.\n", "")
	case Chat:
		return chat([]message{{"user", "Say hello."}}, 4)
	}
	return completion(Completion, "probe", s, "package hello\n\nfunc add(a, b int) int {\n\treturn ", "\n}\n")
}

// pasted is code that has nothing in common with another paste.
func pasted(name string, functions int) string {
	var b strings.Builder
	for i := range functions {
		fmt.Fprintf(&b, "func %s%d(queue []Job, limit int) (done int, err error) {\n\tfor _, job := range queue {\n"+
			"\t\tif job.Priority < %d || done == limit {\n\t\t\tcontinue\n\t\t}\n\t\tdone += job.Run(%d)\n\t}\n\treturn done, err\n}\n\n", name, i, (i*37)%101, (i*53)%97)
	}
	return b.String()
}
