package llama

// #include "shim.h"
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// Weighted is one of the texts between which a generation with a grammar chooses behind its first line (and the empty lines
// that follow it), and what is added to the logarithm of the model's odds for it. Only differences count: a text that weighs 3
// more than another is chosen in its place unless the model finds the other e^3, some 20 times, as likely. What the model
// is surer of than that stays its choice. No text may be the beginning of another.
type Weighted struct {
	Text   string
	Weight float32
}

// Bounds of a choice: those tokens that may go on with a text are looked for in the whole vocabulary.
const (
	maxChoices     = 256
	maxChoiceBytes = 1 << 10 // of each text
)

func checkChoice(choice []Weighted) error {
	if len(choice) > maxChoices {
		return fmt.Errorf("%w: %d texts to choose between, at most %d", ErrSamplerOptions, len(choice), maxChoices)
	}
	for _, w := range choice {
		if w.Text == "" || len(w.Text) > maxChoiceBytes {
			return fmt.Errorf("%w: a text to choose has %d bytes, from 1 to %d", ErrSamplerOptions, len(w.Text), maxChoiceBytes)
		}
		if f := float64(w.Weight); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%w: weight %g of the text %q", ErrSamplerOptions, w.Weight, w.Text)
		}
	}
	return nil
}

// choiceTables lays a choice out for C, which copies it.
func choiceTables(choice []Weighted, pinner *runtime.Pinner) C.aigw_choice {
	if len(choice) == 0 {
		return C.aigw_choice{}
	}
	var (
		chars   []uint32
		ends    []int32
		weights []float32
	)
	for _, w := range choice {
		for _, r := range w.Text {
			chars = append(chars, uint32(r))
		}
		ends, weights = append(ends, int32(len(chars))), append(weights, w.Weight)
	}
	pinner.Pin(unsafe.SliceData(chars))
	pinner.Pin(unsafe.SliceData(ends))
	pinner.Pin(unsafe.SliceData(weights))
	return C.aigw_choice{
		chars: (*C.uint32_t)(unsafe.SliceData(chars)), ends: (*C.int32_t)(unsafe.SliceData(ends)),
		weights: (*C.float)(unsafe.SliceData(weights)), n: C.int32_t(len(choice)),
	}
}
