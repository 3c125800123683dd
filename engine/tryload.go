package engine

import (
	"errors"
	"fmt"

	"aigw/engine/llama"
)

// TryLoad loads a file as cheaply as llama.cpp can and decodes one token: weights mapped, not
// repacked, on the CPU, a context of 256 tokens. The chat template of the file is tried too. It is for a process of its own: whatever makes
// llama.cpp end the process does it here. Of o it takes Model, Overrides, Threads, BackendDir and
// Logger.
func TryLoad(o Options) error {
	if err := llama.Init(llama.InitOptions{Logger: o.Logger, BackendDir: o.BackendDir}); err != nil {
		return err
	}
	o.GPULayers = 0
	mo := o.modelOptions()
	mo.LoadMode, mo.NoRepack = llama.LoadMap, true
	model, err := llama.LoadModel(o.Model, mo)
	if err != nil {
		return err
	}
	defer model.Close()
	o.Context, o.Batch, o.Parallel = min(256, model.TrainContext()), 32, 1
	set, err := o.settle(model)
	if err != nil {
		return err
	}
	c, err := model.NewContext(set.context)
	if err != nil {
		return err
	}
	v := newVocabulary(model)
	if err := warmUp(c, v); err != nil {
		return errors.Join(fmt.Errorf("try %s: %w", o.Model, err), c.Close())
	}
	// A template that is refused costs the conversations, not the model; that is said when it is
	// loaded. Here it only must not end or hold up the process.
	if _, err := v.Template(); err != nil && o.Logger != nil {
		o.Logger.Debug("the chat template of the file cannot be used", "error", err)
	}
	return errors.Join(v.closeTemplate(), c.Close())
}
