package engine

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"aigw/engine/llama"
)

// HasGPU reports whether something other than the CPU can compute. llama.cpp must have been
// initialised, which About and everything that loads a file do.
func HasGPU() bool {
	for _, d := range llama.Info().Devices {
		if d.Type == llama.DeviceGPU || d.Type == llama.DeviceIntegratedGPU {
			return true
		}
	}
	return false
}

// WhyNoGPU says why there is none, and what to do about it.
func WhyNoGPU() string {
	if !llama.Info().CUDA {
		return "this program was built for the CPU alone; use the CUDA build (make build AIGW_CUDA=1)"
	}
	return whyNoGPU("/")
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
