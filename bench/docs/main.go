// Command docs measures documentation search: how good the ranking is, how long a question takes,
// and what an index costs, at the size of the given pages and at multiples of it (make bench-docs).
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

type settings struct {
	pages     string
	questions []question
	clients   int
	long      time.Duration
}

func main() {
	var set settings
	flag.StringVar(&set.pages, "pages", "", "`FOLDER` of Markdown pages")
	questions := flag.String("questions", "", "`FILE` of questions: JSON lines with question and relevant pages")
	flag.IntVar(&set.clients, "clients", 8, "how many ask at once")
	flag.DurationVar(&set.long, "for", 10*time.Second, "how long they ask")
	growth := flag.String("growth", "1", "multiples of the pages to measure, such as 1,3,10")
	flag.StringVar(&profile, "profile", "", "write CPU profiles of indexing and asking to `PREFIX`.index and PREFIX.ask")
	flag.Parse()
	if err := run(set, *questions, *growth); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(set settings, questions, growth string) error {
	if set.pages == "" || questions == "" {
		return errors.New("-pages FOLDER and -questions FILE are needed")
	}
	if set.clients < 1 || set.long <= 0 {
		return errors.New("-clients and -for must be more than 0")
	}
	var err error
	if set.questions, err = readQuestions(questions); err != nil {
		return err
	}
	for text := range strings.SplitSeq(growth, ",") {
		times, err := strconv.Atoi(text)
		if err != nil || times < 1 {
			return fmt.Errorf("-growth %q: whole numbers are needed", growth)
		}
		if err := measure(set, times); err != nil {
			return err
		}
	}
	return nil
}
