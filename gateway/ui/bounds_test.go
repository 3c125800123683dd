package ui

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/time/rate"

	"aigw/engine"
	"aigw/gateway/serving"
)

func TestEverythingEmbeddedIsSmall(t *testing.T) {
	sum := 0
	err := fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, path)
		sum += len(text)
		return err
	})
	if err != nil || sum == 0 || sum > MaxAssets {
		t.Errorf("%d bytes, %d are the limit (%v)", sum, MaxAssets, err)
	}
	t.Logf("%d bytes", sum)
	for name, f := range assets {
		if f.contentType == "" {
			t.Errorf("%s has no content type", name)
		}
	}
}

// However many pages are open, no more than some are written at once, and the models are asked once for all.
func TestOpenPagesAreBounded(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	room := New(Options{Models: serving.NewState(serving.Rules{}), Hour: NewHour(), Quiet: func(*gin.Context) {}})
	room.looks.SetLimit(0) // no time passes
	for i := range looksInStock + 3 {
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequest(http.MethodGet, "/ui/live", nil)
		room.live(c)
		want := http.StatusOK
		if i >= looksInStock {
			want = http.StatusTooManyRequests
		}
		if w.Code != want || (want != http.StatusOK) != (w.Header().Get("Retry-After") != "") {
			t.Errorf("look %d: %d %v", i, w.Code, w.Header())
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newSessions()
	s.now = func() time.Time { return now }
	used, idle := s.begin("a"), s.begin("b")
	if s.find(used) == nil || s.find(idle) == nil || s.find("") != nil || s.find(used+"x") != nil {
		t.Fatal("sessions are not found by their cookies, or by others")
	}
	for range 12 {
		now = now.Add(sessionIdle - time.Second)
		if s.find(used) == nil {
			t.Fatal("one that is used ends early")
		}
	}
	if s.find(idle) != nil {
		t.Error("one that nobody uses does not end")
	}
	now = now.Add(sessionIdle - time.Second)
	if s.find(used) != nil {
		t.Error("one that is used never ends")
	}
}

func TestSessionsAreBounded(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	s := newSessions()
	s.now = func() time.Time { return now }
	var cookies []string
	for range maxSessions {
		cookies = append(cookies, s.begin("a"))
		now = now.Add(time.Second)
	}
	s.find(cookies[0]) // so that the second is idle longest
	s.begin("a")
	if len(s.open) != maxSessions || s.find(cookies[0]) == nil || s.find(cookies[1]) != nil || s.find(cookies[2]) == nil {
		t.Errorf("%d sessions", len(s.open))
	}
}

func TestFailuresRunOut(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	f := newFailures()
	f.now = func() time.Time { return now }
	for range failuresAtOnce {
		if f.wait("2001:db8::1") != 0 {
			t.Fatal("too early")
		}
		f.note("2001:db8::1")
	}
	if w := f.wait("2001:db8::ffff"); w <= 0 || w > failureEvery {
		t.Errorf("a neighbour of the same network waits %s", w)
	}
	if f.wait("2001:db8:0:1::1") != 0 {
		t.Error("another network waits")
	}
	now = now.Add(failureEvery)
	if w := f.wait("2001:db8::1"); w != 0 {
		t.Errorf("later it still waits %s", w)
	}
}

func TestTheLastHour(t *testing.T) {
	now := time.Unix(6_000_000, 0)
	h := NewHour()
	h.now = func() time.Time { return now }
	answer := func(first, decode time.Duration) engine.Result {
		return engine.Result{Prefill: first, Decode: decode, OutputTokens: 11}
	}
	for i := range 1000 {
		h.Answered(engine.Chat, answer(time.Duration(i+1)*time.Millisecond, 100*time.Millisecond))
	}
	h.Answered(engine.Completion, engine.Result{})                                 // refused
	h.Answered(engine.Completion, engine.Result{Prefill: 1, OutputTokens: 1})      // one token
	h.Answered(engine.Class(99), answer(1, 1))                                     // none of ours
	(*Hour)(nil).Answered(engine.Chat, answer(time.Millisecond, time.Millisecond)) // nobody looks
	if h.Busiest() != engine.Chat {
		t.Errorf("busiest: %d", h.Busiest())
	}
	last := func(class engine.Class) Minute { m := h.Minutes(class); return m[len(m)-1] }
	if m := last(engine.Chat); m.Answers != 1000 || m.First < 250*time.Millisecond || m.First > 750*time.Millisecond || m.FirstMost < m.First || m.Gap.Round(time.Millisecond) != 10*time.Millisecond {
		t.Errorf("%+v", m)
	}
	if m := last(engine.Completion); m.Answers != 1 || m.HasTokens {
		t.Errorf("%+v", m)
	}
	now = now.Add(59 * time.Minute)
	if all := h.Minutes(engine.Chat); len(all) != hourMinutes || all[0].Answers != 1000 {
		t.Errorf("59 minutes later: %d minutes, %+v", len(all), all[0])
	}
	now = now.Add(time.Minute)
	for _, m := range h.Minutes(engine.Chat) {
		if m.Measured {
			t.Errorf("an hour later: %+v", m)
		}
	}
	if h.Busiest() != engine.Completion {
		t.Errorf("busiest of nothing: %d", h.Busiest())
	}
}

func TestNumbersForPeople(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{countText(0), "0"}, {countText(999), "999"}, {countText(uint64(1000)), "1,000"}, {countText(-1234567), "-1,234,567"}, {countText(-123), "-123"},
		{bytesText(0), "0"}, {bytesText(2048), "2 KiB"}, {bytesText(3 << 20), "3 MiB"}, {bytesText(12 << 30), "12.0 GiB"},
		{durationText(-1), "0 ms"}, {durationText(1500 * time.Microsecond), "2 ms"}, {durationText(2 * time.Second), "2.0 s"},
		{durationText(61 * time.Second), "1 min 1 s"}, {durationText(25 * time.Hour), "25 h 0 min"}, {durationText(72 * time.Hour), "3 days"},
		{percent(1, 3), "33 %"}, {percent(uint64(1), 0), "–"}, {excerpt("  a  "), "a"},
		{network("192.0.2.1"), "192.0.2.1"}, {network("::ffff:192.0.2.1"), "::ffff:192.0.2.1"}, {network("no address"), "no address"},
	} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// crowd is a generator with as many requests as there are places.
type crowd struct{ serving.Generator }

func (crowd) State() engine.State { return engine.State{Cells: 8192, Parallel: 8} }

func (crowd) Look() engine.Look {
	return engine.Look{Requests: make([]engine.RequestLook, 200), Held: make([]engine.Held, 200)}
}

// What one look costs at its dearest, with as many requests as are shown and an hour full of answers: also in processor
// time of the process, which has the garbage collector's in it. A page causes one every two seconds.
func BenchmarkLook(b *testing.B) {
	gin.SetMode(gin.ReleaseMode)
	state, hour := serving.NewState(serving.Rules{}), NewHour()
	state.Ready(&serving.Model{Name: "m", Generator: crowd{}})
	at := time.Now()
	hour.now = func() time.Time { return at }
	for range hourMinutes {
		at = at.Add(time.Minute)
		for range samplesKept {
			hour.Answered(engine.Completion, engine.Result{Prefill: time.Second, Decode: time.Second, OutputTokens: 10})
		}
	}
	room := New(Options{Models: state, Hour: hour, Quiet: func(*gin.Context) {}})
	room.looks.SetLimit(rate.Inf)
	b.ReportAllocs()
	began := processorTime()
	for b.Loop() {
		hour.Answered(engine.Completion, engine.Result{Prefill: time.Second, Decode: time.Second, OutputTokens: 10})
		room.now.last, room.written.parts = nil, nil
		w := httptest.NewRecorder()
		c, _ := gin.CreateTestContext(w)
		c.Request = httptest.NewRequest(http.MethodGet, "/ui/live", nil)
		room.live(c)
		if w.Code != http.StatusOK {
			b.Fatal(w.Code)
		}
	}
	b.ReportMetric(float64((processorTime()-began).Microseconds())/float64(b.N), "cpu-µs/op")
}

// processorTime is what the process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails only for other arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
