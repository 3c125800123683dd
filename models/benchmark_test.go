package models_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aigw/models"
	"aigw/models/gguf/gguftest"
)

// memory is a tokenizer that has seen every text before: what is left is the codec.
type memory struct {
	models.Tokenizer
	known map[string][]models.Token
}

func (m memory) Tokenize(text string) ([]models.Token, error) {
	if ids, ok := m.known[text]; ok {
		return ids, nil
	}
	ids, err := m.Tokenizer.Tokenize(text)
	m.known[text] = ids
	return ids, err
}

// BenchmarkCodec lays out a completion in the middle of a file of 4,000 lines, without tokenizing.
func BenchmarkCodec(b *testing.B) {
	source, err := filepath.Glob(filepath.Join(gguftest.Repository(b), "models", "*.go"))
	if err != nil {
		b.Fatal(err)
	}
	var text strings.Builder
	for strings.Count(text.String(), "\n") < 4000 {
		data, err := os.ReadFile(source[text.Len()%len(source)])
		if err != nil {
			b.Fatal(err)
		}
		text.Write(data)
	}
	file := text.String()
	cut := len(file) / 2
	for _, name := range []string{"codestral", "deepseekcoder", "qwen2.5-coder", "mistral-v0.3"} {
		for _, room := range []int{8000, 32000} {
			b.Run(fmt.Sprintf("%s, %d tokens", name, room), func(b *testing.B) {
				m := load(b, name)
				codec, err := models.For(m.Recognition, memory{m.tok, map[string][]models.Token{}})
				if err != nil {
					b.Fatal(err)
				}
				code := models.Code{FileName: "main.go", Prefix: file[:cut], Suffix: file[cut:]}
				for b.Loop() {
					if _, err := codec.Completion(code, room); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
