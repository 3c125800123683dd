package main

import (
	"context"
	"errors"
	"slices"

	"aigw/engine"
	"aigw/models"

	"github.com/urfave/cli/v2"
)

// answerFlags are those of commands that hold a conversation with a model.
func answerFlags() []cli.Flag {
	return append(modelFlags(),
		&cli.IntFlag{Name: "max-tokens", Value: 1024, Usage: "most tokens of an answer"},
		&cli.Float64Flag{Name: "temperature", Value: -1, Usage: "how freely the model draws words; 0 always takes the likeliest", DefaultText: "the model's own"},
	)
}

// loadForAnswers brings the model of the flags into memory, if it holds conversations.
func loadForAnswers(c *cli.Context) (*loaded, error) {
	if n := c.Int("max-tokens"); n < 1 {
		return nil, usagef("--max-tokens %d: at least 1 is needed", n)
	}
	m, err := loadModel(c)
	if err != nil {
		return nil, err
	}
	if m.chat == nil {
		return nil, errors.Join(&models.Refusal{File: m.file.path, Found: "this model cannot hold a conversation", Do: m.file.what.NoChat}, m.engine.Close())
	}
	return m, nil
}

// answer has a conversation continued and hands the text to emit. What does not fit is left out by shorten,
// which says when there is nothing more to leave out.
func (l *loaded) answer(ctx context.Context, c *cli.Context, messages []models.Message, shorten func([]models.Message) ([]models.Message, bool), emit func(string) error) error {
	want := min(c.Int("max-tokens"), max(1, l.engine.Limit()/2))
	for {
		prompt, err := l.chat.Chat(messages, models.ChatOptions{Room: l.engine.Limit() - want})
		if errors.As(err, new(*models.TooLongError)) {
			if shorter, ok := shorten(slices.Clone(messages)); ok {
				messages = shorter
				continue
			}
		}
		if err != nil {
			return err
		}
		if t := c.Float64("temperature"); t >= 0 {
			prompt.Sampling.Temperature = float32(t)
		}
		_, err = l.engine.Generate(ctx, engine.Request{
			Prompt: prompt.Tokens, MaxTokens: want, Sampling: prompt.Sampling, Stops: prompt.Stops, Class: engine.Chat,
		}, emit)
		return err
	}
}
