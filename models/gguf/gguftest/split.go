package gguftest

import (
	"fmt"
	"testing"
)

// WriteSplit writes the file as a split set of n parts into dir, the metadata in the first, and
// returns the paths in order.
func (b *Builder) WriteSplit(t testing.TB, dir, name string, n int) []string {
	t.Helper()
	var paths []string
	each := (len(b.tensors) + n - 1) / n
	for i := range n {
		part := &Builder{Version: b.Version, Alignment: b.Alignment}
		if i == 0 {
			part.entries = append(part.entries, b.entries...)
			part.Set("split.tensors.count", int32(len(b.tensors)))
		}
		part.Set("split.no", uint16(i)).Set("split.count", uint16(n))
		part.tensors = b.tensors[min(i*each, len(b.tensors)):min((i+1)*each, len(b.tensors))]
		paths = append(paths, part.WriteFile(t, dir, fmt.Sprintf("%s-%05d-of-%05d.gguf", name, i+1, n)))
	}
	return paths
}
