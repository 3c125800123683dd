package llama

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A dynamic build has ggml's CPU back end in several variants, libggml-cpu-haswell.so and so on, each
// compiled for other instructions. ggml takes the best that the CPU says it can run. That is not
// enough: virtual machines advertise instructions, AMX above all, and end a process that uses them.
// So each variant first computes in a process of its own, and only one that came back with the right
// numbers is loaded. What came out is remembered, for as long as neither machine nor files change.

// Variant is what was found out about one variant of the CPU back end.
type Variant struct {
	Name  string `json:"name"`            // such as "haswell"
	Score int    `json:"score"`           // ggml's: 0 is for another CPU, else the higher the better
	Fault string `json:"fault,omitempty"` // why it must not be used, although the CPU says it could
	File  string `json:"file"`
	// untried: no process could be started to try it, which says nothing about it.
	untried bool
}

// plain are the variants that every CPU of their kind runs.
var plain = []string{"x64", "armv8.0_1"}

const (
	// proveVariable makes a process prove one variant and end (prove.go).
	proveVariable = "AIGW_PROVE_CPU_VARIANT"
	// proveTimeout is a hundred times what it takes; a process that hangs has proven nothing.
	proveTimeout = 20 * time.Second
)

// proof is what such a process prints.
type proof struct {
	Score int    `json:"score"`
	Fault string `json:"fault"`
}

var chosen struct {
	sync.Mutex
	variants []Variant
}

// Variants returns what was found out about the CPU variants, best first; the first without a fault
// is in use. It is empty before Init, and in static builds, which have one variant, linked in.
func Variants() []Variant {
	chosen.Lock()
	defer chosen.Unlock()
	return slices.Clone(chosen.variants)
}

// chooseVariants returns the files of the variants in dir that work, best first.
func chooseVariants(ctx context.Context, dir string, log *slog.Logger) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "libggml-cpu-*.so"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		// A build without variants has one back end.
		if one := filepath.Join(dir, "libggml-cpu.so"); fileExists(one) {
			return []string{one}, nil
		}
		return nil, fmt.Errorf("no CPU back end (libggml-cpu-*.so) in %s; name its folder with --backend-dir", dir)
	}
	memory := variantMemory(files)
	variants, known := memory.read()
	if !known {
		variants = proveAll(ctx, files)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(variants, func(v Variant) bool { return v.untried }) {
			memory.write(variants)
		}
	}
	works, err := usable(variants, dir, log)
	chosen.Lock()
	chosen.variants = variants
	chosen.Unlock()
	return works, err
}

// usable returns the files of the variants that may be loaded, best first. Where no process can be started
// at all (an emulator that cannot start another program, a limit on processes), that is the plain variant.
func usable(variants []Variant, dir string, log *slog.Logger) ([]string, error) {
	if !slices.ContainsFunc(variants, func(v Variant) bool { return !v.untried }) {
		for i, v := range variants {
			if slices.Contains(plain, v.Name) {
				log.Warn("no process can be started here to try CPU variants: the one that every CPU runs is used", "variant", v.Name, "reason", v.Fault)
				variants[i].Score, variants[i].Fault = 1, ""
				return []string{v.File}, nil
			}
		}
	}
	var works, faults []string
	for _, v := range variants {
		switch {
		case v.Fault != "":
			log.Warn("a CPU variant is not used: it failed its test on this machine", "variant", v.Name, "fault", v.Fault)
			faults = append(faults, v.Name+": "+v.Fault)
		case v.Score > 0:
			works = append(works, v.File)
		}
	}
	if len(works) > 0 {
		return works, nil
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("no CPU variant in %s works here (%s)", dir, strings.Join(faults, "; "))
	}
	return nil, fmt.Errorf("none of the CPU variants in %s is for this CPU; this program was built without a variant that every CPU runs (%s)", dir, strings.Join(plain, ", "))
}

func fileExists(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

// proveAll asks one process for each variant, one after the other: each computes for some milliseconds.
func proveAll(ctx context.Context, files []string) []Variant {
	var variants []Variant
	for _, file := range files {
		v := Variant{File: file, Name: strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "libggml-cpu-"), ".so")}
		p, err := prove(ctx, file)
		v.Score, v.Fault = p.Score, p.Fault
		if err != nil {
			v.Fault, v.untried = err.Error(), errors.Is(err, errNotStarted)
		}
		variants = append(variants, v)
	}
	// One that ended before it could say its score stands first: that it failed should be seen.
	slices.SortStableFunc(variants, func(a, b Variant) int {
		if failed := a.Fault != ""; failed != (b.Fault != "") {
			if failed {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.Score, a.Score)
	})
	return variants
}

