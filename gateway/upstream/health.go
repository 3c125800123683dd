package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sony/gobreaker/v2"
)

// How often a server is asked which models it has, and how long that may take.
const (
	lookEvery = 10 * time.Second
	lookTakes = 5 * time.Second
	modelList = 4 << 20 // bytes of the answer
)

// Found is what a server says of its model.
type Found struct {
	ID      string
	Context int // tokens of one request; 0: it does not say
}

// card is an entry of /v1/models.
type card struct {
	ID      string `json:"id"`
	Max     int    `json:"max_model_len"` // vLLM, and this program
	Context int    `json:"context_length"`
	Meta    struct {
		Context int `json:"n_ctx"`
	} `json:"meta"` // llama-server
}

// Look asks the server for its models, notes whether it answers, and returns the one that is meant.
func (m *Model) Look(ctx context.Context) (Found, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTakes)
	defer cancel()
	found, err := m.look(ctx)
	m.mu.Lock()
	changed := !m.looked || (m.health == nil) != (err == nil)
	m.health, m.looked = err, true
	m.mu.Unlock()
	switch {
	case err == nil:
		m.id.Store(&found.ID)
		if changed {
			m.o.Logger.Info("a model server answers", "model", m.o.Name, "host", m.Host(), "id", found.ID)
		}
	case changed && ctx.Err() == nil:
		m.o.Logger.Warn("a model server does not answer", "model", m.o.Name, "host", m.Host(), "error", err)
	}
	return found, err
}

func (m *Model) look(ctx context.Context) (Found, error) {
	r, err := m.request(ctx, http.MethodGet, "models", nil)
	if err != nil {
		return Found{}, err
	}
	x := &exchange{m: m}
	answer, err := m.o.Client.HTTP().Do(r)
	if err != nil {
		return Found{}, &Error{Host: m.Host(), Cause: "it cannot be reached: " + err.Error(), err: err}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, modelList))
	if err != nil {
		return Found{}, &Error{Host: m.Host(), Cause: "its list of models broke off: " + err.Error(), err: err}
	}
	if answer.StatusCode != http.StatusOK {
		return Found{}, x.refused(answer, "")
	}
	var list struct {
		Data []card `json:"data"`
	}
	if err := json.Unmarshal(text, &list); err != nil || len(list.Data) == 0 {
		return Found{}, &Error{Host: m.Host(), Cause: "its list of models cannot be read; is that OpenAI's API?", err: err}
	}
	return m.choose(list.Data)
}

// choose finds the model that is meant among all that the server has.
func (m *Model) choose(all []card) (Found, error) {
	wanted := m.o.ID
	if wanted == "" {
		wanted = m.o.Name
	}
	i := slices.IndexFunc(all, func(c card) bool { return strings.EqualFold(c.ID, wanted) })
	if i < 0 && m.o.ID == "" && len(all) == 1 {
		i = 0
	}
	if i < 0 {
		var ids []string
		for _, c := range all[:min(len(all), 20)] {
			ids = append(ids, c.ID)
		}
		return Found{}, &Error{Host: m.Host(), Cause: fmt.Sprintf("it has no model %q; say which with --model %s=URL#MODEL, of: %s", wanted, m.o.Name, strings.Join(ids, ", "))}
	}
	c := all[i]
	return Found{ID: c.ID, Context: max(c.Max, c.Context, c.Meta.Context)}, nil
}

// identifier is what the server calls the model. Where it was not asked yet, it is.
func (m *Model) identifier(ctx context.Context) (string, error) {
	if id := m.id.Load(); id != nil {
		return *id, nil
	}
	found, err := m.Look(ctx)
	return found.ID, err
}

// Watch asks the server again and again, until ctx ends.
func (m *Model) Watch(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(lookEvery):
			_, _ = m.Look(ctx) // it is noted
		}
	}
}

// Available says why the model cannot be used at the moment; nil is that nothing is known against it.
func (m *Model) Available() error {
	if m.circuit.State() == gobreaker.StateOpen {
		return &Error{Host: m.Host(), Cause: "it has failed several times in a row", Retry: m.closesIn()}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.looked {
		return errors.New("it was not asked yet")
	}
	return m.health
}

// Connect asks the server for the first time and returns how many tokens one request may have: what the server says, but no
// more than wanted, unless that is 0. A server that does not answer yet is no error: Available says so, and it is asked
// again by Watch and by each request.
func (m *Model) Connect(ctx context.Context, wanted int) int {
	found, _ := m.Look(ctx) // it is noted
	size := found.Context
	switch {
	case size == 0 && wanted == 0:
		size = DefaultContext
	case size == 0 || wanted > 0 && wanted < size:
		size = wanted
	}
	m.limit.Store(int64(size))
	return size
}
