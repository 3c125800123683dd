package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime/pprof"

	"aigw/engine"
	"aigw/gateway"
	"aigw/gateway/auth"
	"aigw/gateway/limits"
	"aigw/gateway/serving"
	"aigw/models"
)

// The program is the server where serverVariable is set.
const (
	serverVariable  = "GATEWAYCOST_SERVER"
	profileVariable = "GATEWAYCOST_PROFILE"
	tokensVariable  = "GATEWAYCOST_TOKENS" // "true": only people with a token are answered
)

// serve answers until the standard input ends. Log lines are written as in service, to nowhere.
func serve() error {
	if file := os.Getenv(profileVariable); file != "" {
		f, err := os.Create(file)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	token, who := "-", auth.Options{BypassExternal: true}
	if os.Getenv(tokensVariable) == "true" {
		var err error
		if token, who, err = goodToken(); err != nil {
			return err
		}
	}
	s := gateway.New(gateway.Options{
		Auth:           who,
		OpenAIInsecure: true,
		Limits:         limits.Options{Strangers: limits.DefaultStrangers},
		Logger:         slog.New(slog.NewJSONHandler(io.Discard, nil)), //nolint:sloglint // writing the lines is a part of the cost
	})
	s.Ready(&serving.Model{Name: "codestral", Family: "codestral", Codec: instant{}, FillsIn: true, Chat: instantChat{}, Generator: instant{}, ContextSize: 1 << 20})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	fmt.Println(listener.Addr(), token)
	return s.Serve(ctx, listener)
}

// instant is an engine and a tokenizer that take no time.
type instant struct{}

// pieces are one answer: code of eight lines.
var pieces = func() []string {
	out := make([]string, streamPieces)
	for i := range out {
		out[i] = fmt.Sprintf(" word%d", i)
		if i%12 == 11 {
			out[i] = fmt.Sprintf(" + %d\n    ", i)
		}
	}
	return out
}()

// Generate implements serving.Generator.
func (instant) Generate(_ context.Context, _ engine.Request, emit func(string) error) (engine.Result, error) {
	for _, piece := range pieces {
		if err := emit(piece); errors.Is(err, engine.ErrEnough) {
			break
		} else if err != nil {
			return engine.Result{}, err
		}
	}
	return engine.Result{Finish: engine.FinishStop, PromptTokens: 2000, OutputTokens: len(pieces)}, nil
}

// Family implements models.Codec.
func (instant) Family() string { return "codestral" }

// Completion implements models.Codec.
func (instant) Completion(models.Code, int) (models.Prompt, error) {
	return models.Prompt{Tokens: []models.Token{1}, PrefixTokens: 1800, SuffixTokens: 200}, nil
}

// Text implements models.Codec.
func (instant) Text(string, int) (models.Prompt, error) {
	return models.Prompt{Tokens: []models.Token{1}}, nil
}

// instantChat lays out conversations.
type instantChat struct{ instant }

// Format implements models.ChatCodec.
func (instantChat) Format() models.ChatFormat { return "instant" }

// Chat implements models.ChatCodec.
func (instantChat) Chat([]models.Message, models.ChatOptions) (models.Prompt, error) {
	return models.Prompt{Tokens: []models.Token{1}}, nil
}
