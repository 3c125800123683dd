package llama

// #include <stdlib.h>
// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// Devices of other machines, over ggml's RPC back end. It connects to whatever it is told, trusts what it is
// answered, and ends the process when a connection breaks; a server of it does whatever it is told. So it
// gets its connections from callers who know who is at the other end.

// RemoteMemory is what a device of another machine has.
type RemoteMemory struct{ FreeBytes, TotalBytes uint64 }

// ErrNoRPC says that this build cannot compute on other machines.
var ErrNoRPC = errors.New("this build of llama.cpp has no RPC back end of ours; build without LLAMA_CPP_SRC, or apply third_party/llama.cpp/patches/rpc.patch")

// remoteLabels are the names of other machines' devices for people, by ggml's.
var remoteLabels struct {
	sync.Mutex
	of map[string]string
}

func remoteLabel(device string) string {
	remoteLabels.Lock()
	defer remoteLabels.Unlock()
	return remoteLabels.of[device]
}

// RPCVersion is that of the protocol: peers need the same first number, and a client no older than a server.
func RPCVersion() string {
	var major, minor, patch C.int32_t
	C.aigw_rpc_version(&major, &minor, &patch)
	return fmt.Sprintf("%d.%d.%d", major, minor, patch)
}

// AddRemote connects to the server behind an endpoint and adds its devices to those of this process, for as long
// as it lives: models that are loaded from then on use them. endpoint is "@NAME:0" for a Unix socket in Linux'
// abstract namespace, or HOST:PORT; label is what people know the machine by. memory are the server's devices; nil
// asks it, but of processors the server then says that all their memory is free. A connection that fails
// ends the process.
//
//	ggml_backend_t ggml_backend_rpc_init(const char * endpoint, uint32_t device);
//	ggml_backend_reg_t ggml_backend_rpc_add_server(const char * endpoint);
//	void ggml_backend_register(ggml_backend_reg_t reg);
func AddRemote(endpoint, label string, memory []RemoteMemory) error {
	if err := initialized(); err != nil {
		return err
	}
	if !C.aigw_rpc_available() {
		return ErrNoRPC
	}
	said := make([]C.aigw_remote_memory, len(memory))
	for i, m := range memory {
		said[i] = C.aigw_remote_memory{C.uint64_t(m.FreeBytes), C.uint64_t(m.TotalBytes)}
	}
	cendpoint := C.CString(endpoint)
	defer C.free(unsafe.Pointer(cendpoint))
	var (
		n    C.int32_t
		cerr C.aigw_error
	)
	before := C.aigw_device_count()
	if C.aigw_rpc_add(cendpoint, unsafe.SliceData(said), C.int32_t(len(said)), &n, &cerr) != C.AIGW_OK {
		return fmt.Errorf("add the devices of %s: %s", label, reason(&cerr))
	}
	remoteLabels.Lock()
	defer remoteLabels.Unlock()
	if remoteLabels.of == nil {
		remoteLabels.of = map[string]string{}
	}
	for i := range n {
		var d C.aigw_device
		if C.aigw_device_get(before+i, &d, nil) != C.AIGW_OK {
			continue
		}
		name := label
		if n > 1 {
			name = fmt.Sprintf("%s, device %d", label, i)
		}
		remoteLabels.of[C.GoString(d.name)] = name
	}
	return nil
}

// ServeRemote lets the other end of a connection, a socket with the descriptor fd, use devices of this process,
// by their numbers in Info, and returns when it has ended. The descriptor is closed. Whatever is sent is done: it
// can end the process, and worse. ggml says on the standard output what it does.
//
//	void ggml_backend_rpc_start_server(const char * endpoint, const char * cache_dir, size_t n_threads, size_t n_devices, ggml_backend_dev_t * devices);
func ServeRemote(fd uintptr, threads int, devices []int) error {
	if err := initialized(); err != nil {
		return err
	}
	if !C.aigw_rpc_available() {
		return ErrNoRPC
	}
	if len(devices) == 0 {
		return errors.New("serve other machines: no device")
	}
	numbers := make([]C.int32_t, len(devices))
	for i, d := range devices {
		numbers[i] = C.int32_t(d)
	}
	var cerr C.aigw_error
	code := C.aigw_rpc_serve(C.int32_t(fd), C.int32_t(threads), unsafe.SliceData(numbers), C.int32_t(len(numbers)), &cerr)
	if err := failure(code, &cerr); err != nil {
		return fmt.Errorf("serve other machines: %w", err)
	}
	return nil
}
