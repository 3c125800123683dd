package openai

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

// embeddingRequest is a body of /v1/embeddings.
type embeddingRequest struct {
	Model          string `json:"model"`
	Input          inputs `json:"input"`
	EncodingFormat string `json:"encoding_format"`
	Dimensions     *int   `json:"dimensions"`
}

type embeddingAnswer struct {
	Object string          `json:"object"`
	Data   []embeddingItem `json:"data"`
	Model  string          `json:"model"`
	Usage  embeddingUsage  `json:"usage"`
}

type embeddingItem struct {
	Object    string `json:"object"`
	Index     int    `json:"index"`
	Embedding any    `json:"embedding"` // numbers, or Base64 of them as little-endian 32-bit floats
}

type embeddingUsage struct {
	PromptTokens int `json:"prompt_tokens"`
	TotalTokens  int `json:"total_tokens"`
}

// inputs are a text, a list of texts, tokens, or a list of lists of tokens.
type inputs []promptText

// mostInputs bounds those of one request, as OpenAI does.
const mostInputs = 2048

// UnmarshalJSON implements json.Unmarshaler.
func (in *inputs) UnmarshalJSON(raw []byte) error {
	var one promptText
	if one.UnmarshalJSON(raw) == nil {
		*in = inputs{one}
		return nil
	}
	var many []promptText
	switch err := json.Unmarshal(raw, &many); {
	case err != nil:
		return invalid("input", "input has to be a string, a list of strings, a list of tokens, or a list of lists of tokens")
	case len(many) > mostInputs:
		return invalid("input", "there are %d inputs; at most %d are supported in one request", len(many), mostInputs)
	}
	*in = many
	return nil
}

// embeddings answers POST /v1/embeddings.
func (room *Room) embeddings(c *gin.Context) {
	var r embeddingRequest
	if !read(c, &r) {
		return
	}
	model, err := room.embedding(c, &r)
	if err != nil {
		fail(c, err)
		return
	}
	answer := embeddingAnswer{Object: "list", Model: model.Name, Data: []embeddingItem{}}
	end := room.Metrics.Begin(metrics.Inference{Engine: feature, Model: model.Name, Feature: feature})
	failed := true
	defer func() { end(failed && c.Request.Context().Err() == nil) }()
	requestlog.Add(c.Request.Context(), slog.String("model_engine", feature), slog.String("model_name", model.Name), slog.Int("inputs", len(r.Input)))
	for i, in := range r.Input {
		vector, tokens, err := room.embed(c.Request.Context(), model, in)
		if tooLong := (*models.TooLongError)(nil); errors.As(err, &tooLong) {
			err = invalid("input", "input %d has %d tokens, this model takes %d at once; divide it", i, tooLong.Tokens, tooLong.Limit)
		}
		if err != nil {
			fail(c, err)
			return
		}
		item := embeddingItem{"embedding", i, vector}
		if r.EncodingFormat == "base64" {
			item.Embedding = packed(vector)
		}
		answer.Data = append(answer.Data, item)
		answer.Usage.PromptTokens += tokens
	}
	failed = false
	answer.Usage.TotalTokens = answer.Usage.PromptTokens
	_ = http.NewResponseController(c.Writer).SetWriteDeadline(time.Now().Add(room.WriteTimeout)) // not every test has a connection
	wire.JSON(c, http.StatusOK, answer)
}

// embedding checks a request and returns the model for it.
func (room *Room) embedding(c *gin.Context, r *embeddingRequest) (*serving.EmbeddingModel, error) {
	model := room.Models.Embedding()
	if model == nil || !may(c)(&serving.Model{Name: model.Name}) {
		if err := room.Models.Check(); err != nil {
			return nil, err
		}
		return nil, &Error{Status: http.StatusBadRequest, Message: "No loaded model computes embeddings; its administrator names one with aigw run --embedding-model FILE", Type: invalidRequest, Param: "model", Code: "model_not_suitable"}
	}
	_, bare, found := strings.Cut(r.Model, "/")
	switch {
	case r.Model != "" && !strings.EqualFold(r.Model, model.Name) && !(found && strings.EqualFold(bare, model.Name)):
		return nil, &serving.UnknownModelError{Name: r.Model, Loaded: []string{model.Name}}
	case len(r.Input) == 0:
		return nil, invalid("input", "input is missing")
	case r.EncodingFormat != "" && r.EncodingFormat != "float" && r.EncodingFormat != "base64":
		return nil, invalid("encoding_format", "encoding_format is %q; float and base64 are supported", r.EncodingFormat)
	case r.Dimensions != nil && *r.Dimensions != model.Embedder.Size():
		return nil, unsupported("dimensions", "embeddings of this model have %d numbers, and are not shortened", model.Embedder.Size())
	}
	return model, nil
}

// embed returns the embedding of one input, and how many tokens it has.
func (room *Room) embed(ctx context.Context, model *serving.EmbeddingModel, in promptText) ([]float32, int, error) {
	ids := in.ids
	if ids == nil {
		if in.text == "" {
			return nil, 0, invalid("input", "an input is empty")
		}
		var err error
		if ids, err = model.Embedder.Tokenize(strings.ToValidUTF8(in.text, "\uFFFD")); err != nil {
			return nil, 0, invalid("input", "%s", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, room.Gap)
	defer cancel()
	vector, err := model.Embedder.Embed(ctx, ids)
	return vector, len(ids), err
}

// packed is how OpenAI's own clients ask for vectors.
func packed(vector []float32) string {
	out := make([]byte, 0, 4*len(vector))
	for _, x := range vector {
		out = binary.LittleEndian.AppendUint32(out, math.Float32bits(x))
	}
	return base64.StdEncoding.EncodeToString(out)
}
