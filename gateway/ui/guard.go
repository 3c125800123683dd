package ui

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net/http"

	"github.com/gin-gonic/gin"

	"aigw/gateway/apikeys"
	"aigw/gateway/limits"
	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// Policy is the Content-Security-Policy of every answer: what is not ours is not loaded, nothing that stands in a
// page itself is run, and no script may turn a text into elements.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
	"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// headers are those of every answer.
func headers(c *gin.Context) {
	for name, value := range map[string]string{
		"Content-Security-Policy":      Policy,
		"X-Frame-Options":              "DENY",
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "no-referrer",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
		"Cache-Control":                "no-store",
	} {
		c.Header(name, value)
	}
}

// maxForm bounds the body of a form, in bytes: the longest question has some thousand characters.
const maxForm = 32 << 10

// small bounds the body.
func small(c *gin.Context) { c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxForm) }

// foreign tells what a browser sends from another site's page.
var foreign = http.NewCrossOriginProtection()

// sameSite refuses what another site's page has sent. The tokens of the forms would, too; this needs none.
func sameSite(c *gin.Context) {
	if err := foreign.Check(c.Request); err != nil {
		wire.Detail(c, http.StatusForbidden, "Pages of other sites may not do this")
		c.Abort()
	}
}

type contextKey struct{}

// sessionOf returns the session of a request that has passed Room.session.
func sessionOf(c *gin.Context) *session { return c.Request.Context().Value(contextKey{}).(*session) }

// session lets nobody pass who has not signed in, or whose key was revoked since.
func (room *Room) session(c *gin.Context) {
	var found *session
	var key *apikeys.Key
	if cookie, err := c.Request.Cookie(cookieName); err == nil {
		if found = room.sessions.find(cookie.Value); found != nil {
			if key = room.Keys.Admin(found.keyHash); key == nil {
				room.sessions.end(cookie.Value)
			}
		}
	}
	if key == nil {
		if c.Request.Method == http.MethodPost || c.FullPath() == Path+"/live" {
			wire.Detail(c, http.StatusUnauthorized, "Sign in at "+Path)
		} else {
			c.Redirect(http.StatusSeeOther, Path+"/signin")
		}
		c.Abort()
		return
	}
	requestlog.Add(c.Request.Context(), slog.String("api_key_id", key.ID), slog.String("api_key_name", key.Name))
	c.Request = c.Request.WithContext(context.WithValue(apikeys.With(c.Request.Context(), key), contextKey{}, found))
}

// csrfField and csrfHeader are where a page says that it was made for this session.
const (
	csrfField  = "csrf"
	csrfHeader = "X-Csrf-Token"
)

// genuine refuses what no page of the session's has sent.
func genuine(c *gin.Context) {
	given := c.GetHeader(csrfHeader)
	if given == "" && isForm(c) {
		given = c.PostForm(csrfField)
	}
	if subtle.ConstantTimeCompare([]byte(given), []byte(sessionOf(c).csrf)) != 1 {
		wire.Detail(c, http.StatusForbidden, "The page is out of date: load it again")
		c.Abort()
	}
}

func isForm(c *gin.Context) bool { return c.ContentType() == "application/x-www-form-urlencoded" }

// limited counts a request for a model as one of the key's.
func (room *Room) limited(c *gin.Context) {
	end, err := room.Begin(apikeys.From(c.Request.Context()), c.ClientIP())
	if refusal := (*limits.Refusal)(nil); errors.As(err, &refusal) {
		wire.RetryAfter(c, refusal.Wait)
		wire.Detail(c, http.StatusTooManyRequests, refusal.Error())
		c.Abort()
		return
	}
	defer end()
	c.Next()
}
