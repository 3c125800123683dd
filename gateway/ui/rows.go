package ui

import (
	"html/template"
	"strconv"
	"time"
)

// The two tables with many rows, one for each request and one for each minute, are written here and not by a template,
// which takes some fifty times as long for a cell: most of what a look costs would be theirs.

// tableRows collects the rows of a table.
type tableRows struct{ html []byte }

func (t *tableRows) open()  { t.html = append(t.html, "<tr>"...) }
func (t *tableRows) close() { t.html = append(t.html, "</tr>\n"...) }

// text adds a cell with a text.
func (t *tableRows) text(text string) {
	t.html = append(append(append(t.html, "<td>"...), template.HTMLEscapeString(text)...), "</td>"...)
}

// number adds a cell with a number that formats has written: it holds nothing to be escaped.
func (t *tableRows) number(written string) {
	t.html = append(append(append(t.html, `<td class="n">`...), written...), "</td>"...)
}

// requestRows are those of the requests that run and wait.
func requestRows(requests []requestRow) template.HTML {
	t := tableRows{make([]byte, 0, 512*len(requests))}
	for _, r := range requests {
		t.open()
		t.text(r.Model)
		t.text(r.Class)
		t.text(r.Phase)
		t.number(durationText(r.Age))
		t.number(durationText(r.Queue))
		for _, n := range []int{r.Prompt, r.Cached, r.Output, r.Limit} {
			t.number(grouped(strconv.Itoa(n)))
		}
		t.close()
	}
	return template.HTML(t.html)
}

// minuteRows are those of the minutes of an hour.
func minuteRows(minutes []Minute) template.HTML {
	t := tableRows{make([]byte, 0, 256*len(minutes))}
	pair := func(known bool, half, most time.Duration) {
		if !known {
			t.number("–")
			t.number("–")
			return
		}
		t.number(msText(half))
		t.number(msText(most))
	}
	for _, m := range minutes {
		t.open()
		t.html = append(m.Start.AppendFormat(append(t.html, `<th scope="row">`...), clockForm), "</th>"...)
		t.number(strconv.Itoa(m.Answers))
		pair(m.Measured, m.First, m.FirstMost)
		pair(m.HasTokens, m.Gap, m.GapMost)
		t.close()
	}
	return template.HTML(t.html)
}
