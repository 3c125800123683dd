package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
	"aigw/models/gguf"

	"github.com/urfave/cli/v2"
)

// embeddingFlag names the model that computes embeddings. It runs on the processor: such models are small.
func embeddingFlag() cli.Flag {
	return &cli.StringFlag{Name: "embedding-model", Usage: "[NAME=]`FILE` of a model that computes embeddings, for OpenAI's API", EnvVars: []string{"AIGW_EMBEDDING_MODEL"}, TakesFile: true}
}

// loadEmbedder loads the model of --embedding-model, if there is one. What it computes takes turns with
// the other models.
func (s *server) loadEmbedder(ctx context.Context) error {
	arg := s.cli.String("embedding-model")
	if arg == "" {
		return nil
	}
	m, err := openEmbedder(arg)
	if err != nil {
		return err
	}
	if err := tryModel(s.cli, s.log, m); err != nil {
		return err
	}
	s.turn = &sync.Mutex{}
	e, err := engine.LoadEmbedder(ctx, engine.Options{
		Model: m.path, Threads: s.cli.Int("threads"), BackendDir: s.cli.String("backend-dir"), Turn: s.turn, Logger: s.log.With("model", m.name),
	})
	if err != nil {
		return err
	}
	s.embedder = e
	s.gateway.SetEmbedding(&serving.EmbeddingModel{Name: m.name, Embedder: e})
	s.log.Info("embeddings", "model", m.name, "numbers", e.Size(), "tokens", e.Limit())
	return nil
}

// openEmbedder checks the file.
func openEmbedder(arg string) (*modelFile, error) {
	name, path := splitName(arg)
	f, err := gguf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("--embedding-model: %w", err)
	}
	defer f.Close()
	if err := models.CheckEmbeds(f); err != nil {
		return nil, fmt.Errorf("--embedding-model: %w", err)
	}
	return &modelFile{name: cmp.Or(name, strings.TrimSuffix(filepath.Base(path), ".gguf")), path: f.Path, size: f.Size()}, nil
}
