package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"

	"aigw/engine"

	"github.com/urfave/cli/v2"
)

// placeModels decides where the layers of models go and plans the memory of all of them together,
// before any is loaded: options get the number of layers, and what does not fit is refused with a
// setting that would.
func placeModels(c *cli.Context, log *slog.Logger, options []engine.Options) ([]*engine.MemoryPlan, error) {
	if err := checkGPU(c, log); err != nil {
		return nil, err
	}
	available, err := engine.Available()
	if err != nil {
		log.Warn("it is not known how much memory there is; nothing is checked", "error", err)
		available.Bytes = 1 << 62
	}
	plans := make([]*engine.MemoryPlan, len(options))
	taken := map[string]uint64{} // of GPUs, by models before
	for i := range options {
		if plans[i], err = placeModel(log, &options[i], taken); err != nil {
			return nil, err
		}
	}
	return plans, checkMemory(options, plans, available)
}

// placeModel plans one model beside what others take of the GPUs.
func placeModel(log *slog.Logger, o *engine.Options, taken map[string]uint64) (*engine.MemoryPlan, error) {
	if o.GPULayers == autoLayers && !engine.HasGPU() && !engine.HasRemote() {
		o.GPULayers = 0
	}
	if o.GPULayers == autoLayers {
		layers, of, err := engine.PlaceLayers(*o, taken)
		if err != nil {
			return nil, err
		}
		if o.GPULayers = layers; of > 0 {
			log.Info("layers on GPUs and other machines", "model", filepath.Base(o.Model), "layers", layers, "of", of)
		}
	}
	p, err := engine.PlanMemory(*o)
	if err != nil {
		return nil, err
	}
	for _, g := range p.GPUs {
		taken[g.Name] += g.Total()
		if taken[g.Name] > g.Free {
			return nil, fmt.Errorf("%s needs %s on %s, which has %s free for it; use --gpu-layers auto, or fewer than %d",
				filepath.Base(o.Model), mebibytes(g.Total()), g.Name, mebibytes(g.Free-min(g.Free, taken[g.Name]-g.Total())), p.GPULayers)
		}
	}
	return p, nil
}

// checkMemory refuses what main memory cannot hold. The largest model is the one to change.
func checkMemory(options []engine.Options, plans []*engine.MemoryPlan, available engine.AvailableMemory) error {
	needed, remote, largest := uint64(0), uint64(0), 0
	for i, p := range plans {
		needed += p.Needed()
		remote += p.Remote()
		if p.Needed() > plans[largest].Needed() {
			largest = i
		}
	}
	if needed <= available.Bytes {
		return nil
	}
	others := needed - plans[largest].Needed()
	fit, err := engine.FindFit(options[largest], available.Bytes-min(available.Bytes, others))
	if err != nil {
		return err
	}
	what := filepath.Base(options[largest].Model)
	if len(plans) > 1 {
		what = fmt.Sprintf("the %d models", len(plans))
	}
	beside := ""
	if remote > 0 {
		beside = fmt.Sprintf(" beside the %s on rpc workers", mebibytes(remote))
	}
	text := fmt.Sprintf("%s would need %s of memory%s, and %s are %s: %s", what, mebibytes(needed), beside, mebibytes(available.Bytes), available.Source,
		adviceFor(fit, plans[largest]))
	if remote > 0 {
		text += ", or add a worker with --rpc"
	}
	if len(plans) > 1 {
		text += ", or load fewer models at once"
	}
	return errors.New(text)
}

// adviceFor names the setting that would fit.
func adviceFor(fit engine.Fit, plan *engine.MemoryPlan) string {
	if fit.Weights > 0 || fit.Settings == (engine.Settings{}) {
		weights := plan.Weights + plan.Repacked - min(plan.Weights, plan.Repacked)
		if fit.Weights < weights/8 { // two bits a weight is the least that is any good
			return "no settings and no quantisation of this model would fit; use a smaller model, or more memory, which other machines can have, too (docs/beyond-one-node.md)"
		}
		return fmt.Sprintf("settings alone do not help; use a quantisation whose weights have at most %s (these have %s)",
			mebibytes(fit.Weights), mebibytes(weights))
	}
	var flags []string
	if fit.Settings.Context != plan.Context {
		flags = append(flags, "--ctx "+strconv.Itoa(fit.Settings.Context))
	}
	if t := fit.Settings.CacheTypes; t != "" {
		flags = append(flags, "--cache-type-k "+t+" --cache-type-v "+t)
	}
	return fmt.Sprintf("it fits (%s) with %s", mebibytes(fit.Needed), strings.Join(flags, " "))
}

func mebibytes(n uint64) string { return fmt.Sprintf("%d MiB", (n+1<<20-1)>>20) }

// printMemory prints plans as a table, with the memory that there is.
func printMemory(to io.Writer, names []string, plans []*engine.MemoryPlan) error {
	const columns = 15 // of a name, so that all of a row fits into summaryColumns
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	head := "memory in MiB\tweights\trepacked\tcache\tcompute\tother\tall\tat least\t\n"
	if _, err := io.WriteString(w, head); err != nil {
		return err
	}
	row := func(name string, parts ...uint64) {
		fmt.Fprintf(w, "%s\t", clipped(name, columns))
		for _, n := range parts {
			fmt.Fprintf(w, "%d\t", (n+1<<19)>>20)
		}
		fmt.Fprintln(w)
	}
	all, needed := programBytes(), programBytes()
	for i, p := range plans {
		row(names[i], p.Weights, p.Repacked, p.Cache, p.Compute, p.Outputs+p.Vocabulary, p.Total(), p.Needed())
		all, needed = all+p.Total(), needed+p.Needed()
		for _, g := range p.GPUs {
			fmt.Fprintf(w, "%s\t%d\t\t%d\t%d\t\t%d\tof %d\t\n", clipped("on "+g.Name, columns), g.Weights>>20, g.Cache>>20, g.Compute>>20, g.Total()>>20, g.Free>>20)
		}
	}
	fmt.Fprintf(w, "and the program\t\t\t\t\t\t%d\t%d\t\n", all>>20, needed>>20)
	if err := w.Flush(); err != nil {
		return err
	}
	available, err := engine.Available()
	if err != nil {
		return err
	}
	_, err = io.WriteString(to, folded("", fmt.Sprintf("%s are %s", mebibytes(available.Bytes), available.Source)))
	return err
}

// programBytes is the memory that this process has now: resident pages of proc(5), statm.
func programBytes() uint64 {
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(data))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseUint(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * uint64(os.Getpagesize())
}
