package openai

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

type modelList struct {
	Object string      `json:"object"`
	Data   []modelCard `json:"data"`
}

// modelCard is a name under which a model answers.
type modelCard struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"` // when the server was started
	OwnedBy string `json:"owned_by"`
	// Root is the model's own name, where this is another one of it.
	Root string `json:"root"`
	// MaxModelLen is how many tokens prompt and answer may have together (the name is vLLM's).
	MaxModelLen int `json:"max_model_len"`
}

// listModels answers GET /v1/models: the names of all models, and the others that they answer to.
func (room *Room) listModels(c *gin.Context) {
	cards, err := room.cards(c)
	if err != nil {
		fail(c, err)
		return
	}
	wire.JSON(c, http.StatusOK, modelList{"list", cards})
}

// showModel answers GET /v1/models/ID.
func (room *Room) showModel(c *gin.Context) {
	cards, err := room.cards(c)
	if err != nil {
		fail(c, err)
		return
	}
	unknown := &serving.UnknownModelError{Name: strings.TrimPrefix(c.Param("id"), "/")}
	for _, card := range cards {
		if strings.EqualFold(card.ID, unknown.Name) {
			wire.JSON(c, http.StatusOK, card)
			return
		}
		unknown.Loaded = append(unknown.Loaded, card.ID)
	}
	fail(c, unknown)
}

func (room *Room) cards(c *gin.Context) ([]modelCard, error) {
	all, err := room.Models.Models()
	embedding := room.Models.Embedding()
	if err != nil && (embedding == nil || room.Models.Check() != nil) {
		return nil, err
	}
	cards, seen, allowed := []modelCard{}, map[string]bool{}, may(c)
	for _, m := range all {
		if !allowed(m) {
			continue
		}
		for _, name := range append([]string{m.Name}, m.Aliases...) {
			if folded := strings.ToLower(name); !seen[folded] { // the first of a name answers to it
				seen[folded] = true
				cards = append(cards, modelCard{name, "model", room.made.Unix(), "aigw", m.Name, m.ContextSize})
			}
		}
	}
	if embedding != nil && allowed(&serving.Model{Name: embedding.Name}) {
		cards = append(cards, modelCard{embedding.Name, "model", room.made.Unix(), "aigw", embedding.Name, embedding.Embedder.Limit()})
	}
	return cards, nil
}
