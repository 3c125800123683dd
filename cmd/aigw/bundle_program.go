package main

import (
	"debug/elf"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"aigw/bundle"
	"aigw/engine"
)

// The program that bundles begin with. `make build` puts it there; a plain `go build` finds none.
//
//go:embed loader
var loaderFiles embed.FS

// loaderProgram is that program, or nothing.
func loaderProgram() []byte {
	data, err := loaderFiles.ReadFile("loader/aigw-loader")
	if err != nil {
		return nil
	}
	return data
}

// addProgram adds this program, or the release in a folder.
func (b *bundleContent) addProgram(arg string) error {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return err
	}
	b.program = self
	if arg == "none" {
		return nil
	}
	b.loads = true
	if info, err := os.Stat(arg); arg != "" && err == nil && info.IsDir() {
		b.program = filepath.Join(arg, "bin", "aigw")
		if _, err := os.Stat(b.program); err != nil {
			return fmt.Errorf("%s is no unpacked release of aigw: %w", arg, plainPathError(err))
		}
		return b.add(arg, "", bundle.Program)
	}
	if arg != "" {
		b.program = arg
	}
	if b.program == self {
		about, err := engine.About()
		if err != nil {
			return err
		}
		if about.Linkage == "static" {
			b.warnings = append(b.warnings, "the program inside is this one, which may be tuned to the CPU of the machine that built it; for other machines take the release that make dist builds, with --program FOLDER")
		}
	}
	b.sources = append(b.sources, bundle.Source{Path: "bin/aigw", Kind: bundle.Program, File: b.program, Executable: true})
	// Its libraries stand where it looks for them itself: in the folder lib beside its own.
	libraries := filepath.Join(filepath.Dir(b.program), "..", "lib")
	if dynamic, err := needsLlama(b.program); err != nil || !dynamic {
		return err
	}
	found, err := filepath.Glob(filepath.Join(libraries, "*.so*"))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("the libraries of %s are not in %s; name an unpacked release with --program FOLDER", b.program, libraries)
	}
	for _, file := range found {
		b.sources = append(b.sources, bundle.Source{Path: "lib/" + filepath.Base(file), Kind: bundle.Program, File: file, Executable: true})
	}
	return nil
}

// needsLlama says whether a program loads llama.cpp from a file of its own.
func needsLlama(program string) (bool, error) {
	f, err := elf.Open(program)
	if err != nil {
		return false, fmt.Errorf("%s is not a program for Linux: %w", program, err)
	}
	defer f.Close()
	libraries, err := f.ImportedLibraries()
	return slices.ContainsFunc(libraries, func(name string) bool { return strings.HasPrefix(name, "libllama.so") }), err
}

// addLoader puts the loader before everything else, if it is for the kind of machine that the program is for.
func (b *bundleContent) addLoader() error {
	own := runtime.GOOS + "/" + runtime.GOARCH
	b.system = own
	if b.loads {
		var err error
		if b.system, err = systemOf(b.program); err != nil {
			return err
		}
	}
	switch {
	case len(loaderProgram()) == 0:
		b.warnings = append(b.warnings, "this program was built without the loader, so the bundle cannot be run: build it with make, or load with aigw bundle load")
	case b.system != own:
		b.warnings = append(b.warnings, fmt.Sprintf("the program in the bundle is for %s, and the loader here for %s, so the bundle cannot be run: unpack the release over there, "+
			"and load with its bin/aigw bundle load, or make the bundle on such a machine", b.system, own))
	default:
		b.loader = loaderProgram()
	}
	return nil
}

// systemOf says what kind of machine a program is for, as GOOS/GOARCH.
func systemOf(program string) (string, error) {
	f, err := elf.Open(program)
	if err != nil {
		return "", fmt.Errorf("%s is not a program for Linux: %w", program, err)
	}
	defer f.Close()
	switch f.Machine {
	case elf.EM_X86_64:
		return "linux/amd64", nil
	case elf.EM_AARCH64:
		return "linux/arm64", nil
	}
	return "", fmt.Errorf("%s is a program for %s; amd64 or arm64 is expected", program, f.Machine)
}

// readNotices returns the licences of what is linked into a program, nil where they are not there. They lie beside what
// make built, above the folder of a release, and where Debian's packages have theirs.
func readNotices(program string) ([]byte, error) {
	dir := filepath.Dir(program)
	for _, file := range []string{"NOTICES", "../NOTICES", "../../../share/doc/aigw/copyright"} {
		notices, err := os.ReadFile(filepath.Join(dir, file))
		if !errors.Is(err, fs.ErrNotExist) {
			return notices, err
		}
	}
	return nil, nil
}
