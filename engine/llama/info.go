package llama

// #include "shim.h"
import "C"

import (
	"slices"
	"strings"
)

// DeviceType is the kind of a device, numbered as enum ggml_backend_dev_type.
type DeviceType int32

// Kinds of devices.
const (
	DeviceCPU DeviceType = iota
	DeviceGPU
	DeviceIntegratedGPU
	DeviceAccelerator // works beside the CPU, such as BLAS
	DeviceMeta        // several devices as one
)

func (t DeviceType) String() string {
	switch t {
	case DeviceCPU:
		return "CPU"
	case DeviceGPU:
		return "GPU"
	case DeviceIntegratedGPU:
		return "integrated GPU"
	case DeviceAccelerator:
		return "accelerator"
	case DeviceMeta:
		return "meta"
	}
	return "unknown"
}

// Device is something that computes.
type Device struct {
	Name        string // such as "CPU" or "CUDA0"
	Description string // such as the name of the processor
	Type        DeviceType
	Remote      bool   // it is another machine's, see AddRemote, and Description is what people call it
	FreeBytes   uint64 // memory free when Info was called; another machine's when it was added
	TotalBytes  uint64
}

// BuildInfo says what this program was built of and what it found on the machine.
type BuildInfo struct {
	LlamaVersion string // such as "0.5.0"
	GGMLVersion  string
	Commit       string   // as ggml's build recorded it
	Linkage      string   // "static" or "dynamic"
	CUDA         bool     // the CUDA back end is there (a device need not be)
	Backends     []string // such as "CPU", "CUDA"
	Devices      []Device
	CPUFeatures  []string // those that the CPU back end was built for or chose, such as "AVX2"
	// Unloadable are plug-ins that lie there and that the dynamic linker refuses, such as CUDA's without CUDA's libraries.
	Unloadable []Unloadable
}

// Unloadable is a back end that cannot be loaded here.
type Unloadable struct {
	File   string `json:"file"`   // such as "libggml-cuda.so"
	Reason string `json:"reason"` // the dynamic linker's words
}

// Info describes build and machine. Before Init a dynamic build has no back ends.
//
//	const char * llama_version(void);
//	const char * ggml_version(void);
//	const char * ggml_commit(void);
//	void ggml_backend_dev_memory(ggml_backend_dev_t device, size_t * free, size_t * total);
func Info() BuildInfo {
	b := BuildInfo{
		LlamaVersion: C.GoString(C.aigw_llama_version()),
		GGMLVersion:  C.GoString(C.aigw_ggml_version()),
		Commit:       C.GoString(C.aigw_ggml_commit()),
		Linkage:      "static",
	}
	if dynamic {
		b.Linkage = "dynamic"
	}
	if initState.done.Load() {
		b.Unloadable = slices.Clone(unloadable)
	}
	for i := range C.aigw_backend_count() {
		name := C.GoString(C.aigw_backend_name(i))
		if strings.HasPrefix(name, "RPC[") { // a connection, not a back end
			continue
		}
		b.Backends = append(b.Backends, name)
		b.CUDA = b.CUDA || name == "CUDA"
	}
	for i := range C.aigw_device_count() {
		var d C.aigw_device
		if C.aigw_device_get(i, &d, nil) != C.AIGW_OK {
			continue
		}
		found := Device{
			Name:        C.GoString(d.name),
			Description: C.GoString(d.description),
			Type:        DeviceType(d._type),
			Remote:      bool(d.remote),
			FreeBytes:   uint64(d.free_bytes),
			TotalBytes:  uint64(d.total_bytes),
		}
		if found.Remote {
			found.Description = remoteLabel(found.Name)
		}
		b.Devices = append(b.Devices, found)
	}
	for i := C.int32_t(0); ; i++ {
		name := C.aigw_cpu_feature(i)
		if name == nil {
			return b
		}
		b.CPUFeatures = append(b.CPUFeatures, C.GoString(name))
	}
}
