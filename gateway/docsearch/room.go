// Package docsearch answers POST /v1/search/gitlab-docs (section 11 of the wire contract): GitLab
// asks for passages of its documentation, and gives them to a chat model with the question.
package docsearch

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth"
	"aigw/gateway/requestlog"
	"aigw/gateway/schema"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/search"
)

// Options says where passages come from.
type Options struct {
	// Searcher finds them; nil finds nothing.
	Searcher search.Searcher
	// GitLab is the address that relative links are appended to, without a slash at the end. Empty
	// leaves them relative.
	GitLab string
	// Tokens bounds an answer, in tokens as they are estimated; 0 is DefaultTokens. Half of what
	// the chat model takes in is the limit in any case.
	Tokens int
	// Models say how much the chat model takes in.
	Models *serving.State
}

// DefaultTokens is the original's budget.
const DefaultTokens = 8000

// Limits of the contract.
const (
	maxPageSize     = 20
	defaultPageSize = 4
)

// Room answers searches. It may be used concurrently.
type Room struct{ options Options }

// New returns a room.
func New(o Options) *Room {
	if o.Tokens == 0 {
		o.Tokens = DefaultTokens
	}
	return &Room{o}
}

type request struct {
	Type     string
	Metadata metadata
	Payload  payload
}

type metadata struct{ Source, Version string }

type payload struct {
	Query    string
	PageSize int64
}

var body = schema.Object(
	schema.Required("type", schema.String().Max(100), func(r *request) *string { return &r.Type }),
	schema.Required("metadata", schema.Object(
		schema.Required("source", schema.String().Max(100), func(m *metadata) *string { return &m.Source }),
		schema.Required("version", schema.String().Max(100), func(m *metadata) *string { return &m.Version }),
	), func(r *request) *metadata { return &r.Metadata }),
	schema.Required("payload", schema.Object(
		schema.Required("query", schema.String().Max(400_000), func(p *payload) *string { return &p.Query }),
		schema.Optional("page_size", schema.OrNull(schema.Kind[int64](schema.Int().AtLeast(1).AtMost(maxPageSize))), func(p *payload) *int64 { return &p.PageSize }).Default(defaultPageSize),
	), func(r *request) *payload { return &r.Payload }),
)

type answer struct {
	Response struct {
		Results []result `json:"results"`
	} `json:"response"`
	Metadata struct {
		Provider  string `json:"provider"`
		Timestamp int64  `json:"timestamp"` // Unix seconds
	} `json:"metadata"`
}

type result struct {
	ID       string         `json:"id"`
	Content  string         `json:"content"`
	Metadata resultMetadata `json:"metadata"`
}

type resultMetadata struct {
	Filename   string `json:"filename"`
	Title      string `json:"title"`
	Source     string `json:"source"`
	SourceType string `json:"source_type"`
	SourceURL  string `json:"source_url"`
	MD5        string `json:"md5sum"`
	Version    string `json:"version,omitempty"`
}

// Search answers a request. A question that nothing is found for, whatever it is made of, is
// answered with an empty list.
func (room *Room) Search(c *gin.Context) {
	r, ok := wire.Read(c, body)
	if !ok {
		return
	}
	if !auth.From(c.Request.Context()).Can(auth.DocumentationSearch) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to search documentations")
		return
	}
	if r.Payload.PageSize == 0 { // null
		r.Payload.PageSize = defaultPageSize
	}
	began := time.Now()
	found, err := room.Find(c.Request.Context(), r.Payload.Query, int(r.Payload.PageSize))
	if c.Request.Context().Err() != nil {
		c.Status(wire.StatusClientGone)
		return
	}
	if err != nil {
		// GitLab says then that it does not know; an error would trip its circuit breaker.
		requestlog.Add(c.Request.Context(), slog.String("exception_message", err.Error()))
		found = nil
	}
	var a answer
	a.Response.Results = make([]result, 0, len(found))
	for _, p := range found {
		a.Response.Results = append(a.Response.Results, room.result(p))
	}
	a.Metadata.Provider, a.Metadata.Timestamp = "bleve", time.Now().Unix()
	requestlog.Add(c.Request.Context(), slog.Int("search_results", len(found)), slog.Float64("search_duration_s", time.Since(began).Seconds()))
	wire.JSON(c, http.StatusOK, a)
}

// Find returns passages within the budget. The first that does not fit ends them; one that is
// too long by itself is cut, as something is better than nothing.
func (room *Room) Find(ctx context.Context, question string, n int) ([]search.Passage, error) {
	if room.options.Searcher == nil {
		return nil, nil
	}
	found, err := room.options.Searcher.Search(ctx, question, n)
	if err != nil {
		return nil, err
	}
	left := room.budget()
	for i := range found {
		need := tokens(found[i].Content)
		if need > left {
			if i == 0 {
				found[0].Content = cut(found[0].Content, left)
				return found[:1], nil
			}
			return found[:i], nil
		}
		left -= need
	}
	return found, nil
}

func (room *Room) budget() int {
	limit := room.options.Tokens
	if room.options.Models == nil {
		return limit
	}
	if m, err := room.options.Models.Choose(serving.Chat, serving.Wanted{}); err == nil && m.ContextSize > 0 {
		limit = min(limit, m.ContextSize/2) // the other half is for prompt, question and answer
	}
	return limit
}

// bytesPerToken is few for English (4.5) and many for logs and YAML.
const bytesPerToken = 4

// tokens estimates how many tokens a text has: as the original does by its words, or by its length
// where words are long.
func tokens(text string) int {
	return max(len(strings.Fields(text))*14/10, len(text)/bytesPerToken)
}

// cut shortens a text to a budget, after a line where there is one.
func cut(text string, budget int) string {
	for tokens(text) > budget && text != "" {
		text = text[:len(text)*9/10]
	}
	if i := strings.LastIndexByte(text, '\n'); i > 0 {
		text = text[:i]
	}
	return strings.ToValidUTF8(text, "")
}

func (room *Room) result(p search.Passage) result {
	sum := md5.Sum([]byte(p.Content)) // the contract's; it protects nothing
	file := p.Path
	if file == "" {
		file = p.Page
	}
	return result{
		ID: p.ID, Content: p.Content,
		Metadata: resultMetadata{
			Filename: "/" + file, Title: p.Title, Source: file, SourceType: "doc",
			SourceURL: room.Link(p.URL), MD5: hex.EncodeToString(sum[:]), Version: p.Version,
		},
	}
}

// Link returns an address for people: http(s), or relative if GitLab's is not known.
func (room *Room) Link(url string) string {
	if strings.HasPrefix(url, "/") && !strings.HasPrefix(url, "//") {
		return room.options.GitLab + url
	}
	if strings.HasPrefix(url, "http://") || strings.HasPrefix(url, "https://") {
		return url
	}
	return ""
}
