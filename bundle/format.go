// Package bundle is the way across an air gap: one file with the program, weights, documentation
// index and whatever else a site needs, signed, that loads itself.
//
// A bundle is, from its first byte to its last:
//
//	loader    a static program that can load and verify the file it stands in; may be missing
//	zeros     up to a multiple of 4096
//	frames    zstd frames; their contents, in order, are one tar archive
//	index     a skippable zstd frame: size and CRC-32C of every frame, then the footer of 48 bytes
//
// So `tail -c +N site.aigw | zstd -d | tar -t` works too, N being the offset in the footer plus one.
//
// The archive is a function of the manifest and of the members' bytes, and nothing else:
//
//	frame 0       the entries manifest.json and manifest.sig
//	per member    a frame with its tar header, then one frame for every 8 MiB of it; the last ends
//	              with tar's padding
//	last frame    the two empty blocks with which a tar archive ends
//
// The manifest holds the SHA-256 of every 8 MiB, and the signature is over the manifest. A reader
// therefore never parses an archive: it computes what every frame must hold and compares. Links,
// devices, setuid bits, absolute names and ".." cannot be said in a manifest at all.
package bundle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

const (
	// ChunkSize is how much of a member is checked, and written, at once.
	ChunkSize = 8 << 20
	// maxManifest bounds what is read before a signature has been checked; 1 TB has 9 MB of checksums.
	maxManifest = 32 << 20
	// alignment of the frames behind the loader: a page, so that tools with direct I/O are content.
	alignment = 4096

	footerSize    = 48
	footerVersion = 1
	indexEntry    = 8          // size and checksum of a frame, 4 bytes each
	skippable     = 0x184D2A5A // RFC 8878, 3.1.2: any of 0x184D2A50 to 5F
	skippableHead = 8
)

var (
	footerMagic = [8]byte{'A', 'I', 'G', 'W', 'B', 'N', 'D', 'L'}
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	order       = binary.LittleEndian
)

// footer is the last 48 bytes of a bundle.
type footer struct {
	start    int64  // of the frames, in the file
	size     int64  // of the frames together
	frames   uint32 // how many there are
	indexCRC uint32
}

func (f footer) encode() []byte {
	b := make([]byte, 0, footerSize)
	b = append(b, footerMagic[:]...)
	b = order.AppendUint32(b, footerVersion)
	b = order.AppendUint32(b, f.frames)
	b = order.AppendUint64(b, uint64(f.start))
	b = order.AppendUint64(b, uint64(f.size))
	b = order.AppendUint32(b, f.indexCRC)
	b = append(b, make([]byte, footerSize-len(b)-4)...)
	return order.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// errNoFooter is what a file that is no bundle, or not all of one, ends with.
var errNoFooter = errors.New("it does not end as a bundle does: it is another file, or the end of it is missing. Compare its size with the original's and copy it again")

func decodeFooter(b []byte) (footer, error) {
	if len(b) != footerSize || [8]byte(b[:8]) != footerMagic {
		return footer{}, errNoFooter
	}
	if crc32.Checksum(b[:footerSize-4], castagnoli) != order.Uint32(b[footerSize-4:]) {
		return footer{}, errors.New("its last 48 bytes are damaged; copy it again")
	}
	if v := order.Uint32(b[8:]); v != footerVersion {
		return footer{}, fmt.Errorf("its format has version %d and this program knows %d: load it with the program that it begins with (./FILE load)", v, footerVersion)
	}
	f := footer{frames: order.Uint32(b[12:]), indexCRC: order.Uint32(b[32:])}
	start, size := order.Uint64(b[16:]), order.Uint64(b[24:])
	if start > math.MaxInt64/4 || size > math.MaxInt64/4 || start%alignment != 0 {
		return footer{}, errors.New("its last 48 bytes do not describe a bundle; copy it again")
	}
	f.start, f.size = int64(start), int64(size)
	return f, nil
}

// frame is where a frame stands.
type frame struct {
	offset int64
	size   uint32
	crc    uint32
}

// writeIndex writes index and footer as one skippable frame.
func writeIndex(w io.Writer, start int64, frames []frame) error {
	var body []byte
	f := footer{start: start, frames: uint32(len(frames))}
	for _, fr := range frames {
		body = order.AppendUint32(body, fr.size)
		body = order.AppendUint32(body, fr.crc)
		f.size += int64(fr.size)
	}
	f.indexCRC = crc32.Checksum(body, castagnoli)
	body = append(body, f.encode()...)
	head := order.AppendUint32(order.AppendUint32(nil, skippable), uint32(len(body)))
	if _, err := w.Write(head); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

// readIndex finds the frames of a file of the given size. It allocates no more than the file has.
func readIndex(r io.ReaderAt, size int64) (footer, []frame, error) {
	if size < footerSize {
		return footer{}, nil, errNoFooter
	}
	b := make([]byte, footerSize)
	if _, err := r.ReadAt(b, size-footerSize); err != nil {
		return footer{}, nil, err
	}
	f, err := decodeFooter(b)
	if err != nil {
		return footer{}, nil, err
	}
	index := int64(f.frames) * indexEntry
	if f.start+f.size+skippableHead+index+footerSize != size {
		return footer{}, nil, fmt.Errorf("it has %d bytes where %d were written; copy it again", size, f.start+f.size+skippableHead+index+footerSize)
	}
	body := make([]byte, skippableHead+index)
	if _, err := r.ReadAt(body, f.start+f.size); err != nil {
		return footer{}, nil, err
	}
	head, body := body[:skippableHead], body[skippableHead:]
	if order.Uint32(head) != skippable || int64(order.Uint32(head[4:])) != index+footerSize || crc32.Checksum(body, castagnoli) != f.indexCRC {
		return footer{}, nil, fmt.Errorf("its index is damaged (bytes %d to %d of the file); copy it again", f.start+f.size, size-footerSize)
	}
	frames := make([]frame, f.frames)
	at := f.start
	for i := range frames {
		frames[i] = frame{at, order.Uint32(body[i*indexEntry:]), order.Uint32(body[i*indexEntry+4:])}
		at += int64(frames[i].size)
	}
	if at != f.start+f.size {
		return footer{}, nil, errors.New("its index does not add up; copy it again")
	}
	return f, frames, nil
}
