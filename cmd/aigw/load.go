package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"aigw/engine"
	"aigw/models"
	"aigw/models/gguf"

	"github.com/urfave/cli/v2"
)

// modelFlags are those of every command that loads a model.
func modelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.GenericFlag{Name: "model", Aliases: []string{"m"}, Value: &modelArgs{}, Usage: "GGUF `FILE`, or the first file of a split set, or the name of a stored model; [NAME=]FILE gives it a name", EnvVars: []string{"AIGW_MODEL"}},
		storeFlag(),
		familyFlag(),
		&cli.IntFlag{Name: "ctx", Usage: "tokens of all requests together; 0 is what the model was trained for, at most 8192", EnvVars: []string{"AIGW_CTX"}},
		&cli.IntFlag{Name: "threads", Usage: "CPU threads; 0 is as many as this process may use", EnvVars: []string{"AIGW_THREADS"}},
		&cli.StringFlag{Name: "gpu-layers", Value: "auto", Usage: "layers to keep on the GPU: a number, all, or auto: as many as its free memory holds", EnvVars: []string{"AIGW_GPU_LAYERS"}},
		&cli.BoolFlag{Name: "require-gpu", Usage: "refuse to run where no GPU can be used, and say why", EnvVars: []string{"AIGW_REQUIRE_GPU"}},
		&cli.StringFlag{Name: "flash-attn", Value: "auto", Usage: "fused attention: auto, on or off", EnvVars: []string{"AIGW_FLASH_ATTN"}},
		&cli.StringFlag{Name: "cache-type-k", Value: "f16", Usage: "number format of keys in the KV cache: f16, q8_0, ...; auto: f16, or q8_0 where that is measured to be faster", EnvVars: []string{"AIGW_CACHE_TYPE_K"}},
		&cli.StringFlag{Name: "cache-type-v", Value: "f16", Usage: "number format of values in the KV cache", EnvVars: []string{"AIGW_CACHE_TYPE_V"}},
		&cli.StringFlag{Name: "backend-dir", Usage: "`FOLDER` of ggml's back ends, for programs that load them at run time", EnvVars: []string{"AIGW_BACKEND_DIR"}},
		&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "log what llama.cpp says, too", EnvVars: []string{"AIGW_VERBOSE"}},
	}
}

// modelFile is a file that has passed every check that can be made without loading it.
type modelFile struct {
	name  string // given with --model NAME=FILE, else the stored model's or the file's own
	named bool   // it was given
	path  string
	size  int64 // of all parts
	what  models.Recognition
	said  models.Operator // of it, by the operator
	// aliases are other names that it answers to.
	aliases []string
	// server has the model, instead of a file; nil: there is a file.
	server *modelServer
}

// openModel checks the file of --model, for commands that use one.
func openModel(c *cli.Context) (*modelFile, error) {
	arg, err := askedModel(c)
	if err != nil {
		return nil, err
	}
	return openNamed(c, arg)
}

// openNamed checks the file that arg, a value of --model, means.
func openNamed(c *cli.Context, arg string) (*modelFile, error) {
	if err := checkModelFlags(c); err != nil {
		return nil, err
	}
	name, file := splitName(arg)
	if isServer(file) {
		return nil, usagef("%s is the address of a server; its model can be used with aigw run only", file)
	}
	path, stored, err := findModel(c, file)
	if err != nil {
		return nil, err
	}
	said, err := familyOf(c, path, name, stored)
	if err != nil {
		return nil, err
	}
	m, err := recognise(path, said)
	if err != nil {
		return nil, err
	}
	if err := m.what.Err(path); err != nil {
		return nil, err
	}
	m.name, m.named = cmp.Or(name, stored, m.name), name != ""
	return m, nil
}

// recognise reads a file's header and says what model it is, as far as the operator has not said it.
func recognise(path string, said models.Operator) (*modelFile, error) {
	f, err := gguf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := models.Check(f); err != nil {
		return nil, err
	}
	what, err := models.RecogniseAs(f, said)
	if err != nil {
		return nil, err
	}
	// general.name is often a folder's name or a hash; people know the file.
	return &modelFile{name: stem(path), path: f.Path, size: f.Size(), what: what, said: said}, nil
}

// splitName reads [NAME=]FILE. A file that exists is a file, whatever is in its name.
func splitName(arg string) (name, path string) {
	if _, err := os.Stat(arg); err == nil {
		return "", arg
	}
	if name, path, ok := strings.Cut(arg, "="); ok && name != "" && !strings.ContainsRune(name, filepath.Separator) {
		return name, path
	}
	return "", arg
}

