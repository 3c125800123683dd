package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth/keyring"
)

// connection is how the gateway and GitLab know each other.
type connection struct {
	Sources      []keyring.SourceLook
	Keys         []keyRow
	EditorTokens bool
	Bypass       string
	Certificate  *certificateRow
	Admins, All  int // API keys
	Lines        []Line
}

// keyRow is a key that tokens may be signed with. Keys of this kind are public.
type keyRow struct {
	ID, From string
	Bits     int
}

type certificateRow struct {
	Names   string
	Expires time.Time
	Days    int // left
	Soon    bool
}

// soon is how long before its end a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

func (room *Room) connection(c *gin.Context, now time.Time) connection {
	out := connection{
		Sources: room.Keyring.Sources(), EditorTokens: room.EditorTokens, Bypass: room.Bypass,
		Admins: room.Keys.Admins(), All: room.Keys.Len(), Lines: Lines(room.Scheme(c) + "://" + c.Request.Host),
	}
	if room.Keyring != nil {
		for _, k := range room.Keyring.Keys().Keys {
			out.Keys = append(out.Keys, keyRow{k.ID, k.From, k.Public.N.BitLen()})
		}
		slices.SortStableFunc(out.Keys, func(a, b keyRow) int { return strings.Compare(a.From, b.From) })
	}
	if h := room.Certificate; h != nil {
		left := h.Expires().Sub(now)
		out.Certificate = &certificateRow{strings.Join(h.Names(), ", "), h.Expires(), int(left.Hours() / 24), left < soon}
	}
	return out
}

// Line is something for GitLab's configuration.
type Line struct{ Where, Text string }

// Lines are what makes a GitLab use the gateway at an address.
func Lines(url string) []Line {
	return []Line{
		{"the environment of GitLab's Rails", "AI_GATEWAY_URL=" + url},
		{"/etc/gitlab/gitlab.rb (Linux package), then gitlab-ctl reconfigure", fmt.Sprintf("gitlab_rails['env'] = { 'AI_GATEWAY_URL' => '%s' }", url)},
	}
}
