package engine

import (
	"fmt"
	"slices"
	"strings"

	"aigw/engine/llama"
)

// MemoryPlan is the memory that a model will take, in bytes, before anything large is allocated.
// Weights, cache and compute buffers are llama.cpp's own numbers for exactly these settings
// (engine/llama, PlanOnly); the rest is what its count leaves out.
type MemoryPlan struct {
	Weights    uint64    // the file's, mapped: pages that the system may drop and read again
	Repacked   uint64    // copies of weights in the order in which this CPU computes fastest
	Cache      uint64    // KV cache
	Compute    uint64    // intermediate results of a step
	Outputs    uint64    // logits, and the candidates of a sampler
	Vocabulary uint64    // pieces, merges and their tables, in llama.cpp and here
	GPUs       []GPUPlan // and other machines

	Settings  string // context, requests at once and cache types, for people
	Context   int    // cells
	Parallel  int    // requests at once
	Layers    int    // of the model, the output layer counted
	GPULayers int    // of them on GPUs
}

// GPUPlan is the part of a plan that is in the memory of one GPU, or of one device of another machine.
type GPUPlan struct {
	Name                    string
	Remote                  bool // of another machine, and Name is what people call that
	Weights, Cache, Compute uint64
	Free                    uint64 // when the plan was made
}

// Total is what the GPU must have free.
func (g GPUPlan) Total() uint64 { return g.Weights + g.Cache + g.Compute }

// Remote is the part of a plan that is on other machines.
func (p *MemoryPlan) Remote() (bytes uint64) {
	for _, g := range p.GPUs {
		if g.Remote {
			bytes += g.Total()
		}
	}
	return bytes
}

// Total is the main memory that the model takes once all of it was used.
func (p *MemoryPlan) Total() uint64 {
	return p.Weights + p.Needed() - p.unpacked()
}

// Needed is the main memory that has to be free for the model to run well: of weights that were
// repacked, the pages of the file may go.
func (p *MemoryPlan) Needed() uint64 {
	return p.unpacked() + p.Repacked + p.Cache + p.Compute + p.Outputs + p.Vocabulary
}

// unpacked is the part of the file that is computed with as it is mapped.
func (p *MemoryPlan) unpacked() uint64 { return p.Weights - min(p.Weights, p.Repacked) }

// What llama.cpp and Vocabulary keep for each piece, measured as growth of the process's memory by
// loading vocabularies alone, once and roughly: merges are kept as two texts each.
const (
	bytesPerMergedPiece = 480 // BPE
	bytesPerPiece       = 260 // others
	// candidateBytes are kept for each piece while a row is sampled: id, logit, probability.
	candidateBytes = 12
)

// PlanMemory says what Load would take with the same options. It reads the header of the file, not
// the weights, and takes as long as reading the vocabulary. The file must have been checked as for
// Load.
func PlanMemory(o Options) (*MemoryPlan, error) {
	planner, err := openPlanner(o)
	if err != nil {
		return nil, err
	}
	defer planner.close()
	p, err := planner.plan(o)
	if err != nil || o.DraftModel == "" {
		return p, err
	}
	draft, err := PlanMemory(o.draftOptions(p.Context))
	if err != nil {
		return nil, fmt.Errorf("draft model: %w", err)
	}
	p.add(draft)
	return p, nil
}

// add counts another model that is loaded along.
func (p *MemoryPlan) add(other *MemoryPlan) {
	p.Weights += other.Weights
	p.Repacked += other.Repacked
	p.Cache += other.Cache
	p.Compute += other.Compute
	p.Outputs += other.Outputs
	p.Vocabulary += other.Vocabulary
	for _, g := range other.GPUs {
		at := slices.IndexFunc(p.GPUs, func(mine GPUPlan) bool { return mine.Name == g.Name })
		if at < 0 {
			p.GPUs = append(p.GPUs, g)
			continue
		}
		p.GPUs[at].Weights += g.Weights
		p.GPUs[at].Cache += g.Cache
		p.GPUs[at].Compute += g.Compute
	}
}

// planner is a model loaded without weights.
type planner struct {
	model *llama.Model
	gpus  map[string]llama.Device // by name
}

func openPlanner(o Options) (*planner, error) {
	if err := llama.Init(llama.InitOptions{Logger: o.Logger, BackendDir: o.BackendDir}); err != nil {
		return nil, err
	}
	mo := o.modelOptions()
	mo.PlanOnly = true
	model, err := llama.LoadModel(o.Model, mo)
	if err != nil {
		return nil, err
	}
	p := &planner{model: model, gpus: map[string]llama.Device{}}
	for _, d := range llama.Info().Devices {
		if (d.Type == llama.DeviceGPU || d.Type == llama.DeviceIntegratedGPU) && !(d.Remote && o.noRemote) {
			p.gpus[d.Name] = d
		}
	}
	return p, nil
}

func (p *planner) close() { _ = p.model.Close() } // frees memory, which cannot fail

// plan makes a context of the settings and counts. The layers on GPUs are those that the planner
// was opened with.
func (p *planner) plan(o Options) (*MemoryPlan, error) {
	set, err := o.settle(p.model)
	if err != nil {
		return nil, err
	}
	set.context.Threads = 1 // a thread costs nothing that counts here
	c, err := p.model.NewContext(set.context)
	if err != nil {
		return nil, fmt.Errorf("plan memory: %w", err)
	}
	defer c.Close()
	uses, err := c.MemoryBytes()
	if err != nil {
		return nil, fmt.Errorf("plan memory: %w", err)
	}
	out := &MemoryPlan{
		Weights: p.model.SizeBytes(), Context: set.context.Context, Parallel: set.sched.Rows,
		Layers: p.model.Layers() + 1, GPULayers: o.GPULayers,
		Settings: fmt.Sprintf("%d tokens for %d requests at once, KV cache %s/%s, batch %d",
			set.context.Context, set.sched.Rows, set.context.TypeK, set.context.TypeV, set.context.Batch),
	}
	if out.GPULayers < 0 || out.GPULayers > out.Layers {
		out.GPULayers = out.Layers
	}
	if len(p.gpus) == 0 {
		out.GPULayers = 0
	}
	for _, u := range uses {
		if device, ok := p.gpus[u.Device]; ok && !u.Host {
			name := device.Name
			if device.Remote {
				name = device.Description
			}
			out.GPUs = append(out.GPUs, GPUPlan{name, device.Remote, u.Model, u.Context, u.Compute, device.FreeBytes})
			out.Weights -= min(out.Weights, u.Model) // unmapped once it is copied
			continue
		}
		if strings.HasSuffix(u.Name, "_REPACK") {
			out.Repacked += u.Model
		}
		out.Cache += u.Context
		out.Compute += u.Compute
	}
	pieces := uint64(p.model.Vocab().Size())
	out.Outputs = pieces * uint64(4*set.context.MaxOutputs+candidateBytes)
	each := uint64(bytesPerPiece)
	if p.model.Vocab().Type() == llama.VocabBPE {
		each = bytesPerMergedPiece
	}
	out.Vocabulary = pieces * each
	return out, nil
}
