package workload

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

// Asker sends requests to a gateway. It may be used concurrently. piece is called with the characters of each piece of
// text as it comes. An error that is ErrRefused tells that the gateway was too busy.
type Asker interface {
	Ask(ctx context.Context, person int, r Request, piece func(text string)) error
}

// person plays a session.
type person struct {
	number  int
	session Session
	asker   Asker
	to      *recorder
	asking  sync.WaitGroup
}

// arrives is within what time the people of a crowd begin.
const arrives = 2 * time.Second

// play plays the session until ctx ends, and waits for what was asked.
func (p *person) play(ctx context.Context) {
	defer p.asking.Wait()
	random := rand.New(rand.NewPCG(uint64(p.number), 1))
	if !wait(ctx, time.Duration(random.Int64N(int64(arrives)))) {
		return
	}
	for round := 0; ctx.Err() == nil; round++ {
		switch p.session.Kind {
		case Typing:
			p.typing(ctx, p.name(round))
		case Generation:
			p.generations(ctx, p.name(round))
		case Chat:
			p.conversation(ctx, p.name(round))
		}
	}
}

// name is a word that nobody else has.
func (p *person) name(round int) string {
	h := fnv.New32a()
	fmt.Fprintf(h, "person %d, round %d", p.number, round)
	return fmt.Sprintf("n%07x", h.Sum32()>>4)
}

// wait reports whether the time has passed, rather than ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// typing types the bursts. The editor asks when no key was pressed for the debounce time, and gives the question up with
// the next key.
func (p *person) typing(ctx context.Context, name string) {
	s := p.session
	above, below := strings.ReplaceAll(s.Above, Name, name), strings.ReplaceAll(s.Below, Name, name)
	debounce, class := milliseconds(s.Debounce), Opening
	for i, b := range s.Bursts {
		if i == 0 && !wait(ctx, milliseconds(b.Pause)) {
			return
		}
		keys := []rune(strings.ReplaceAll(b.Text, Name, name))
		for j, key := range keys {
			above += string(key)
			pause := milliseconds(s.Rhythm[j%len(s.Rhythm)]) // until the next key
			if j == len(keys)-1 {
				if i == len(s.Bursts)-1 {
					break // the person has finished, and nothing ends the last question
				}
				pause = milliseconds(s.Bursts[i+1].Pause)
			}
			if pause < debounce {
				if !wait(ctx, pause) {
					return
				}
				continue
			}
			if !wait(ctx, debounce) {
				return
			}
			giveUp := p.ask(ctx, completion(class, name, s, above, below))
			class = Completion
			ok := wait(ctx, pause-debounce)
			giveUp()
			if !ok {
				return
			}
		}
	}
}

// ask asks, and returns what gives the question up.
func (p *person) ask(ctx context.Context, r Request) (giveUp func()) {
	asked, cancel := context.WithCancel(ctx)
	a := p.to.begin(r.Class)
	p.asking.Go(func() {
		err := p.asker.Ask(asked, p.number, r, a.piece)
		if asked.Err() != nil {
			p.to.overtaken(a)
			return
		}
		p.to.end(a, err)
		cancel()
	})
	return cancel
}

// await asks, and waits for the answer.
func (p *person) await(ctx context.Context, r Request) (text string) {
	a := p.to.begin(r.Class)
	var b strings.Builder
	err := p.asker.Ask(ctx, p.number, r, func(piece string) {
		b.WriteString(piece)
		a.piece(piece)
	})
	if ctx.Err() != nil {
		p.to.overtaken(a)
		return ""
	}
	p.to.end(a, err)
	return b.String()
}

func (p *person) generations(ctx context.Context, name string) {
	s := p.session
	for _, wish := range s.Asks {
		if !wait(ctx, milliseconds(wish.Pause)) {
			return
		}
		above := strings.ReplaceAll(s.Above+wish.Text, Name, name)
		p.await(ctx, generation(name, s, above, strings.ReplaceAll(s.Below, Name, name)))
	}
}

func (p *person) conversation(ctx context.Context, name string) {
	s := p.session
	var messages []message
	if s.System != "" {
		messages = append(messages, message{"system", s.System})
	}
	for _, ask := range s.Asks {
		if !wait(ctx, milliseconds(ask.Pause)) {
			return
		}
		messages = append(messages, message{"user", strings.ReplaceAll(ask.Text, Name, name) + pasted(name, ask.Paste)})
		answer := p.await(ctx, chat(messages, s.Tokens))
		messages = append(messages, message{"assistant", answer})
	}
}
