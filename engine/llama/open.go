package llama

// #include "shim.h"
import "C"

// Objects counts C objects that are alive. The zero value means that nothing leaked.
type Objects struct {
	Models      int64
	Contexts    int64
	ThreadPools int64
	Samplers    int64
	Templates   int64
}

// Open returns what is alive now, counted where C objects are made and freed. It may be called
// at any time from any goroutine.
func Open() Objects {
	var o C.aigw_objects
	C.aigw_open_objects(&o)
	return Objects{
		Models:      int64(o.models),
		Contexts:    int64(o.contexts),
		ThreadPools: int64(o.pools),
		Samplers:    int64(o.samplers),
		Templates:   int64(o.templates),
	}
}
