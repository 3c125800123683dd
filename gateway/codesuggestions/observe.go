package codesuggestions

import (
	"log/slog"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"aigw/gateway/metrics"
	"aigw/gateway/requestlog"
)

// count notes the request's language and the editor's reports.
func (room *Room) count(file File, reports []Telemetry) {
	room.Metrics.CountLanguage(detect(file).langName(), extensionLabel(file.Name), editorLabel(file.editorID()))
	for _, t := range reports {
		room.Metrics.CountTelemetry(metrics.Telemetry{
			Engine:      t.Engine,
			Model:       t.Model,
			Language:    languageLabel(t.Language),
			Experiments: len(t.Experiments) > 0,
			Requests:    t.Requests,
			Accepts:     t.Accepts,
			Errors:      t.Errors,
		})
	}
}

// score is what the original logs for models that give none, as self-hosted ones do.
const score = 100_000

// logInference adds the sizes of a generation to the request's log line, never its
// texts. "Stripped" lengths are without white space.
func (room *Room) logInference(c *gin.Context, s *suggestion, inference metrics.Inference, text string, took time.Duration) {
	length, stripped := lengths(s.file.Above, s.file.Below)
	if s.own != "" {
		length, stripped = lengths(s.own)
	}
	outputLength, outputStripped := lengths(text)
	room.Metrics.Spent(inference, length, outputLength)
	requestlog.Add(c.Request.Context(),
		slog.String("model_engine", engineName),
		slog.String("model_name", s.model.DisplayName()),
		slog.String("lang", detect(s.file).langName()),
		slog.String("editor_lang", editorLabel(s.file.editorID())),
		slog.Int("prompt_length", length),
		slog.Int("prompt_length_stripped", stripped),
		slog.Int("model_output_length", outputLength),
		slog.Int("model_output_length_stripped", outputStripped),
		slog.Int("model_output_score", score),
		slog.Bool("blocked", false), // no filter of a cloud stands before the model
		slog.Float64("inference_duration_s", took.Seconds()),
	)
}

// lengths counts characters, with and without white space.
func lengths(texts ...string) (all, stripped int) {
	for _, text := range texts {
		for _, r := range text {
			all++
			// Most are ASCII, where no table is needed.
			if r > ' ' && r < utf8.RuneSelf || !unicode.IsSpace(r) {
				stripped++
			}
		}
	}
	return all, stripped
}
