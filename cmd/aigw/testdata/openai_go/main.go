// Openai_go asks a gateway as programs do that use the Go module openai-go.
//
//	openai_go URL KEY
//
// The models are called smol and embed. It is a module of its own, so that the client is no dependency of the
// program's. Whatever is not as the client expects it is said, and ends in exit code 1.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/shared"
)

const model = "smol"

// talk is a conversation with the greedy answer of a few tokens.
func talk(more func(*openai.ChatCompletionNewParams)) openai.ChatCompletionNewParams {
	p := openai.ChatCompletionNewParams{
		Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage("What is the capital of France?")},
		Temperature: openai.Float(0), MaxCompletionTokens: openai.Int(16),
	}
	if more != nil {
		more(&p)
	}
	return p
}

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: openai_go URL KEY")
		os.Exit(2)
	}
	ctx := context.Background()
	url, key := os.Args[1], os.Args[2]
	for _, base := range []string{url + "/v1", url + "/v1/", url} { // people write all of them
		client := openai.NewClient(option.WithBaseURL(base), option.WithAPIKey(key), option.WithMaxRetries(0))
		for name, check := range map[string]func(context.Context, openai.Client) error{
			"models": models, "chat": chat, "tools": tools, "a schema": schema, "completions": completions, "embeddings": embeddings, "errors": refusals,
		} {
			if base != url+"/v1" && name != "models" {
				continue
			}
			if err := check(ctx, client); err != nil {
				fmt.Fprintf(os.Stderr, "%s, %s: %v\n", base, name, err)
				os.Exit(1)
			}
		}
	}
	stranger := openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey("sk-aigw-wrong"), option.WithMaxRetries(0))
	if _, err := stranger.Models.List(ctx); refused(err, 401, "authentication_error", "invalid_api_key", "") != nil {
		fmt.Fprintf(os.Stderr, "a wrong key: %v\n", err)
		os.Exit(1)
	}
	fmt.Println("openai-go got what it expects")
}

func models(ctx context.Context, client openai.Client) error {
	page, err := client.Models.List(ctx)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(page.Data, func(m openai.Model) bool { return m.ID == model }) {
		return fmt.Errorf("%+v", page.Data)
	}
	one, err := client.Models.Get(ctx, model)
	if err != nil || one.ID != model || one.Object != "model" || one.Created == 0 {
		return fmt.Errorf("%+v, %w", one, err)
	}
	return nil
}

// chat is answered alike whole and streamed.
func chat(ctx context.Context, client openai.Client) error {
	whole, err := client.Chat.Completions.New(ctx, talk(func(p *openai.ChatCompletionNewParams) {
		p.Logprobs, p.TopLogprobs = openai.Bool(true), openai.Int(2)
	}))
	if err != nil {
		return err
	}
	x := whole.Choices[0]
	if !strings.Contains(x.Message.Content, "France") || whole.Usage.TotalTokens != whole.Usage.PromptTokens+whole.Usage.CompletionTokens || len(x.Logprobs.Content) == 0 || len(x.Logprobs.Content[0].TopLogprobs) != 2 {
		return fmt.Errorf("whole: %s", whole.RawJSON())
	}
	stream := client.Chat.Completions.NewStreaming(ctx, talk(func(p *openai.ChatCompletionNewParams) {
		p.StreamOptions.IncludeUsage = openai.Bool(true)
	}))
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			return fmt.Errorf("a piece that does not fit: %s", stream.Current().RawJSON())
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if all.Choices[0].Message.Content != x.Message.Content || all.Usage.CompletionTokens != whole.Usage.CompletionTokens || all.Choices[0].FinishReason != x.FinishReason {
		return fmt.Errorf("streamed %q with %+v, whole %q with %+v", all.Choices[0].Message.Content, all.Usage, x.Message.Content, whole.Usage)
	}
	return nil
}

// tools are called whole and streamed, and the conversation goes on from what they return.
func tools(ctx context.Context, client openai.Client) error {
	offer := func(p *openai.ChatCompletionNewParams) {
		p.MaxCompletionTokens = openai.Int(64)
		p.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: "find_place", Description: openai.String("Find a place"), Strict: openai.Bool(true), Parameters: shared.FunctionParameters{
				"type": "object", "properties": map[string]any{"kind": map[string]any{"enum": []string{"city", "river"}}}, "required": []string{"kind"}, "additionalProperties": false,
			},
		})}
		p.ToolChoice.OfAuto = openai.String("required")
	}
	whole, err := client.Chat.Completions.New(ctx, talk(offer))
	if err != nil {
		return err
	}
	calls := whole.Choices[0].Message.ToolCalls
	var arguments struct{ Kind string }
	if len(calls) == 0 || whole.Choices[0].FinishReason != "tool_calls" || json.Unmarshal([]byte(calls[0].Function.Arguments), &arguments) != nil || arguments.Kind != "city" && arguments.Kind != "river" {
		return fmt.Errorf("whole: %s", whole.RawJSON())
	}
	stream := client.Chat.Completions.NewStreaming(ctx, talk(offer))
	var all openai.ChatCompletionAccumulator
	finished := 0
	for stream.Next() {
		all.AddChunk(stream.Current())
		if _, ok := all.JustFinishedToolCall(); ok {
			finished++
		}
	}
	if err := stream.Err(); err != nil {
		return err
	}
	if got := all.Choices[0].Message.ToolCalls; finished != len(calls) || len(got) != len(calls) || got[0].ID == "" || got[0].Function.Name != "find_place" || got[0].Function.Arguments != calls[0].Function.Arguments {
		return fmt.Errorf("streamed: %+v, %d finished", got, finished)
	}
	back, err := client.Chat.Completions.New(ctx, talk(func(p *openai.ChatCompletionNewParams) {
		offer(p)
		p.ToolChoice.OfAuto = openai.String("none")
		p.Messages = append(p.Messages, whole.Choices[0].Message.ToParam())
		for _, call := range calls {
			p.Messages = append(p.Messages, openai.ToolMessage("Paris", call.ID))
		}
	}))
	if err != nil || len(back.Choices[0].Message.ToolCalls) != 0 {
		return fmt.Errorf("after the call: %v, %w", back, err)
	}
	return nil
}

