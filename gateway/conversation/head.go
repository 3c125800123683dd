package conversation

import (
	"context"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/models"
)

// What many prompts begin with, their head, is worth computing once and keeping.

// leastHead is what is not worth a place in the cache, in tokens: a few are computed along with any prompt.
const leastHead = 16

// inCommon is how many tokens a prompt begins with that the prompt of another conversation begins with, too. Formats that put
// the rules next to the last question have next to none.
func inCommon(model *serving.Model, prompt models.Prompt, alike []models.Message) int {
	if len(alike) == 0 {
		return 0
	}
	other, err := model.Chat.Chat(alike, models.ChatOptions{Room: model.ContextSize})
	if err != nil {
		return 0
	}
	n := 0
	for n < min(len(prompt.Tokens), len(other.Tokens)) && prompt.Tokens[n] == other.Tokens[n] {
		n++
	}
	if n < leastHead {
		return 0
	}
	return n
}

// warmSlice is how many tokens are asked for at a time, ahead of all questions: whoever comes meanwhile waits for the slice under
// way only. On two slow cores one takes some 0.1 s.
const warmSlice = 64

// Warm has a model compute and keep what two conversations have in common, when nobody wants anything else of it.
func Warm(ctx context.Context, model *serving.Model, one, other []models.Message) error {
	prompt, err := model.Chat.Chat(one, models.ChatOptions{Room: model.ContextSize - 1})
	if err != nil {
		return err
	}
	n := inCommon(model, prompt, other)
	if n == 0 {
		return nil
	}
	for done := 0; done < n && err == nil; {
		work := engine.Request{MaxTokens: 1, Sampling: prompt.Sampling, Stops: prompt.Stops, Class: engine.Background}
		if done = min(done+warmSlice, n); done == n {
			work.Keep = n
		}
		work.Prompt = prompt.Tokens[:done]
		_, err = model.Generator.Generate(ctx, work, func(string) error { return nil })
	}
	return err
}
