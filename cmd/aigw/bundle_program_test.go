package main

import (
	"debug/elf"
	"encoding/binary"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// programFor writes what is a program for such a machine as far as its head says.
func programFor(t *testing.T, machine elf.Machine) string {
	t.Helper()
	head := make([]byte, 64)
	copy(head, elf.ELFMAG)
	head[elf.EI_CLASS], head[elf.EI_DATA], head[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)
	binary.LittleEndian.PutUint16(head[16:], uint16(elf.ET_EXEC))
	binary.LittleEndian.PutUint16(head[18:], uint16(machine))
	binary.LittleEndian.PutUint32(head[20:], uint32(elf.EV_CURRENT))
	binary.LittleEndian.PutUint16(head[52:], 64) // of this head
	file := filepath.Join(t.TempDir(), "bin", "aigw")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, head, 0o755); err != nil {
		t.Fatal(err)
	}
	return file
}

// A bundle is for the machine that its program is for, and no loader for another one is put before it.
func TestBundleForAnotherMachine(t *testing.T) {
	other, machine := "linux/arm64", elf.EM_AARCH64
	if runtime.GOARCH == "arm64" {
		other, machine = "linux/amd64", elf.EM_X86_64
	}
	b := &bundleContent{}
	if err := b.addProgram(filepath.Dir(filepath.Dir(programFor(t, machine)))); err != nil {
		t.Fatal(err)
	}
	if err := b.addLoader(); err != nil {
		t.Fatal(err)
	}
	if b.system != other || b.loader != nil {
		t.Errorf("the bundle is for %s and has a loader of %d bytes, want %s and none", b.system, len(b.loader), other)
	}
	if len(loaderProgram()) > 0 && !strings.Contains(strings.Join(b.warnings, " "), other) {
		t.Errorf("nobody is told: %q", b.warnings)
	}
	if system, err := systemOf(programFor(t, elf.EM_SPARCV9)); err == nil {
		t.Errorf("a program for a SPARC is taken for one for %s", system)
	}
	if _, err := systemOf("bundle_program_test.go"); err == nil {
		t.Error("a text is taken for a program")
	}
}

func TestNoticesOfAProgram(t *testing.T) {
	for name, where := range map[string]string{"what make built": "usr/lib/aigw/bin/NOTICES", "a release": "usr/lib/aigw/NOTICES", "Debian's package": "usr/share/doc/aigw/copyright"} {
		root := t.TempDir()
		file := filepath.Join(root, where)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("MIT"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(root, "usr/lib/aigw/bin"), 0o755); err != nil {
			t.Fatal(err)
		}
		if got, err := readNotices(filepath.Join(root, "usr/lib/aigw/bin/aigw")); err != nil || string(got) != "MIT" {
			t.Errorf("%s: notices %q, %v", name, got, err)
		}
	}
	if got, err := readNotices(filepath.Join(t.TempDir(), "bin", "aigw")); got != nil || err != nil {
		t.Errorf("where there are none: %q, %v", got, err)
	}
}