// lastSignal returns how Go names the signal that ended a program, "SIGILL: illegal instruction", which is
// the first line of what it writes then; its exit status says nothing.
func lastSignal(stderr []byte) string {
	for line := range strings.Lines(string(stderr)) {
		if strings.HasPrefix(line, "SIG") {
			return ", " + strings.TrimSpace(line)
		}
	}
	return ""
}

// errNotStarted: a process in which a variant could be tried did not come about.
var errNotStarted = errors.New("no process to try it in")

// prove runs this program once more, to try one variant.
func prove(ctx context.Context, file string) (proof, error) {
	self, err := os.Executable()
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	ctx, cancel := context.WithTimeout(ctx, proveTimeout)
	defer cancel()
	child := exec.CommandContext(ctx, self)
	child.Env = append(os.Environ(), proveVariable+"="+file)
	out, err := child.Output()
	var p proof
	if child.ProcessState == nil && err != nil {
		return p, fmt.Errorf("%w: %w", errNotStarted, err)
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return p, fmt.Errorf("the process that tried it ended: %w%s", exit, lastSignal(exit.Stderr))
	}
	if err == nil {
		err = json.Unmarshal(out, &p)
	}
	return p, err
}

// memory is where the answer is kept: a file whose name stands for everything that it depends on.
type memory string

// variantMemory is empty where there is no place to keep anything, as in a read-only container.
func variantMemory(files []string) memory {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	sum := sha256.New()
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return ""
		}
		fmt.Fprintln(sum, file, info.Size(), info.ModTime().UnixNano())
	}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(cpu)) {
		// What changes from moment to moment, such as the clock rate, is no property of the machine.
		if name, _, _ := strings.Cut(line, ":"); slices.Contains([]string{"model name", "flags", "Features", "microcode", "stepping"}, strings.TrimSpace(name)) {
			fmt.Fprint(sum, line)
		}
	}
	return memory(filepath.Join(dir, "aigw", memoryPrefix+hex.EncodeToString(sum.Sum(nil)[:8])+".json"))
}

const (
	memoryPrefix = "cpu-variants-"
	// mostMemories is how many answers a folder keeps. Each new version of the program writes one, and a folder that
	// machines share has one for each of their CPUs. They are small: a kilobyte or two.
	mostMemories = 16
)

func (m memory) read() (variants []Variant, ok bool) {
	data, err := os.ReadFile(string(m))
	if m == "" || err != nil || json.Unmarshal(data, &variants) != nil {
		return nil, false
	}
	for _, v := range variants {
		if !fileExists(v.File) {
			return nil, false
		}
	}
	return variants, len(variants) > 0
}

// write keeps the answer where it can. Without it the next start takes a moment longer.
func (m memory) write(variants []Variant) {
	if m == "" {
		return
	}
	data, err := json.Marshal(variants)
	if err != nil || os.MkdirAll(filepath.Dir(string(m)), 0o755) != nil {
		return
	}
	part, err := os.CreateTemp(filepath.Dir(string(m)), ".cpu-variants-*")
	if err != nil {
		return
	}
	_, errWrite := part.Write(data)
	if errors.Join(errWrite, part.Close()) != nil || os.Rename(part.Name(), string(m)) != nil {
		_ = os.Remove(part.Name())
		return
	}
	m.forgetOthers()
}

// forgetOthers deletes the oldest answers beside this one where there are too many. One that is still needed is found
// out again.
func (m memory) forgetOthers() {
	others, err := filepath.Glob(filepath.Join(filepath.Dir(string(m)), memoryPrefix+"*.json"))
	if err != nil {
		return
	}
	written := map[string]time.Time{}
	others = slices.DeleteFunc(others, func(file string) bool {
		info, err := os.Lstat(file)
		if err == nil {
			written[file] = info.ModTime()
		}
		return err != nil || file == string(m)
	})
	slices.SortFunc(others, func(a, b string) int { return written[b].Compare(written[a]) })
	for _, file := range others[min(len(others), mostMemories-1):] {
		_ = os.Remove(file) // there is nobody to tell, and it is small
	}
}

// otherBackends are the plug-ins beside the CPU's, such as libggml-cuda.so.
func otherBackends(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "libggml-*.so"))
	return slices.DeleteFunc(files, func(file string) bool {
		name := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "libggml-"), ".so")
		return name == "base" || name == "cpu" || strings.HasPrefix(name, "cpu-")
	}), err
}
