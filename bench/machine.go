package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine is where figures were taken. They mean little elsewhere.
type machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"` // that this process may use
	Memory string `json:"memory"`
	OS     string `json:"os"`
	Load   string `json:"load_average"` // of 1, 5 and 15 minutes, at the start
	// Busy is the share of all cores' time that others used, in the second before the start. The
	// load average still remembers the build that came before; this does not.
	Busy float64 `json:"busy"`
}

// maxBusy is the share of the machine's time above which a warning is printed.
const maxBusy = 0.05

// look describes this machine. It takes a second. What cannot be found out is said to be unknown.
func look(ctx context.Context) machine {
	m := machine{
		CPU: "unknown", Cores: runtime.NumCPU(), Memory: "unknown",
		OS: runtime.GOOS + "/" + runtime.GOARCH, Load: "unknown",
	}
	if name := fieldOf("/proc/cpuinfo", "model name"); name != "" {
		m.CPU = name
	}
	if total := fieldOf("/proc/meminfo", "MemTotal"); total != "" {
		m.Memory = total
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += ", kernel " + strings.TrimSpace(string(release))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		if fields := strings.Fields(string(load)); len(fields) >= 3 {
			m.Load = strings.Join(fields[:3], " ")
		}
	}
	before := readCPUTimes()
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	m.Busy = readCPUTimes().since(before).busy()
	return m
}

// warning is empty on a quiet machine.
func (m machine) warning() string {
	if m.Busy <= maxBusy {
		return ""
	}
	return fmt.Sprintf("the machine is busy with something else (%.0f %% of its cores' time); figures taken now are not worth keeping", 100*m.Busy)
}

// fieldOf finds the first line "name : value" of a file in /proc.
func fieldOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	return firstField(f, name)
}

func firstField(text io.Reader, name string) string {
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		key, value, found := strings.Cut(lines.Text(), ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// cpuTimes are the counters of all cores together in /proc/stat, in ticks (proc_stat(5)).
type cpuTimes struct {
	total, idle uint64
	steal       uint64 // taken by the hypervisor for somebody else
}

func readCPUTimes() cpuTimes {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return cpuTimes{}
	}
	return parseCPUTimes(string(text))
}

// parseCPUTimes reads the line "cpu user nice system idle iowait irq softirq steal ...". guest
// times, which follow, are part of user and nice. Anything else yields zeros.
func parseCPUTimes(stat string) cpuTimes {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return cpuTimes{}
	}
	var ticks [8]uint64
	var total uint64
	for i := range ticks {
		n, err := strconv.ParseUint(fields[i+1], 10, 64)
		if err != nil {
			return cpuTimes{}
		}
		ticks[i] = n
		total += n
	}
	return cpuTimes{total: total, idle: ticks[3] + ticks[4], steal: ticks[7]}
}

// since is what has been counted since earlier.
func (t cpuTimes) since(earlier cpuTimes) cpuTimes {
	return cpuTimes{t.total - earlier.total, t.idle - earlier.idle, t.steal - earlier.steal}
}

func (t cpuTimes) busy() float64 { return t.share(t.total - t.idle) }

func (t cpuTimes) stolen() float64 { return t.share(t.steal) }

func (t cpuTimes) share(part uint64) float64 {
	if t.total == 0 {
		return 0
	}
	return float64(part) / float64(t.total)
}
