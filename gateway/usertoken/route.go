// Package usertoken answers POST /v1/code/user_access_token (section 12.2 of the wire contract):
// GitLab asks for a token with which a person's editor then talks to this gateway directly.
package usertoken

import (
	"crypto/rsa"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"aigw/gateway/auth"
	"aigw/gateway/auth/selfsigned"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// Options says who issues tokens.
type Options struct {
	// Key signs them; nil: none can be issued.
	Key *rsa.PrivateKey
	// Service is their issuer and audience.
	Service string
}

// Room answers requests for tokens. It may be used concurrently.
type Room struct{ options Options }

// New returns a room.
func New(o Options) *Room { return &Room{o} }

type answer struct {
	Token     string `json:"token"`
	ExpiresAt int64  `json:"expires_at"` // Unix seconds
}

// wanted are the headers that say for whom a token is, in the order in which they are missed.
var wanted = []string{"X-Gitlab-Global-User-Id", "X-Gitlab-Instance-Id", "X-Gitlab-Realm"}

var errNoKey = errors.New("there is no key to sign tokens with; see the error at start about AIGW_SELF_SIGNED_JWT__SIGNING_KEY")

// Issue answers a request. No body is read.
func (room *Room) Issue(c *gin.Context) {
	principal := auth.From(c.Request.Context())
	if !principal.CanFromGitLab(auth.CompleteCode, auth.CodeSuggestions) {
		wire.Detail(c, http.StatusForbidden, "Unauthorized to create user access token for code suggestions")
		return
	}
	for _, name := range wanted {
		if c.GetHeader(name) == "" {
			wire.Detail(c, http.StatusBadRequest, "Missing "+name+" header")
			return
		}
	}
	claims := selfsigned.Claims{
		Issuer: room.options.Service, Audience: room.options.Service,
		Subject: c.GetHeader("X-Gitlab-Global-User-Id"),
		Realm:   c.GetHeader("X-Gitlab-Realm"), Instance: c.GetHeader("X-Gitlab-Instance-Id"),
		Scopes: []string{string(auth.CompleteCode)},
		Seats:  strings.TrimSpace(principal.Claims.DuoSeatCount),
	}.Stamp(time.Now(), selfsigned.Lifetime)
	var token string
	err := errNoKey
	if room.options.Key != nil {
		token, err = selfsigned.Sign(room.options.Key, "", claims)
	}
	if err != nil {
		requestlog.Add(c.Request.Context(), slog.String("exception_message", err.Error()))
		wire.Detail(c, http.StatusInternalServerError, "Failed to generate JWT")
		return
	}
	wire.JSON(c, http.StatusOK, answer{token, claims.Expires})
}
