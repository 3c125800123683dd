package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"aigw/engine/llama"
)

// HasGPU reports whether something of this machine other than the CPU can compute. llama.cpp must have been
// initialised, which About and everything that loads a file do.
func HasGPU() bool {
	for _, d := range llama.Info().Devices {
		if !d.Remote && (d.Type == llama.DeviceGPU || d.Type == llama.DeviceIntegratedGPU) {
			return true
		}
	}
	return false
}

// BuiltForGPU reports whether this program has a back end for GPUs, whether or not it can be loaded here.
func BuiltForGPU() bool {
	b := llama.Info()
	return b.CUDA || len(gpuPlugins(b.Unloadable)) > 0
}

// gpuPlugins leaves out what computes on no GPU of this machine.
func gpuPlugins(all []llama.Unloadable) []llama.Unloadable {
	return slices.DeleteFunc(slices.Clone(all), func(u llama.Unloadable) bool { return u.File == "libggml-rpc.so" })
}

// WhyNoGPU says why there is none, and what to do about it.
func WhyNoGPU() string {
	b := llama.Info()
	if b.CUDA {
		return whyNoGPU("/")
	}
	if lost := gpuPlugins(b.Unloadable); len(lost) > 0 {
		return whyUnloadable(lost[0])
	}
	return "this program was built for the CPU alone; use the CUDA build (make build AIGW_CUDA=1)"
}

// missingLibrary is how the dynamic linker names a library that it does not find.
var missingLibrary = regexp.MustCompile(`(lib\S+\.so\S*): cannot open shared object file`)

// whyUnloadable says what a plug-in lacks. The driver brings libcuda; the others are CUDA's run time.
func whyUnloadable(u llama.Unloadable) string {
	m := missingLibrary.FindStringSubmatch(u.Reason)
	switch {
	case m == nil:
		return fmt.Sprintf("%s cannot be loaded: %s", u.File, u.Reason)
	case strings.HasPrefix(m[1], "libcuda.so"):
		return fmt.Sprintf("%s needs %s, which the NVIDIA driver brings: install the driver, or start the container with its GPUs (--gpus all)", u.File, m[1])
	}
	return fmt.Sprintf("%s needs %s, which is not on this machine: install CUDA's run-time libraries of that version, or name their folder in LD_LIBRARY_PATH", u.File, m[1])
}

var driverVersion = regexp.MustCompile(`Kernel Module.*?\s(\d+\.[\d.]+)`)

// whyNoGPU looks for the driver of a machine whose file system is at root.
func whyNoGPU(root string) string {
	driver, err := os.ReadFile(filepath.Join(root, "proc/driver/nvidia/version"))
	if err != nil {
		return "the NVIDIA driver is not loaded on this machine; install it, or load it with modprobe nvidia"
	}
	version := "of unknown version"
	if m := driverVersion.FindSubmatch(driver); m != nil {
		version = string(m[1])
	}
	if nodes, err := filepath.Glob(filepath.Join(root, "dev/nvidia[0-9]*")); err != nil || len(nodes) == 0 {
		return fmt.Sprintf("the NVIDIA driver (%s) is loaded, but this container was started without a GPU: "+
			"add --gpus all (Docker), --device nvidia.com/gpu=all (Podman), or the resource nvidia.com/gpu (Kubernetes)", version)
	}
	if v, ok := os.LookupEnv("CUDA_VISIBLE_DEVICES"); ok && (strings.TrimSpace(v) == "" || strings.HasPrefix(v, "-")) {
		return fmt.Sprintf("CUDA_VISIBLE_DEVICES is %q, which hides every GPU; unset it", v)
	}
	return fmt.Sprintf("the NVIDIA driver (%s) and its devices are there, but CUDA refused them: is libcuda.so.1 of that driver in this container, "+
		"and is the driver new enough? nvidia-smi and --verbose say more", version)
}
