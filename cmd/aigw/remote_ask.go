package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"aigw/models"
	"aigw/search"

	"github.com/urfave/cli/v2"
)

// The gateway of --url is asked through the doors that GitLab uses: sections 5.1, 8 and 11.1 of the wire contract.

// complete asks for one suggestion.
func (r *remote) complete(ctx context.Context, code models.Code, emit func(string) error) error {
	body := map[string]any{
		"prompt_version": 1, "stream": true, "project_path": code.Project, "project_id": 0, "telemetry": []any{},
		"current_file": map[string]any{"file_name": code.FileName, "content_above_cursor": code.Prefix, "content_below_cursor": code.Suffix},
	}
	return r.post(ctx, "/v2/code/completions", body, copyText(emit))
}

// mostPageSize is how many passages a gateway returns at most.
const mostPageSize = 20

// gitLabMetadata is what GitLab says about itself.
var gitLabMetadata = map[string]any{"source": "aigw", "version": version}

// search finds passages of the documentation that the gateway has.
func (r *remote) search(ctx context.Context, question string, most int) (found []search.Passage, err error) {
	body := map[string]any{
		"type": "search-docs", "metadata": gitLabMetadata, "payload": map[string]any{"query": question, "page_size": min(most, mostPageSize)},
	}
	err = r.post(ctx, "/v1/search/gitlab-docs", body, func(in io.Reader) error {
		var answer struct {
			Response struct {
				Results []struct {
					Content  string
					Metadata struct {
						Title, Source string
						SourceURL     string `json:"source_url"`
					}
				}
			}
		}
		if err := json.NewDecoder(io.LimitReader(in, mostAnswer)).Decode(&answer); err != nil {
			return fmt.Errorf("the gateway's answer is no list of passages: %w; is that an aigw?", err)
		}
		for _, p := range answer.Response.Results {
			found = append(found, search.Passage{Title: p.Metadata.Title, URL: p.Metadata.SourceURL, Page: p.Metadata.Source, Content: p.Content})
		}
		return nil
	})
	return found, err
}

// mostAnswer bounds an answer that is read whole, in bytes.
const mostAnswer = 16 << 20

// answer has a conversation continued, with what the person asked for. What does not fit is left out by shorten.
func (r *remote) answer(ctx context.Context, c *cli.Context, messages []models.Message, shorten func([]models.Message) ([]models.Message, bool), emit func(string) error) error {
	params := map[string]any{"max_tokens_to_sample": c.Int("max-tokens")}
	if t := c.Float64("temperature"); t >= 0 {
		params["temperature"] = t
	}
	for {
		body := map[string]any{"stream": true, "prompt_components": []any{map[string]any{
			"type": "prompt", "metadata": gitLabMetadata, "payload": map[string]any{"content": messages, "params": params},
		}}}
		err := r.post(ctx, "/v1/chat/agent", body, copyText(emit))
		if refused := (*remoteError)(nil); errors.As(err, &refused) && refused.status == http.StatusUnprocessableEntity {
			if shorter, ok := shorten(messages); ok {
				messages = shorter
				continue
			}
		}
		return err
	}
}

// checkRemoteAnswer refuses what the gateway would.
func checkRemoteAnswer(c *cli.Context) error {
	if n := c.Int("max-tokens"); n < 1 || n > 8192 {
		return usagef("--max-tokens %d: from 1 to 8192 with --url", n)
	}
	if t := c.Float64("temperature"); t > 1 {
		return usagef("--temperature %g: at most 1 with --url", t)
	}
	return nil
}
