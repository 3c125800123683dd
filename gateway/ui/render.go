package ui

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/wire"
	"aigw/search"
)

// pages are the templates, each with what all pages have around it.
var pages = func() map[string]*template.Template {
	out := map[string]*template.Template{}
	for _, name := range []string{"status", "connection", "docs", "playground", "signin"} {
		out[name] = template.Must(template.New("layout.html").Funcs(formats).ParseFS(files, "pages/layout.html", "pages/live.html", "pages/"+name+".html"))
	}
	return out
}()

// show answers with a page.
func show(c *gin.Context, status int, name string, data map[string]any) {
	data["Page"] = name
	c.Data(status, "text/html; charset=utf-8", write(name, "layout.html", data))
}

func write(page, part string, data any) []byte {
	var b bytes.Buffer
	if err := pages[page].ExecuteTemplate(&b, part, data); err != nil {
		panic(fmt.Errorf("write the page %s: %w", page, err)) // an error of the program: 500
	}
	return b.Bytes()
}

// page returns the handler of a page that needs a session.
func (room *Room) page(name string) gin.HandlerFunc {
	return func(c *gin.Context) { show(c, http.StatusOK, name, room.data(c, name)) }
}

// data is what a page is written from.
func (room *Room) data(c *gin.Context, name string) map[string]any {
	data := map[string]any{"CSRF": sessionOf(c).csrf, "Version": room.Version, "SignedIn": true}
	switch name {
	case "status":
		for k, v := range room.liveData(c) {
			data[k] = v
		}
	case "connection":
		data["Connection"] = room.connection(c, time.Now())
	case "docs":
		data["Manifest"], data["Question"] = room.manifest(), ""
	case "playground":
		data["Ready"] = room.look()
	}
	return data
}

// liveData is what the parts that change are written from.
func (room *Room) liveData(c *gin.Context) map[string]any {
	class, known := classNamed(c.Query("class"))
	if !known {
		class = room.Hour.Busiest()
	}
	return map[string]any{"Now": room.look(), "Minutes": room.Hour.Minutes(class), "Class": class.String(), "Classes": classNames()}
}

// live answers with the parts of the status page that change.
func (room *Room) live(c *gin.Context) {
	room.Quiet(c)
	if r := room.looks.Reserve(); r.Delay() > 0 {
		wait := r.Delay()
		r.Cancel()
		wire.RetryAfter(c, max(wait, time.Duration(looksInStock/looksPerSecond)*2*time.Second))
		wire.Detail(c, http.StatusTooManyRequests, "Too many of these pages are open")
		return
	}
	now, class := room.look(), c.Query("class")
	if _, known := classNamed(class); !known {
		class = ""
	}
	w := &room.written
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.parts == nil {
		w.parts = map[string]writtenPart{} // one for each class, and one for the busiest
	}
	part := w.parts[class]
	if part.of != now {
		part = writtenPart{now, write("status", "live", room.liveData(c))}
		w.parts[class] = part
	}
	c.Data(http.StatusOK, "text/html; charset=utf-8", part.text)
}

// formats are what templates write numbers with.
var formats = template.FuncMap{
	"bytes":   bytesText,
	"time":    durationText,
	"ms":      msText,
	"count":   countText,
	"rate":    func(f float64) string { return strconv.FormatFloat(f, 'f', 1, 64) },
	"percent": percent,
	"place":   func(f float64) string { return strconv.FormatFloat(f, 'f', 2, 64) },
	"day":     func(t time.Time) string { return t.Format("2 January 2006 15:04 MST") },
	"ago": func(t time.Time) string {
		if t.IsZero() {
			return "never"
		}
		return durationText(time.Since(t)) + " ago"
	},
	"excerpt":     excerpt,
	"requestRows": requestRows,
	"minuteRows":  minuteRows,
	"trail":       func(p search.Passage) string { return strings.Join(p.Headings, " › ") },
}

// clockForm is how a minute is written.
const clockForm = "15:04"

func msText(d time.Duration) string {
	return strconv.FormatFloat(float64(d)/float64(time.Millisecond), 'f', 1, 64)
}

func bytesText(n uint64) string {
	switch f := float64(n); {
	case n == 0:
		return "0"
	case n < 1<<20:
		return fmt.Sprintf("%.0f KiB", f/(1<<10))
	case n < 10<<30:
		return fmt.Sprintf("%.0f MiB", f/(1<<20))
	default:
		return fmt.Sprintf("%.1f GiB", f/(1<<30))
	}
}

// durationText writes a duration as people say it: two units at most.
func durationText(d time.Duration) string {
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Round(time.Millisecond).Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// countText writes a whole number in groups of three digits.
func countText(n any) string { return grouped(fmt.Sprint(n)) }

func grouped(text string) string {
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func percent(part, whole any) string {
	number := func(v any) float64 {
		f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil {
			return 0
		}
		return f
	}
	all := number(whole)
	if all == 0 {
		return "–"
	}
	return strconv.FormatFloat(math.Round(100*number(part)/all), 'f', 0, 64) + " %"
}

// excerpt is the beginning of a passage, in characters.
func excerpt(text string) string {
	const most = 420
	runes := []rune(strings.TrimSpace(text))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most]) + "…"
}
