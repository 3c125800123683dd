package engine

import (
	"fmt"

	"golang.org/x/sys/unix"

	"aigw/engine/prefix"
)

// lot holds what is parked, outside of Go's heap: the garbage collector lets a heap of gigabytes
// grow to twice its size before it looks what is still needed of it. It belongs to the loop. The
// zero value is empty.
type lot struct {
	cells map[prefix.Key][]byte // their capacity is what was asked for
	last  []byte                // what alloc gave last
}

// alloc gives memory that put keeps or drop gives back.
func (l *lot) alloc(bytes int) ([]byte, error) {
	data, err := unix.Mmap(-1, 0, bytes, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("get %d bytes of memory for a prefix: %w", bytes, err)
	}
	_ = unix.Madvise(data, unix.MADV_DONTDUMP) // it is people's code
	l.last = data
	return data, nil
}

// put keeps what fill has put into memory of alloc.
func (l *lot) put(key prefix.Key, fill func() ([]byte, error)) error {
	l.last = nil
	data, err := fill()
	if err != nil {
		free(l.last)
		return err
	}
	if l.cells == nil {
		l.cells = map[prefix.Key][]byte{}
	}
	l.cells[key] = data
	return nil
}

func (l *lot) drop(key prefix.Key) {
	free(l.cells[key])
	delete(l.cells, key)
}

func free(data []byte) {
	if data != nil {
		_ = unix.Munmap(data[:cap(data)])
	}
}

func (l *lot) clear() {
	for key := range l.cells {
		l.drop(key)
	}
}
