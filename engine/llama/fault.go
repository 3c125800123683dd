//go:build fault

package llama

// #cgo CXXFLAGS: -DAIGW_FAULT
import "C"

// The tag fault builds a program that crashes on demand, for tests of those who have to survive
// it: AIGW_FAULT=abort:TOKEN or segv:TOKEN ends the process in the middle of a decode that has this
// token id in its batch (shim_context.cpp).