// options are the engine's, as the flags say.
func (m *modelFile) options(c *cli.Context, log *slog.Logger) engine.Options {
	return engine.Options{
		Model: m.path, Overrides: m.what.Overrides,
		Context: c.Int("ctx"), Threads: c.Int("threads"), GPULayers: gpuLayers(c),
		FlashAttention: c.String("flash-attn"), CacheTypeK: c.String("cache-type-k"), CacheTypeV: c.String("cache-type-v"),
		BackendDir: c.String("backend-dir"), Logger: log,
	}
}

// loaded is a model that answers.
type loaded struct {
	file   *modelFile
	engine *engine.Engine
	codec  models.Codec
	chat   models.ChatCodec // nil: the model was not trained for conversations
}

// load brings m into memory.
func (m *modelFile) load(ctx context.Context, o engine.Options) (*loaded, error) {
	e, err := engine.Load(ctx, o)
	if err != nil {
		return nil, err
	}
	codec, err := models.For(m.what, e.Vocabulary())
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	l := &loaded{file: m, engine: e, codec: codec}
	if m.what.Chat == models.NoChat {
		return l, nil
	}
	if l.chat, err = chatCodec(m.what, e.Vocabulary()); err != nil {
		o.Logger.Warn("the model serves without conversations", "reason", err)
		l.chat = nil
	}
	return l, nil
}

// chatCodec lays out conversations for a model, by the template in its file where nothing better is known,
// or where there are tools.
func chatCodec(what models.Recognition, vocab *engine.Vocabulary) (models.ChatCodec, error) {
	template, err := vocab.Template()
	switch {
	case err == nil:
		return models.ForChat(what, vocab, template)
	case what.Chat == models.ByTemplate:
		return nil, err
	}
	return models.ForChat(what, vocab, nil)
}

// close frees the model. What goes wrong then can only be reported.
func (l *loaded) close() {
	if err := l.engine.Close(); err != nil {
		slog.Error("closing the model", "error", err)
	}
}

// loadModel loads the model of --model for one person at the terminal.
func loadModel(c *cli.Context) (*loaded, error) {
	m, err := openModel(c)
	if err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	if c.Bool("verbose") {
		log = slog.New(slog.NewTextHandler(c.App.ErrWriter, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	o := m.options(c, log)
	o.Parallel = 1
	if err := tryModel(c, log, m); err != nil {
		return nil, err
	}
	if _, err := placeModels(c, log, []engine.Options{o}); err != nil {
		return nil, err
	}
	if isTerminal(c.App.ErrWriter) {
		o.Progress = newProgress(c.App.ErrWriter, log, "loading "+filepath.Base(m.path)).of(m.size).set
	}
	return m.load(c.Context, o)
}

// vocabulary is a model's tokenizer without its weights.
type vocabulary struct {
	file  *modelFile
	vocab *engine.Vocabulary
	limit int // tokens of one request
}

func loadVocabulary(c *cli.Context) (*vocabulary, error) {
	m, err := openModel(c)
	if err != nil {
		return nil, err
	}
	v, err := engine.OpenVocabulary(m.options(c, slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	limit := m.what.Context
	if n := c.Int("ctx"); n > 0 {
		limit = min(limit, n)
	} else {
		limit = min(limit, engine.DefaultContext)
	}
	return &vocabulary{m, v, limit}, nil
}

func (v *vocabulary) close() {
	if err := v.vocab.Close(); err != nil {
		slog.Error("closing the vocabulary", "error", err)
	}
}

// checkModelFlags refuses numbers that mean nothing, before a file is touched.
func checkModelFlags(c *cli.Context) error {
	for _, name := range []string{"ctx", "threads"} {
		if n := c.Int(name); n < 0 {
			return usagef("--%s %d: it cannot be negative", name, n)
		}
	}
	if _, err := parseGPULayers(c.String("gpu-layers")); err != nil {
		return err
	}
	if n := c.Int("threads"); n > 512 {
		return usagef("--threads %d: at most 512", n)
	}
	if c.Int("ctx") != 0 && c.Int("ctx") < 256 {
		return usagef("--ctx %d: at least 256 tokens are needed", c.Int("ctx"))
	}
	return nil
}

// describe is one line about a model.
func (m *modelFile) describe() string {
	can := "completes code from the text above the cursor"
	if m.what.FIM {
		can = "fills in code between the text above and below the cursor (" + m.what.Layout + ")"
	}
	return fmt.Sprintf("%s: family %s, %s; it %s", m.name, m.what.Family, m.what.Role, can)
}
