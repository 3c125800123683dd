package keyring

import "time"

// SourceLook is a source of keys, as somebody who looks for a fault wants to see it.
type SourceLook struct {
	Name    string // an address, or the path of a file
	Label   string // "Gitlab" or "CustomersDot"; empty for a file
	Keys    int
	Fetched time.Time // when it last answered; zero: never
	Trouble string    // of the last attempt; empty: none
}

// Sources describes where keys come from. A nil ring has none.
func (r *Ring) Sources() []SourceLook {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []SourceLook
	for _, s := range r.sources {
		one := SourceLook{Name: s.name, Keys: len(s.keys), Fetched: s.fetched}
		if s.provider != nil {
			one.Label = s.provider.Label
		}
		if s.err != nil {
			one.Trouble = s.err.Error()
		}
		out = append(out, one)
	}
	return out
}
