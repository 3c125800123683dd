package openai

import (
	"encoding/json"

	"aigw/gateway/wire"
)

// events are the forms of a stream's pieces, which differ between routes. What is nil is not sent.
type events interface {
	begin(x *choice) any
	piece(x *choice, p piece) any
	end(x *choice) any
	used(u usage) any
	// last is what ends the stream.
	last() string
}

// stream answers with the pieces of all answers as they are generated.
func (j *job) stream(o *streamOptions, form events) {
	out := wire.NewDataStream(j.c, j.room.WriteTimeout)
	var gone error
	send := func(event any) error {
		if event != nil && gone == nil {
			gone = out.Write(event)
		}
		return gone
	}
	begun := make([]bool, len(j.choices))
	begin := func(x *choice) error {
		if begun[x.index] {
			return nil
		}
		begun[x.index] = true
		return send(form.begin(x))
	}
	err := j.run(func(x *choice, p piece) error {
		if err := begin(x); err != nil {
			return err
		}
		return send(form.piece(x, p))
	}, func(x *choice) error {
		if err := begin(x); err != nil {
			return err
		}
		return send(form.end(x))
	})
	switch {
	case gone != nil:
		j.c.Status(wire.StatusClientGone)
	case err != nil && !out.Started():
		fail(j.c, err)
	case err != nil:
		j.breakOff(out, err)
	default:
		if o != nil && o.IncludeUsage {
			if send(form.used(j.usage())) != nil {
				return
			}
		}
		out.End(form.last())
	}
}

// breakOff tells the client of a stream that has begun what went wrong, in an event that OpenAI's
// clients make an exception of.
func (j *job) breakOff(out *wire.DataStream, err error) {
	e := failure(j.c, err)
	if e == nil {
		return
	}
	text, err := json.Marshal(e.body())
	if err != nil {
		panic(err) // an error of the program
	}
	out.End(string(text))
}
