package llama

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/internal/testmodel"
)

func TestQuantizeKeepsWhatAModelSays(t *testing.T) {
	from := testmodel.Tiny(t, testmodel.Plain)
	to := filepath.Join(t.TempDir(), "half.gguf")
	if err := Quantize(from, to, FileF16, 1); err != nil {
		t.Fatal(err)
	}
	wide, err := LoadModel(from, ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	half, err := LoadModel(to, ModelOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer half.Close()
	if half.SizeBytes() >= wide.SizeBytes()*6/10 || half.Parameters() != wide.Parameters() {
		t.Errorf("%d bytes became %d", wide.SizeBytes(), half.SizeBytes())
	}
	text := bytesOf("some bytes to read")
	a := lastLogits(t, newContextOf(t, wide, ContextOptions{}), 0, 0, text)
	b := lastLogits(t, newContextOf(t, half, ContextOptions{}), 0, 0, text)
	worst := float32(0)
	for i := range a {
		worst = max(worst, a[i]-b[i], b[i]-a[i])
	}
	if worst == 0 || worst > 0.1 {
		t.Errorf("the largest difference of logits is %g", worst)
	}
}

func TestQuantizeRefuses(t *testing.T) {
	from := testmodel.Tiny(t, testmodel.Plain)
	to := filepath.Join(t.TempDir(), "out.gguf")
	for _, test := range []struct {
		name, from, to string
		t              FileType
		threads        int
		is             error
		says           string
	}{
		{"no source", filepath.Join(t.TempDir(), "none"), to, FileF16, 1, os.ErrNotExist, ""},
		{"file type", from, to, 99, 1, nil, "file type 99"},
		{"threads", from, to, FileF16, -1, ErrThreads, ""},
		{"NUL", from, "a\x00b", FileF16, 1, nil, "NUL"},
		{"onto itself", from, from, FileF16, 1, nil, "name another"},
		{"folder that is not there", from, filepath.Join(to, "x"), FileF16, 1, nil, "out.gguf"},
	} {
		err := Quantize(test.from, test.to, test.t, test.threads)
		if err == nil || test.is != nil && !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
