package engine

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/engine/llama"
)

// tree writes files below a folder and returns it.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAvailable(t *testing.T) {
	const meminfo = "MemTotal:       33554432 kB\nMemFree:         1048576 kB\nMemAvailable:   16777216 kB\n"
	for name, tt := range map[string]struct {
		files map[string]string
		mib   uint64
		why   string
	}{
		"no group": {map[string]string{"proc/meminfo": meminfo}, 16384, "free on this machine"},
		"no limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": "1\n"},
			16384, "free on this machine"},
		"container": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "4294967296\n",
			"sys/fs/cgroup/memory.current": "2147483648\n", "sys/fs/cgroup/memory.stat": "anon 1073741824\nfile 1073741824\n"},
			3072, "limit of 4096 MiB"},
		"a group above": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/system.slice/aigw.service\n",
			"sys/fs/cgroup/system.slice/memory.max": "1073741824\n", "sys/fs/cgroup/system.slice/aigw.service/memory.max": "max\n"},
			1024, "limit of 1024 MiB"},
		"path of the host": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/docker/1234\n", "sys/fs/cgroup/memory.max": "1073741824\n"},
			1024, "limit of 1024 MiB"},
		"version 1": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/x\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "2147483648\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes": "1610612736\n",
			"sys/fs/cgroup/memory/x/memory.stat": "total_cache 1073741824\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
			1536, "limit of 2048 MiB"},
		"over the limit": {map[string]string{"proc/meminfo": meminfo, "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1048576\n", "sys/fs/cgroup/memory.current": "2097152\n"},
			0, "limit of 1 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := availableIn(tree(t, tt.files))
			if err != nil || got.Bytes>>20 != tt.mib || !strings.Contains(got.Source, tt.why) {
				t.Errorf("%d MiB %s, %v; want %d %s", got.Bytes>>20, got.Source, err, tt.mib, tt.why)
			}
		})
	}
	if got, err := Available(); err != nil || got.Bytes == 0 {
		t.Errorf("this machine: %+v, %v", got, err)
	}
}

func TestWhyAPluginCannotBeLoaded(t *testing.T) {
	for reason, want := range map[string]string{
		"libcudart.so.13: cannot open shared object file: No such file or directory": "needs libcudart.so.13, which is not on this machine: install CUDA's run-time libraries",
		"libcuda.so.1: cannot open shared object file: No such file or directory":    "needs libcuda.so.1, which the NVIDIA driver brings",
		"/opt/aigw/lib/libggml-cuda.so: file too short":                              "libggml-cuda.so cannot be loaded: /opt/aigw/lib/libggml-cuda.so: file too short",
	} {
		if got := whyUnloadable(llama.Unloadable{File: "libggml-cuda.so", Reason: reason}); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestWhyNoGPU(t *testing.T) {
	const version = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n"
	for name, tt := range map[string]struct {
		files   map[string]string
		visible string
		want    string
	}{
		"no driver":      {nil, "0", "driver is not loaded"},
		"no device":      {map[string]string{"proc/driver/nvidia/version": version, "dev/nvidiactl": ""}, "0", "(550.54.15) is loaded, but this container was started without a GPU: add --gpus all"},
		"hidden":         {map[string]string{"proc/driver/nvidia/version": version, "dev/nvidia0": ""}, "-1", `CUDA_VISIBLE_DEVICES is "-1"`},
		"cannot be used": {map[string]string{"proc/driver/nvidia/version": version, "dev/nvidia0": ""}, "0", "CUDA refused them"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CUDA_VISIBLE_DEVICES", tt.visible)
			if got := whyNoGPU(tree(t, tt.files)); !strings.Contains(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}
