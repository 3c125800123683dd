package gateway

import (
	"io"
	"net/http"
	"time"
)

// A request can be answered before its body has arrived: who sends it is a stranger, or it is too large. Many clients,
// GitLab's among them, read an answer only when they have sent everything, and never see it if the connection is reset
// under them. What they still send is therefore taken, within bounds, after the answer was sent.

const (
	// takenByItself is how much of a body net/http takes itself after the answer, in bytes.
	takenByItself = 256 << 10
	// takenTimes is how many times the limit of bodies is taken at most.
	takenTimes = 4
	// takenPiece is how much has to arrive within takenWithin; all of it has as long as a request has to arrive.
	takenPiece  = 1 << 20
	takenWithin = 5 * time.Second
)

// arriving is a request's body as it comes from the connection.
type arriving struct {
	io.ReadCloser
	over bool // it was read to its end, or cannot be read
}

func (b *arriving) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.over = b.over || err != nil
	return n, err
}

// take sends the answer and takes what is left of the request.
func (b *arriving) take(x *exchange, r *http.Request, limit int64, timeout time.Duration) {
	few := r.ContentLength >= 0 && r.ContentLength <= takenByItself
	if b.over || few || r.ContentLength > takenTimes*limit || r.ProtoMajor != 1 || r.Header.Get("Expect") != "" {
		return
	}
	if x.FlushError() != nil {
		return
	}
	control, end := http.NewResponseController(x.ResponseWriter), time.Now().Add(timeout)
	for left := takenTimes * limit; left > 0 && !b.over; left -= takenPiece {
		now := time.Now()
		if !now.Before(end) {
			return
		}
		_ = control.SetReadDeadline(now.Add(min(takenWithin, end.Sub(now)))) // not every test has a connection
		_, _ = io.CopyN(io.Discard, b, min(takenPiece, left))                // it was answered already
	}
}
