package main

import (
	"os"
	"runtime/pprof"
)

// profile is the beginning of the profiles' names; without one none are written.
var profile string

// profiled writes where the processors' time goes from now until stop is called.
func profiled(what string) (stop func(), err error) {
	if profile == "" {
		return func() {}, nil
	}
	f, err := os.Create(profile + "." + what)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		_ = f.Close()
	}, nil
}
