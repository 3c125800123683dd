package wire

import (
	"context"
	"fmt"
	"time"

	"aigw/engine"
)

// TimingHeader says where an answer's time went (https://www.w3.org/TR/server-timing/).
const TimingHeader = "Server-Timing"

type untimedKey struct{}

// Untimed makes generations say nothing in TimingHeader: where one request has several generated at
// once, none of them is the answer, and none may touch headers that another one's text sends.
func Untimed(ctx context.Context) context.Context { return context.WithValue(ctx, untimedKey{}, true) }

// Timed is false after Untimed.
func Timed(ctx context.Context) bool { return ctx.Value(untimedKey{}) == nil }

// FirstTokenTiming is the value for an answer that begins before the rest is known.
func FirstTokenTiming(after time.Duration) string {
	return fmt.Sprintf("first-token;dur=%.1f", milliseconds(after))
}

// Timing is the value for a generation that has ended. Durations are milliseconds.
func Timing(r engine.Result) string {
	return fmt.Sprintf(`queue;dur=%.1f, prefill;dur=%.1f;desc="%d tokens, %d reused", decode;dur=%.1f;desc="%d tokens"`,
		milliseconds(r.Queue), milliseconds(r.Prefill), r.PromptTokens, r.CachedTokens, milliseconds(r.Decode), r.OutputTokens)
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
