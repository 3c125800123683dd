package engine

import (
	"cmp"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"

	"aigw/engine/llama"
)

// A model that one machine cannot hold has some of its layers on others: what crosses the network for each token
// is what one layer hands to the next. Layers go there as they go to a GPU (Options.GPULayers).

// Offer is what a machine offers to others.
type Offer struct {
	Llama   string         `json:"llama_cpp"`
	RPC     string         `json:"rpc"` // version of the protocol
	Devices []RemoteDevice `json:"devices"`
}

// RemoteDevice is one device of an offer.
type RemoteDevice struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	FreeBytes   uint64 `json:"free_bytes"`
	TotalBytes  uint64 `json:"total_bytes"`
}

// AddRemote connects to another machine's server behind an endpoint (llama.AddRemote) and lets models that are loaded
// from then on use its devices, for as long as the process lives. offer is what it said to offer; nil: it does not
// speak of that. label is what people know it by. When the connection breaks, llama.cpp ends the process.
func AddRemote(backendDir, endpoint, label string, offer *Offer, log *slog.Logger) error {
	if err := llama.Init(llama.InitOptions{Logger: log, BackendDir: backendDir}); err != nil {
		return err
	}
	var memory []llama.RemoteMemory
	if offer != nil {
		for _, d := range offer.Devices {
			memory = append(memory, llama.RemoteMemory{FreeBytes: d.FreeBytes, TotalBytes: d.TotalBytes})
		}
	}
	return llama.AddRemote(endpoint, label, memory)
}

// Fits says why an offer cannot be used with this build of llama.cpp; nil: it can.
func (o *Offer) Fits() error {
	if have, need := o.RPC, llama.RPCVersion(); have != need || o.Llama != llama.Info().LlamaVersion {
		return fmt.Errorf("it has llama.cpp %s (RPC %s), this machine has %s (RPC %s); install the same release of aigw on both", o.Llama, have, llama.Info().LlamaVersion, need)
	}
	if len(o.Devices) == 0 {
		return fmt.Errorf("it offers no device")
	}
	return nil
}

// RPCVersion is that of the protocol between machines.
func RPCVersion() string { return llama.RPCVersion() }

// HasRemote reports whether other machines' devices were added.
func HasRemote() bool {
	return slices.ContainsFunc(llama.Info().Devices, func(d llama.Device) bool { return d.Remote })
}

// Remotes are the devices of other machines.
func Remotes() []RemoteDevice {
	var out []RemoteDevice
	for _, d := range llama.Info().Devices {
		if d.Remote {
			out = append(out, RemoteDevice{d.Name, d.Description, d.FreeBytes, d.TotalBytes})
		}
	}
	return out
}

// Offering says what this machine offers: the devices of these names, or without any its GPUs, or its processor where it
// has none. It loads ggml's plug-ins where there are any.
func Offering(backendDir string, names []string, log *slog.Logger) (*Offer, []int, error) {
	if err := llama.Init(llama.InitOptions{Logger: log, BackendDir: backendDir}); err != nil {
		return nil, nil, err
	}
	info := llama.Info()
	offer := &Offer{Llama: info.LlamaVersion, RPC: llama.RPCVersion()}
	var numbers []int
	add := func(i int) {
		d := info.Devices[i]
		if d.Type == llama.DeviceCPU { // ggml says that all of it is free
			if available, err := Available(); err == nil {
				d.FreeBytes = min(d.FreeBytes, available.Bytes)
			}
		}
		numbers = append(numbers, i)
		offer.Devices = append(offer.Devices, RemoteDevice{d.Name, d.Description, d.FreeBytes, d.TotalBytes})
	}
	for _, name := range names {
		i := slices.IndexFunc(info.Devices, func(d llama.Device) bool { return strings.EqualFold(d.Name, name) })
		if i < 0 {
			var all []string
			for _, d := range info.Devices {
				all = append(all, d.Name)
			}
			return nil, nil, fmt.Errorf("there is no device %q; there are: %s", name, strings.Join(all, ", "))
		}
		add(i)
	}
	for _, kinds := range [][]llama.DeviceType{{llama.DeviceGPU, llama.DeviceIntegratedGPU}, {llama.DeviceCPU}} {
		if len(numbers) > 0 {
			break
		}
		for i, d := range info.Devices {
			if slices.Contains(kinds, d.Type) {
				add(i)
			}
		}
	}
	if len(numbers) == 0 {
		return nil, nil, fmt.Errorf("there is no device to offer")
	}
	return offer, numbers, nil
}

// ServeRemote lets the other end of a connection, a socket with the descriptor fd, use the devices of an offer, by
// their numbers, and returns when it has ended. It is for a process of its own: whatever it is sent, it does. Without a
// number of threads half of the processors compute: ggml's threads spin while they wait for each other there, and nobody
// notices, as the engine does, that one of them has no processor for itself.
func ServeRemote(fd uintptr, threads int, numbers []int) error {
	return llama.ServeRemote(fd, cmp.Or(threads, max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))/2)), numbers)
}
