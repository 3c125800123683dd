package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/urfave/cli/v2"
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "say where the time of one request went, from the log",
		ArgsUsage: "REQUEST-ID",
		Description: "The id is in the answer's header X-Request-ID, and GitLab logs it as correlation_id. The log is the file of\n" +
			"AIGW_LOGGING__TO_FILE, or that of --log.\n\n" +
			"Examples:\n" +
			"  aigw explain 3f2a9c1d4b5e46f7a8b9c0d1e2f30415\n" +
			"  aigw explain 01JC0Z6V --log /var/log/aigw.log --json\n" +
			"  journalctl -u aigw -o cat | aigw explain 01JC0Z6V --log -",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "log", Usage: "`FILE` with the log, one JSON object a line; - is standard input", EnvVars: []string{"AIGW_LOGGING__TO_FILE"}, TakesFile: true},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       explainRequest,
	}
}

// accessLine is what of a request's log line is about time.
type accessLine struct {
	ID        string  `json:"correlation_id"`
	Logger    string  `json:"logger"`
	Path      string  `json:"path"`
	Status    int     `json:"status_code"`
	Arrived   string  `json:"request_arrived_at"`
	Whole     float64 `json:"duration_s"` // seconds, as all durations
	ToAnswer  float64 `json:"response_start_duration_s"`
	FromRails float64 `json:"duration_request"`
	Auth      float64 `json:"auth_duration_s"`
	Queue     float64 `json:"queue_duration_s"`
	Prefill   float64 `json:"prefill_duration_s"`
	Decode    float64 `json:"decode_duration_s"`
	Prompt    int     `json:"prompt_tokens"`
	Cached    int     `json:"cached_tokens"`
	Output    int     `json:"output_tokens"`
	Model     string  `json:"model_name"`
	End       string  `json:"generation_end"`
	Refused   string  `json:"refused"`
	AuthError string  `json:"auth_error_details"`
	Failure   string  `json:"model_exception_message"`
}

// part is a stretch of a request's time.
type part struct {
	Name    string  `json:"name"`
	Seconds float64 `json:"seconds"`
	About   string  `json:"about"`
}

func explainRequest(c *cli.Context) error {
	if c.NArg() != 1 {
		return usagef("one REQUEST-ID is expected after the flags; see aigw explain --help")
	}
	path, id := c.String("log"), c.Args().First()
	var in io.Reader = os.Stdin
	switch path {
	case "-":
	case "":
		return usagef("no log: name its file with --log FILE, or start the gateway with AIGW_LOGGING__TO_FILE")
	default:
		f, err := os.Open(path)
		if err != nil {
			return plainPathError(err)
		}
		defer f.Close()
		in = f
	}
	line, err := findAccess(in, id)
	if err != nil {
		return err
	}
	parts := line.parts()
	if c.Bool("json") {
		return printJSON(c.App.Writer, struct {
			Request accessLine `json:"request"`
			Parts   []part     `json:"parts"`
			Most    string     `json:"most"`
		}{line, parts, most(parts).Name})
	}
	w := c.App.Writer
	fmt.Fprintf(w, "%s  %s  status %d, %s in all\n", line.Arrived, line.Path, line.Status, seconds(line.Whole))
	for _, p := range parts {
		fmt.Fprintf(w, "  %-12s %10s  %s\n", p.Name, seconds(p.Seconds), p.About)
	}
	for _, reason := range []string{line.AuthError, line.Failure, line.Refused} {
		if reason != "" {
			fmt.Fprintf(w, "  not answered because: %s\n", reason)
		}
	}
	fmt.Fprintf(w, "most of it: %s\n", most(parts).Name)
	return nil
}

// maxLine bounds a line of the log, in bytes; the longest are those with bodies.
const maxLine = 4 << 20

// findAccess returns the last line of the request.
func findAccess(in io.Reader, id string) (accessLine, error) {
	var found accessLine
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l accessLine
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.ID == id && l.Logger == "api.access" {
			found = l
		}
	}
	if err := lines.Err(); err != nil {
		return found, fmt.Errorf("read the log: %w", err)
	}
	if found.ID == "" {
		return found, errors.New("the log has no line of the request " + id + "; was it rotated away, or is the log not JSON (AIGW_LOGGING__FORMAT_JSON)?")
	}
	return found, nil
}

// parts are in the order of time.
func (l accessLine) parts() []part {
	var out []part
	if l.FromRails > 0 {
		out = append(out, part{"on the way", l.FromRails, "from GitLab to here, as far as both clocks agree"})
	}
	out = append(out, part{"token", l.Auth, "checking who asks"})
	rest := l.Whole - l.Auth - l.Queue - l.Prefill - l.Decode
	if l.Prompt > 0 {
		out = append(out, part{"queue", l.Queue, "waiting for a turn: --parallel, --queue, a GPU, or fewer people"})
		out = append(out, part{"prompt", l.Prefill, fmt.Sprintf("%d tokens, %d of them reused", l.Prompt, l.Cached)})
		about := fmt.Sprintf("%d tokens", l.Output)
		if l.Decode > 0 && l.Output > 1 {
			about += fmt.Sprintf(", %.1f a second", float64(l.Output-1)/l.Decode)
		}
		if l.End != "" {
			about += ", ended by " + l.End
		}
		out = append(out, part{"answer", l.Decode, about})
	}
	return append(out, part{"the rest", max(0, rest), "reading the request, laying out the prompt, a client that reads slowly"})
}

func most(parts []part) part {
	best := parts[0]
	for _, p := range parts {
		if p.Seconds > best.Seconds {
			best = p
		}
	}
	return best
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Microsecond).String()
}
