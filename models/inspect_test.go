package models

import (
	"testing"

	"aigw/models/gguf"
	"aigw/models/gguf/gguftest"
)

// BenchmarkInspect13GB opens, checks and recognises sparse files of the size of a 22B model with
// the real vocabularies of Codestral and of DeepSeek Coder, and with Gemma's number of pieces.
func BenchmarkInspect13GB(b *testing.B) {
	network := gguftest.Network{Layers: 56, Embedding: 6144, Heads: 48, HeadsKV: 8, FeedForward: 16384 / 4, Hole: true}
	for name, v := range map[string]*gguftest.Vocabulary{
		"codestral":     gguftest.Mistral(b, 3),
		"deepseekcoder": gguftest.DeepSeekCoder(b),
		"codegemma":     gguftest.CodeGemma(b).Fill(256_000),
	} {
		path := gguftest.Model(v, network).Set("general.name", "codestral").WriteFile(b, b.TempDir(), "m.gguf")
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var size int64
			for b.Loop() {
				f, err := gguf.Open(path)
				if err != nil {
					b.Fatal(err)
				}
				if err := Check(f); err != nil {
					b.Fatal(err)
				}
				if _, err := Recognise(f); err != nil {
					b.Fatal(err)
				}
				size = f.Size()
				if err := f.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size)/1e9, "GB/file")
		})
	}
}
