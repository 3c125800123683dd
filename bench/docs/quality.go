package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"time"

	"aigw/search"
)

type question struct {
	ID       string   `json:"id"`
	Question string   `json:"question"`
	Relevant []string `json:"relevant"`
}

func readQuestions(file string) ([]question, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []question
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var q question
		if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, q)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s has no questions", file)
	}
	return out, lines.Err()
}

// fresh asks each question once, of an index that was opened this moment: how well the pages are
// ranked, each at its best passage, and how long the first answers take.
func fresh(at string, asked []question) error {
	x, err := search.Open(at)
	if err != nil {
		return err
	}
	defer x.Close()
	var (
		gain, first, five float64
		empty             int
		took              []time.Duration
	)
	for _, q := range asked {
		began := time.Now()
		found, err := x.Search(context.Background(), q.Question, 10)
		took = append(took, time.Since(began))
		if err != nil {
			return err
		}
		if len(found) == 0 {
			empty++
		}
		var got, ideal float64
		hit := false
		for i, p := range found {
			if slices.Contains(q.Relevant, p.Page) {
				got += 1 / math.Log2(float64(i)+2)
				if i == 0 {
					first++
				}
				hit = hit || i < 5
			}
		}
		for i := range min(10, len(q.Relevant)) {
			ideal += 1 / math.Log2(float64(i)+2)
		}
		gain += got / ideal
		if hit {
			five++
		}
	}
	n := float64(len(asked))
	fmt.Printf("  quality       nDCG@10 %.3f, hit@1 %.3f, hit@5 %.3f, empty %d of %d\n", gain/n, first/n, five/n, empty, len(asked))
	fmt.Printf("  first time    %s\n", percentiles(took))
	return nil
}
