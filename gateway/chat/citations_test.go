package chat

import (
	"strings"
	"testing"

	"aigw/models"
)

func TestCitations(t *testing.T) {
	given := []models.Message{{Role: models.User, Content: "CONTENT: a ID: CNT-IDX-0a1b\nCONTENT: b ID: CNT-IDX-2c3d"}}
	for _, test := range []struct{ answer, want string }{
		{"Press Fork.\n\nATTRS: CNT-IDX-0a1b", "Press Fork.\n\nATTRS: CNT-IDX-0a1b"},
		{"Press Fork. ATTRS: CNT-IDX-2c3d, CNT-IDX-0a1b and CNT-IDX-2c3d", "Press Fork. ATTRS: CNT-IDX-2c3d CNT-IDX-0a1b"},
		{"Press Fork.\nATTRS: CNT-IDX-ffff", "Press Fork.\n"},
		{"Press Fork.\nATTRS:CNT-IDX-0a1\nCNT-IDX-2c3d", "Press Fork.\nATTRS: CNT-IDX-2c3d"},
		{"Press Fork (ATTR", "Press Fork (ATTR"},
		{"AATTRATTATTRS:", "AATTRATT"},
		{"Nothing is known.", "Nothing is known."},
		{"", ""},
		{"x ATTRS:" + strings.Repeat(" CNT-IDX-0a1b", 100_000), "x ATTRS: CNT-IDX-0a1b"},
	} {
		for _, size := range []int{1, 3, 1 << 20} {
			c := newCitations(given)
			var got strings.Builder
			for rest := test.answer; rest != ""; {
				n := min(size, len(rest))
				got.WriteString(c.Write(rest[:n]))
				rest = rest[n:]
			}
			got.WriteString(c.Rest())
			if got.String() != test.want {
				t.Errorf("%.60q in pieces of %d: %.80q, want %q", test.answer, size, got.String(), test.want)
			}
		}
	}
	if newCitations([]models.Message{{Role: models.User, Content: "Explain ATTRS: in my code"}}) != nil {
		t.Error("answers without excerpts are filtered")
	}
}
