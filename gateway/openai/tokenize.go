package openai

import (
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"aigw/gateway/serving"
	"aigw/gateway/wire"
	"aigw/models"
)

type tokenizeRequest struct {
	Model      string `json:"model"`
	Content    string `json:"content"`
	AddSpecial bool   `json:"add_special"`
	// ParseSpecial is on unless it is switched off, as at llama-server.
	ParseSpecial *bool `json:"parse_special"`
	WithPieces   bool  `json:"with_pieces"`
}

// tokenPiece is a token with its text; of one that is no text by itself, such as a part of a character, its bytes.
type tokenPiece struct {
	ID    models.Token `json:"id"`
	Piece any          `json:"piece"`
}

// tokenize answers POST /tokenize.
func (room *Room) tokenize(c *gin.Context) {
	var r tokenizeRequest
	if !read(c, &r) {
		return
	}
	vocabulary, err := room.vocabulary(c, r.Model)
	if err != nil {
		fail(c, err)
		return
	}
	ids, err := r.tokens(vocabulary)
	if err != nil {
		fail(c, invalid("content", "%s", err))
		return
	}
	if !r.WithPieces {
		wire.JSON(c, http.StatusOK, map[string][]models.Token{"tokens": append([]models.Token{}, ids...)})
		return
	}
	pieces := make([]tokenPiece, len(ids))
	for i, id := range ids {
		text := vocabulary.Piece(id)
		if pieces[i] = (tokenPiece{id, text}); !utf8.ValidString(text) {
			bytes := make([]int, len(text)) // a []byte would become Base64
			for k := range bytes {
				bytes[k] = int(text[k])
			}
			pieces[i].Piece = bytes
		}
	}
	wire.JSON(c, http.StatusOK, map[string][]tokenPiece{"tokens": pieces})
}

func (r *tokenizeRequest) tokens(v models.Tokenizer) (ids []models.Token, err error) {
	text := strings.ToValidUTF8(r.Content, "\uFFFD")
	if special, ok := v.(speller); ok && (r.ParseSpecial == nil || *r.ParseSpecial) {
		ids, err = special.TokenizeSpecial(text)
	} else {
		ids, err = v.Tokenize(text)
	}
	if bos, ok := v.BOS(); ok && r.AddSpecial && err == nil {
		ids = append([]models.Token{bos}, ids...)
	}
	return ids, err
}

type detokenizeRequest struct {
	Model  string         `json:"model"`
	Tokens []models.Token `json:"tokens"`
}

type detokenized struct {
	Content string `json:"content"`
}

// detokenize answers POST /detokenize.
func (room *Room) detokenize(c *gin.Context) {
	var r detokenizeRequest
	if !read(c, &r) {
		return
	}
	vocabulary, err := room.vocabulary(c, r.Model)
	if err != nil {
		fail(c, err)
		return
	}
	var text strings.Builder
	for _, id := range r.Tokens {
		text.WriteString(vocabulary.Piece(id))
	}
	wire.JSON(c, http.StatusOK, detokenized{strings.ToValidUTF8(text.String(), "\uFFFD")})
}

// vocabulary returns the tokenizer of a model.
func (room *Room) vocabulary(c *gin.Context, name string) (models.Tokenizer, error) {
	model, err := room.choose(c, serving.Completion, name)
	if err != nil {
		return nil, err
	}
	if model.Vocabulary == nil {
		return nil, unsupported("model", "the tokenizer of model %s cannot be asked", model.Name)
	}
	return model.Vocabulary, nil
}
