package models

// Other files that the editor sends along come first in a prompt and are computed once, as long
// as they do not change: so the room for them is a multiple of a quantum and does not shrink with
// every token that the text around the cursor grows by.

// contextQuanta is the number of steps that the room of a prompt is divided into for context.
const contextQuanta = 16

// contextRoom returns how much of the rest of a room context may take.
func contextRoom(room, rest int) int {
	quantum := max(1, room/contextQuanta)
	return max(0, rest) / quantum * quantum
}

// contextFiles is what was kept of the files sent along.
type contextFiles struct {
	files []File
	sent  int // tokens before cutting; what was cut off is estimated by its bytes
	used  int // tokens of files
}

// fitContext keeps the first files that fit room, the last of them cut at a line end. overhead
// is what a file costs besides its text, its name for example.
func fitContext(files []File, room int, p piecer, enc encode, overhead func(File) int) (contextFiles, error) {
	var out contextFiles
	keptBytes, allBytes := 0, 0
	for _, f := range files {
		allBytes += len(f.Text)
		if f.Text == "" {
			continue
		}
		cost := overhead(f)
		text, ids, err := head(f.Text, room-out.used-cost, p, enc)
		if err != nil {
			return out, err
		}
		if text == "" {
			room = out.used // what follows is less useful than what did not fit
			continue
		}
		out.files = append(out.files, File{Name: f.Name, Text: text})
		out.used += len(ids) + cost
		keptBytes += len(text)
		if len(text) < len(f.Text) {
			room = out.used
		}
	}
	out.sent = out.used + (allBytes-keptBytes+bytesPerToken-1)/bytesPerToken
	if keptBytes > 0 {
		out.sent = out.used + int(float64(allBytes-keptBytes)*float64(out.used)/float64(keptBytes))
	}
	return out, nil
}
