package ui

import (
	"testing"
	"time"
)

// What is written without a template is escaped, and looks like what a template writes.
func TestRows(t *testing.T) {
	got := requestRows([]requestRow{{Model: `<b>&"`, Class: "chat", Phase: "waits", Age: 1500 * time.Millisecond, Queue: time.Millisecond, Prompt: 12345, Cached: 1, Output: 0, Limit: 2048}})
	const request = `<tr><td>&lt;b&gt;&amp;&#34;</td><td>chat</td><td>waits</td><td class="n">1.5 s</td><td class="n">1 ms</td><td class="n">12,345</td><td class="n">1</td><td class="n">0</td><td class="n">2,048</td></tr>` + "\n"
	if string(got) != request {
		t.Errorf("%s, want %s", got, request)
	}
	at := time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC)
	got = minuteRows([]Minute{{Start: at}, {Start: at.Add(time.Minute), Answers: 3, Measured: true, First: 1234 * time.Microsecond, FirstMost: time.Second}})
	const minutes = `<tr><th scope="row">03:04</th><td class="n">0</td><td class="n">–</td><td class="n">–</td><td class="n">–</td><td class="n">–</td></tr>` + "\n" +
		`<tr><th scope="row">03:05</th><td class="n">3</td><td class="n">1.2</td><td class="n">1000.0</td><td class="n">–</td><td class="n">–</td></tr>` + "\n"
	if string(got) != minutes {
		t.Errorf("%s, want %s", got, minutes)
	}
}
