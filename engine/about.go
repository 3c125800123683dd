package engine

import (
	"log/slog"

	"aigw/engine/llama"
)

// Info says what this program computes with.
type Info struct {
	Llama       string   `json:"llama_cpp"`
	GGML        string   `json:"ggml"`
	Linkage     string   `json:"linkage"` // static or dynamic
	CUDA        bool     `json:"cuda"`
	Backends    []string `json:"backends"`
	CPUFeatures []string `json:"cpu_features"`
	Devices     []Device `json:"devices"`
	// CPUVariants are those of a build with plug-ins, best first; the first without a fault is in use.
	CPUVariants []llama.Variant `json:"cpu_variants,omitempty"`
	// Unloadable are plug-ins beside the program that cannot be loaded here.
	Unloadable []llama.Unloadable `json:"unloadable,omitempty"`
}

// Device is something that computes.
type Device struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"`
	FreeBytes   uint64 `json:"free_bytes"`
	TotalBytes  uint64 `json:"total_bytes"`
}

// About describes the build and the machine. It loads ggml's plug-ins where there are any.
func About() (Info, error) {
	if err := llama.Init(llama.InitOptions{Logger: slog.New(slog.DiscardHandler)}); err != nil {
		return Info{}, err
	}
	b := llama.Info()
	info := Info{
		Llama: b.LlamaVersion, GGML: b.GGMLVersion, Linkage: b.Linkage, CUDA: b.CUDA,
		Backends: b.Backends, CPUFeatures: b.CPUFeatures, Devices: []Device{}, CPUVariants: llama.Variants(), Unloadable: b.Unloadable,
	}
	for _, d := range b.Devices {
		info.Devices = append(info.Devices, Device{d.Name, d.Description, d.Type.String(), d.FreeBytes, d.TotalBytes})
	}
	return info, nil
}