func schema(ctx context.Context, client openai.Client) error {
	answer, err := client.Chat.Completions.New(ctx, talk(func(p *openai.ChatCompletionNewParams) {
		p.MaxCompletionTokens = openai.Int(64)
		p.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{
			Name: "city", Strict: openai.Bool(true), Schema: map[string]any{
				"type": "object", "properties": map[string]any{"city": map[string]any{"type": "string", "maxLength": 20}}, "required": []string{"city"}, "additionalProperties": false,
			},
		}}
	}))
	if err != nil {
		return err
	}
	var city struct{ City string }
	if err := json.Unmarshal([]byte(answer.Choices[0].Message.Content), &city); err != nil || city.City == "" {
		return fmt.Errorf("%s, %w", answer.RawJSON(), err)
	}
	return nil
}

// completions continue a text, and fill in what belongs before a suffix.
func completions(ctx context.Context, client openai.Client) error {
	p := openai.CompletionNewParams{Model: model, Temperature: openai.Float(0), MaxTokens: openai.Int(8), Seed: openai.Int(1)}
	p.Prompt.OfArrayOfStrings = []string{"1, 2, 3,", "a, b, c,"}
	done, err := client.Completions.New(ctx, p)
	if err != nil || len(done.Choices) != 2 || !strings.Contains(done.Choices[0].Text, "4") {
		return fmt.Errorf("%v, %w", done, err)
	}
	p.Prompt = openai.CompletionNewParamsPromptUnion{OfString: openai.String("def add(a, b):\n    return")}
	p.Suffix = openai.String("\n\nprint(add(1, 2))\n")
	filled, err := client.Completions.New(ctx, p)
	if err != nil || filled.Choices[0].Text == "" {
		return fmt.Errorf("with a suffix: %v, %w", filled, err)
	}
	stream, text := client.Completions.NewStreaming(ctx, p), ""
	for stream.Next() {
		for _, x := range stream.Current().Choices {
			text += x.Text
		}
	}
	if err := stream.Err(); err != nil || text != filled.Choices[0].Text {
		return fmt.Errorf("streamed %q, whole %q, %w", text, filled.Choices[0].Text, err)
	}
	return nil
}

func embeddings(ctx context.Context, client openai.Client) error {
	p := openai.EmbeddingNewParams{Model: "embed"}
	p.Input.OfArrayOfStrings = []string{"one text", "another"}
	vectors, err := client.Embeddings.New(ctx, p)
	if err != nil || len(vectors.Data) != 2 || len(vectors.Data[0].Embedding) == 0 || slices.Equal(vectors.Data[0].Embedding, vectors.Data[1].Embedding) {
		return fmt.Errorf("%v, %w", vectors, err)
	}
	p.Model = model // which is made for other things
	_, err = client.Embeddings.New(ctx, p)
	return refused(err, 404, "invalid_request_error", "model_not_found", "model")
}

func refusals(ctx context.Context, client openai.Client) error {
	for _, test := range []struct {
		change      func(*openai.ChatCompletionNewParams)
		status      int
		code, param string
	}{
		{func(p *openai.ChatCompletionNewParams) { p.Model = "gpt-4" }, 404, "model_not_found", "model"},
		{func(p *openai.ChatCompletionNewParams) { p.Temperature = openai.Float(3) }, 400, "invalid_value", "temperature"},
		{func(p *openai.ChatCompletionNewParams) { p.Messages = nil }, 400, "invalid_value", "messages"},
		{func(p *openai.ChatCompletionNewParams) {
			p.Messages[0] = openai.UserMessage(strings.Repeat("x ", 20000))
		}, 400, "context_length_exceeded", "messages"},
	} {
		_, err := client.Chat.Completions.New(ctx, talk(test.change))
		if err := refused(err, test.status, "invalid_request_error", test.code, test.param); err != nil {
			return err
		}
		stream := client.Chat.Completions.NewStreaming(ctx, talk(test.change))
		for stream.Next() {
			return fmt.Errorf("a stream began that is refused: %+v", test)
		}
		if err := refused(stream.Err(), test.status, "invalid_request_error", test.code, test.param); err != nil {
			return fmt.Errorf("streamed: %w", err)
		}
	}
	return nil
}

// refused says how an error differs from OpenAI's.
func refused(err error, status int, kind, code, param string) error {
	var e *openai.Error
	if !errors.As(err, &e) || e.StatusCode != status || e.Type != kind || e.Code != code || e.Param != param || e.Message == "" {
		return fmt.Errorf("%+v is not %d %s %s of %q", err, status, kind, code, param)
	}
	return nil
}
