package gateway

import (
	"context"
	"net/http"
	"time"

	"aigw/engine"
	"aigw/gateway/wire"
)

// timed lets an answer say where its time went: one in a piece with a header, a stream with a header that
// says when the first token came, and a trailer with the rest. Programs that know no trailers pass it over.
type timed struct {
	x     *exchange // nil: nobody is answered, or by several at once
	began time.Time
}

func timing(ctx context.Context) timed {
	var x *exchange
	if wire.Timed(ctx) {
		x, _ = ctx.Value(exchangeKey{}).(*exchange)
	}
	return timed{x, time.Now()}
}

// first wraps emit.
func (t timed) first(emit func(string) error) func(string) error {
	if t.x == nil {
		return emit
	}
	begun := false
	return func(piece string) error {
		if !begun && t.x.status == 0 {
			t.x.Header().Set(wire.TimingHeader, wire.FirstTokenTiming(time.Since(t.began)))
		}
		begun = true
		return emit(piece)
	}
}

// end notes how a generation went. One that came to nothing has nothing to say.
func (t timed) end(r engine.Result) {
	switch {
	case t.x == nil || r.PromptTokens == 0:
	case t.x.status == 0:
		t.x.Header().Set(wire.TimingHeader, wire.Timing(r))
	default:
		t.x.Header().Set(http.TrailerPrefix+wire.TimingHeader, wire.Timing(r))
	}
}
