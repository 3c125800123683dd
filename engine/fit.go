package engine

import "fmt"

// smallestContext is the least number of tokens that is worth suggesting: a completion with a
// screen of code around the cursor.
const smallestContext = 2048

// Settings are those that decide about memory and may be changed without another file.
type Settings struct {
	Context    int // cells
	CacheTypes string
}

// Fit is a way to make a model fit.
type Fit struct {
	Settings Settings // zero: only other weights help
	Needed   uint64   // main memory with them
	// Weights is what the weights may have; 0 if settings help.
	Weights uint64
}

// FindFit looks for settings with which the model of o needs no more than limit bytes of main
// memory: with as much context as possible, and where that helps with the cache in 8 bits, which costs
// next to no quality. It makes contexts without memory, a few milliseconds each.
func FindFit(o Options, limit uint64) (Fit, error) {
	p, err := openPlanner(o)
	if err != nil {
		return Fit{}, err
	}
	defer p.close()
	now, err := p.plan(o)
	if err != nil {
		return Fit{}, err
	}
	if o.DraftModel != "" {
		draft, err := PlanMemory(o.draftOptions(now.Context))
		if err != nil {
			return Fit{}, fmt.Errorf("draft model: %w", err)
		}
		limit -= min(limit, draft.Needed())
	}
	return findFit(o, limit, now, p.plan)
}

func findFit(o Options, limit uint64, now *MemoryPlan, plan func(Options) (*MemoryPlan, error)) (Fit, error) {
	contexts := []int{now.Context}
	for n := now.Context / 2 / 256 * 256; n >= smallestContext; n = n / 2 / 256 * 256 {
		contexts = append(contexts, n)
	}
	types := []string{"", "q8_0"}
	if o.FlashAttention == "off" || firstKeys(o.CacheTypeK) != "f16" || orText(o.CacheTypeV, "f16") != "f16" {
		types = types[:1]
	}
	smallest := now
	try := func(context int, cacheTypes string) (Fit, bool) {
		tried := o
		tried.Context = context
		if cacheTypes != "" {
			tried.CacheTypeK, tried.CacheTypeV = cacheTypes, cacheTypes
		}
		p, err := plan(tried)
		if err != nil { // a cache type that does not suit the heads of this model
			return Fit{}, false
		}
		if p.Needed() < smallest.Needed() {
			smallest = p
		}
		return Fit{Settings: Settings{context, cacheTypes}, Needed: p.Needed()}, p.Needed() <= limit
	}
	for i, context := range contexts {
		for _, cacheTypes := range types {
			if i == 0 && cacheTypes == "" {
				continue // what is set now
			}
			if fit, ok := try(context, cacheTypes); ok {
				return fit, nil
			}
		}
	}
	weights := smallest.unpacked() + smallest.Repacked
	others := smallest.Needed() - weights
	return Fit{Needed: smallest.Needed(), Weights: limit - min(limit, others)}, nil
}

// MostLayers returns the most layers, of 0 to total, that fit, if n fit wherever n+1 do.
func MostLayers(total int, fits func(n int) (bool, error)) (int, error) {
	low, high := 0, total
	for low < high {
		n := (low + high + 1) / 2
		ok, err := fits(n)
		switch {
		case err != nil:
			return 0, fmt.Errorf("place %d layers on the GPU: %w", n, err)
		case ok:
			low = n
		default:
			high = n - 1
		}
	}
	return low, nil
}

// gpuReserve is what the driver and its libraries take of a GPU beside the plan.
const gpuReserve = 1 << 30

// PlaceLayers returns how many layers of the model of o, of all, the GPUs' free memory holds
// together with their share of the cache, beside what others take of it, in bytes by name of the
// GPU. It is 0 where there is no GPU.
func PlaceLayers(o Options, taken map[string]uint64) (layers, of int, err error) {
	o.GPULayers = -1
	whole, err := PlanMemory(o)
	if err != nil || whole.GPULayers == 0 {
		return 0, 0, err
	}
	layers, err = MostLayers(whole.Layers, func(n int) (bool, error) {
		if n == whole.Layers {
			return fitGPUs(whole, taken), nil
		}
		o.GPULayers = n
		p, err := PlanMemory(o)
		return err == nil && fitGPUs(p, taken), err
	})
	return layers, whole.Layers, err
}

func fitGPUs(p *MemoryPlan, taken map[string]uint64) bool {
	for _, g := range p.GPUs {
		if g.Total()+taken[g.Name]+gpuReserve > g.Free {
			return false
		}
	}
	return true
}
