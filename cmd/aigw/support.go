package main

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"aigw/cmd/aigw/doctor"
	"aigw/engine"

	"github.com/urfave/cli/v2"
)

func supportCommand() *cli.Command {
	return &cli.Command{
		Name:      "support",
		Usage:     "collect what a helper needs: settings, checks, metrics, log; no prompts, no keys",
		ArgsUsage: " ",
		Description: "It takes the flags of aigw run. Secrets are masked, log lines with bodies are left out; look at the file\n" +
			"before you hand it on.\n\n" +
			"Examples:\n" +
			"  aigw support -o aigw-support.tar.gz --config /etc/aigw/config.yaml\n" +
			"  aigw support -o aigw-support.tar.gz --url http://127.0.0.1:5052    # with a completion of the gateway that runs",
		Flags: append(runFlags(),
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FILE` to write, a compressed tar archive", TakesFile: true},
			&cli.StringFlag{Name: "url", Usage: "`URL` of a gateway that runs, to check"},
			&cli.BoolFlag{Name: "offline", Usage: "leave out what needs a connection to GitLab"},
		),
		OnUsageError: onUsageError,
		Action:       collectSupport,
	}
}

// maxSupportLog is how much of the end of the log goes into the archive, in bytes.
const maxSupportLog = 4 << 20

func collectSupport(c *cli.Context) error {
	path := c.String("output")
	if path == "" || c.Args().Present() {
		return usagef("name the file to write with -o FILE; see aigw support --help")
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return plainPathError(err)
	}
	zip := gzip.NewWriter(f)
	archive := tar.NewWriter(zip)
	for _, part := range []struct {
		name    string
		collect func(*cli.Context) ([]byte, error)
	}{
		{"version.json", supportVersion}, {"settings.json", supportSettings}, {"doctor.json", supportDoctor},
		{"metrics.txt", supportMetrics}, {"log.jsonl", supportLog}, {"machine.txt", supportMachine},
	} {
		content, failure := part.collect(c)
		name := part.name
		if failure != nil { // why something is missing is something to know
			name, content = name+".missing", []byte(failure.Error()+"\n")
		}
		if err := archive.WriteHeader(&tar.Header{Name: "aigw-support/" + name, Mode: 0o600, Size: int64(len(content)), ModTime: time.Now()}); err != nil {
			return err
		}
		if _, err := archive.Write(content); err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%-24s %d bytes\n", name, len(content))
	}
	return errors.Join(archive.Close(), zip.Close(), f.Close())
}

func supportVersion(*cli.Context) ([]byte, error) {
	info, err := engine.About()
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(map[string]any{"version": version, "engine": info}, "", "  ")
}

func supportSettings(c *cli.Context) ([]byte, error) {
	return json.MarshalIndent(map[string]any{"settings": allSettings(c), "warnings": set.Load().Unknown}, "", "  ")
}

// supportDoctor makes the checks that load no model.
func supportDoctor(c *cli.Context) ([]byte, error) {
	list := checks(c)
	if c.String("url") == "" {
		list = slices.DeleteFunc(list, func(k doctor.Check) bool {
			return slices.Contains([]string{"load", "sample-token", "completion"}, k.Name)
		})
	}
	var b bytes.Buffer
	err := doctor.PrintJSON(&b, doctor.Run(c.Context, list, func(doctor.Result) {}))
	return b.Bytes(), err
}

func supportMetrics(c *cli.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(c.Context, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+metricsAddress(c)+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	answer, err := doctorClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	return io.ReadAll(io.LimitReader(answer.Body, maxSupportLog))
}

// supportLog is the end of the log, without lines that hold bodies of requests.
func supportLog(*cli.Context) ([]byte, error) {
	path := textEnv("AIGW_LOGGING__TO_FILE", "")
	if path == "" {
		return nil, errors.New("AIGW_LOGGING__TO_FILE is not set; journalctl -u aigw has the log where systemd runs the program")
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > maxSupportLog {
		if _, err := f.Seek(-maxSupportLog, io.SeekEnd); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		var l struct {
			Logger string `json:"logger"`
		}
		if json.Unmarshal(lines.Bytes(), &l) == nil && l.Logger != "api.payload" { // half a line at the beginning is left out
			out.Write(lines.Bytes())
			out.WriteByte('\n')
		}
	}
	return out.Bytes(), lines.Err()
}

// supportMachine is what the kernel says about memory and processors.
func supportMachine(*cli.Context) ([]byte, error) {
	var out bytes.Buffer
	for _, name := range []string{"/proc/meminfo", "/proc/loadavg", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/cpu.max", "/etc/os-release"} {
		text, err := os.ReadFile(name)
		if err != nil {
			text = []byte(err.Error() + "\n")
		}
		fmt.Fprintf(&out, "== %s\n%s\n", name, text)
	}
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		text = []byte(err.Error())
	}
	first, _, _ := strings.Cut(string(text), "\n\n")
	fmt.Fprintf(&out, "== /proc/cpuinfo, the first of %d\n%s\n", strings.Count(string(text), "processor\t"), first)
	return out.Bytes(), nil
}
