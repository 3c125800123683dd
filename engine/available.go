package engine

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// AvailableMemory is the main memory that this process may still take.
type AvailableMemory struct {
	Bytes  uint64
	Source string // what sets the limit, for people
}

// Available reads how much main memory is there: what the kernel could give without swapping
// (proc(5), MemAvailable), or what the nearest limit of a control group leaves, which is what a
// container or a systemd unit was given.
func Available() (AvailableMemory, error) { return availableIn("/") }

// availableIn is Available for a file system at root.
func availableIn(root string) (AvailableMemory, error) {
	info, err := readFields(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return AvailableMemory{}, fmt.Errorf("read available memory: %w", err)
	}
	least := AvailableMemory{info["MemAvailable:"] << 10, "free on this machine"} // in KiB
	for _, g := range controlGroups(root) {
		if left, limit, ok := g.left(); ok && left < least.Bytes {
			least = AvailableMemory{left, fmt.Sprintf("left of this control group's limit of %d MiB", limit>>20)}
		}
	}
	return least, nil
}

// controlGroup is a folder with the numbers of a group.
type controlGroup struct {
	dir                 string
	limit, usage, cache string // names of its files, and of the cache in memory.stat
}

// controlGroups lists the groups of this process, from its own up to the root, for both versions of
// the interface (cgroups(7)). Inside of a container the path is often that of the host, of which
// only the mount point is there; so that is always looked at.
func controlGroups(root string) []controlGroup {
	var out []controlGroup
	data, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return nil // no control groups
	}
	for line := range strings.Lines(string(data)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3) // number:controllers:path
		if len(parts) != 3 {
			continue
		}
		g := controlGroup{limit: "memory.max", usage: "memory.current", cache: "file"}
		mount := "sys/fs/cgroup"
		switch {
		case parts[0] == "0" && parts[1] == "":
		case strings.Contains(","+parts[1]+",", ",memory,"):
			g = controlGroup{limit: "memory.limit_in_bytes", usage: "memory.usage_in_bytes", cache: "total_cache"}
			mount = "sys/fs/cgroup/memory"
		default:
			continue
		}
		for at := path.Clean("/" + parts[2]); ; at = path.Dir(at) {
			g.dir = filepath.Join(root, mount, at)
			out = append(out, g)
			if at == "/" {
				break
			}
		}
	}
	return out
}

// left is what the group may still take; false if it has no limit. The page cache is not counted as
// taken: it makes room.
func (g controlGroup) left() (left, limit uint64, ok bool) {
	limit, ok = readNumber(filepath.Join(g.dir, g.limit))
	if !ok || limit >= math.MaxInt64>>12<<12 { // version 1 writes this for none
		return 0, 0, false
	}
	usage, _ := readNumber(filepath.Join(g.dir, g.usage))
	stat, _ := readFields(filepath.Join(g.dir, "memory.stat")) // nil counts as no cache
	used := usage - min(usage, stat[g.cache])
	return limit - min(limit, used), limit, true
}

// readNumber reads a file of one number; "max" is none.
func readNumber(name string) (uint64, bool) {
	data, err := os.ReadFile(name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil
}

// readFields reads lines of a name and a number.
func readFields(name string) (map[string]uint64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := map[string]uint64{}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if words := strings.Fields(lines.Text()); len(words) >= 2 {
			if n, err := strconv.ParseUint(words[1], 10, 64); err == nil {
				out[words[0]] = n
			}
		}
	}
	return out, lines.Err()
}
