package wire

import (
	"fmt"
	"time"

	"aigw/engine"
)

// TimingHeader says where an answer's time went (https://www.w3.org/TR/server-timing/).
const TimingHeader = "Server-Timing"

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
