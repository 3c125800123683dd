package gguf

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// A split set is made by llama-gguf-split. Its files are named NAME-00001-of-00003.gguf and
// carry their number (from 0), the number of files and, the first, the number of tensors in
// all. llama.cpp finds the others by the name of the first.
const (
	splitNoKey      = "split.no"
	splitCountKey   = "split.count"
	splitTensorsKey = "split.tensors.count"
)

var partName = regexp.MustCompile(`^(.*)-([0-9]{5})-of-([0-9]{5})\.gguf$`)

// splitName takes a path of a split set apart; no counts from 1.
func splitName(path string) (prefix string, no, count int, ok bool) {
	m := partName.FindStringSubmatch(filepath.Base(path))
	if m == nil {
		return "", 0, 0, false
	}
	no, _ = strconv.Atoi(m[2])
	count, _ = strconv.Atoi(m[3])
	return filepath.Join(filepath.Dir(path), m[1]), no, count, true
}

// splitPath names part no, counted from 1; it is llama_split_path.
func splitPath(prefix string, no, count int) string {
	return fmt.Sprintf("%s-%05d-of-%05d.gguf", prefix, no, count)
}

// firstPart returns the first part of the set that path belongs to, or path itself.
func firstPart(path string) string {
	prefix, no, count, ok := splitName(path)
	if !ok || no == 1 || count < 2 {
		return path
	}
	return splitPath(prefix, 1, count)
}

// addParts reads the other parts of the set that first begins.
func (f *File) addParts(first *header) error {
	prefix, no, named, isNamed := splitName(first.path)
	count, err := first.splitUint(splitCountKey)
	if err != nil {
		return err
	}
	switch {
	case count < 2 && isNamed && named > 1:
		return first.refuse("a file that was cut into pieces must be joined again with cat; llama-gguf-split makes split sets",
			"its name says part %d of %d, but its header knows of no parts", no, named)
	case count < 2:
		return nil
	case count > MaxParts:
		return first.refuse(hintDamaged,
			"claims to be one of %d parts, the limit is %d", count, MaxParts)
	case !isNamed || named != count:
		return first.refuse(fmt.Sprintf("give the parts their names back: NAME-00001-of-%05d.gguf and so on", count),
			"is part 1 of %d, but is not named so", count)
	}
	if err := first.checkPartNumber(0); err != nil {
		return err
	}
	seen := make(map[string]bool, len(f.Tensors))
	for _, t := range f.Tensors {
		seen[t.Name] = true
	}
	for i := 1; i < count; i++ {
		if err := f.addPart(splitPath(prefix, i+1, count), i, count, seen); err != nil {
			return err
		}
	}
	total, err := first.splitUint(splitTensorsKey)
	if err == nil && total != len(f.Tensors) {
		return first.refuse("its parts belong to different models: download the set again",
			"the set should have %d tensors and has %d", total, len(f.Tensors))
	}
	return err
}

func (f *File) addPart(path string, no, count int, seen map[string]bool) error {
	file, h, err := openHeader(path)
	if e := (*Error)(nil); errors.As(err, &e) && e.Kind == Missing {
		e.Kind = MissingPart
		e.Reason = fmt.Sprintf("part %d of %d cannot be found", no+1, count)
		e.Hint = "put all parts of the set into one folder"
	}
	if err != nil {
		return err
	}
	defer file.Close()
	if err := h.checkPartNumber(no); err != nil {
		return err
	}
	if len(f.Tensors)+len(h.tensors) > MaxTensors {
		return h.refuse(hintDamaged,
			"brings the set to more than %d tensors", MaxTensors)
	}
	for _, t := range h.tensors {
		if seen[t.Name] {
			return h.refuse("download the set again",
				"has tensor %q, which an earlier part has too", t.Name)
		}
		seen[t.Name] = true
		t.Part = no
		f.Tensors = append(f.Tensors, t)
	}
	f.Parts = append(f.Parts, Part{Path: path, Size: h.size, DataOffset: h.dataOffset})
	return nil
}

// checkPartNumber checks split.no, which llama.cpp reads as a u16 without looking at its type.
func (h *header) checkPartNumber(want int) error {
	v, ok := h.values[splitNoKey]
	n, _ := v.Uint()
	if !ok || v.Type != Uint16Value || n != uint64(want) {
		got := "missing"
		if ok {
			got = v.Type.String() + " " + v.String()
		}
		return h.refuse("the parts were renamed or belong to different sets: download the set again",
			"%s is %s where u16 %d is expected", splitNoKey, got, want)
	}
	return nil
}

// splitUint reads a count of a split set; 0 if it is absent.
func (h *header) splitUint(key string) (int, error) {
	v, ok := h.values[key]
	if !ok {
		return 0, nil
	}
	n, isCount := v.Uint()
	if !isCount || n > 1<<31-1 {
		return 0, h.refuse(hintDamaged, "%s is %s, which is no count", key, v)
	}
	return int(n), nil
}

func (h *header) refuse(hint, format string, args ...any) error {
	return &Error{Path: h.path, Kind: Damaged, Offset: -1, Reason: fmt.Sprintf(format, args...), Hint: hint}
}
