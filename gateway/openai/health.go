package openai

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/engine"
	"aigw/gateway/serving"
	"aigw/gateway/wire"
)

// health answers GET /health, which says only whether all models answer.
func (room *Room) health(c *gin.Context) {
	if err := room.Models.Check(); err != nil {
		fail(c, err)
		return
	}
	wire.JSON(c, http.StatusOK, map[string]string{"status": "ok"})
}

// properties are what programs ask llama-server for before they begin.
type properties struct {
	Settings    settings   `json:"default_generation_settings"`
	TotalSlots  int        `json:"total_slots"` // requests that are computed at once
	ModelAlias  string     `json:"model_alias"`
	ModelPath   string     `json:"model_path"` // the model's name: where its file lies is nobody's business
	ModelFamily string     `json:"model_family"`
	FillsIn     bool       `json:"fills_in"`
	Modalities  modalities `json:"modalities"`
	BOSToken    string     `json:"bos_token"`
	BuildInfo   string     `json:"build_info"`
}

type settings struct {
	ContextSize int `json:"n_ctx"` // of one request
}

type modalities struct {
	Vision bool `json:"vision"`
	Audio  bool `json:"audio"`
}

// props answers GET /props, for the model that is named in ?model=, else that of completions.
func (room *Room) props(c *gin.Context) {
	model, err := room.choose(c, serving.Completion, c.Query("model"))
	if err != nil {
		fail(c, err)
		return
	}
	p := properties{
		Settings: settings{model.ContextSize}, TotalSlots: parallel(model.Generator), ModelAlias: model.Name, ModelPath: model.Name,
		ModelFamily: model.Family, FillsIn: model.FillsIn, BuildInfo: room.fingerprint(),
	}
	if v := model.Vocabulary; v != nil {
		if bos, ok := v.BOS(); ok {
			p.BOSToken = v.Piece(bos)
		}
	}
	wire.JSON(c, http.StatusOK, p)
}

// parallel returns how many requests a generator works on at once; 1 if it does not say.
func parallel(g serving.Generator) int {
	for {
		switch x := g.(type) {
		case interface{ State() engine.State }:
			return x.State().Parallel
		case interface{ Unwrap() serving.Generator }:
			g = x.Unwrap()
		default:
			return 1
		}
	}
}
