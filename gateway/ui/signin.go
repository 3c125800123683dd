package ui

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"aigw/gateway/requestlog"
	"aigw/gateway/wire"
)

// cookieName is the session's cookie, visitorName that of somebody who has not signed in yet: what its form
// holds is made from it, so that nobody else's page can have it sent.
const (
	cookieName  = "aigw-session"
	visitorName = "aigw-visitor"
)

// setCookie gives the browser a cookie that scripts cannot read and other sites' pages cannot use.
func (room *Room) setCookie(c *gin.Context, name, value string, age time.Duration) {
	http.SetCookie(c.Writer, &http.Cookie{
		Name: name, Value: value, Path: Path, MaxAge: int(age.Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: room.Scheme(c) == "https",
	})
}

// visitorKey is what the tokens of forms for signing in are made with.
var visitorKey = sync.OnceValue(func() []byte { return []byte(secret()) })

// visitorToken is the form's token for who has a visitor's cookie.
func visitorToken(cookie string) string {
	mac := hmac.New(sha256.New, visitorKey())
	mac.Write([]byte(cookie))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// signInPage shows the form, or the page to whoever has a session.
func (room *Room) signInPage(c *gin.Context) { room.showSignIn(c, http.StatusOK, "") }

func (room *Room) showSignIn(c *gin.Context, status int, wrong string) {
	visitor := ""
	if cookie, err := c.Request.Cookie(visitorName); err == nil {
		visitor = cookie.Value
	}
	if visitor == "" {
		visitor = secret()
		room.setCookie(c, visitorName, visitor, sessionAge)
	}
	show(c, status, "signin", map[string]any{"CSRF": visitorToken(visitor), "Wrong": wrong, "Version": room.Version})
}

// signIn turns an admin's key into a session.
func (room *Room) signIn(c *gin.Context) {
	from := c.ClientIP()
	if wait := room.failures.wait(from); wait > 0 {
		wire.RetryAfter(c, wait)
		requestlog.Add(c.Request.Context(), slog.String("refused", "sign_in_rate"))
		room.showSignIn(c, http.StatusTooManyRequests, "Too many attempts failed: wait a minute.")
		return
	}
	visitor, err := c.Request.Cookie(visitorName)
	if err != nil || visitor.Value == "" || !hmac.Equal([]byte(c.PostForm(csrfField)), []byte(visitorToken(visitor.Value))) {
		room.showSignIn(c, http.StatusForbidden, "The form was out of date, or the browser keeps no cookies. Try again.")
		return
	}
	key := room.Keys.Find(strings.TrimSpace(c.PostForm("key")))
	if key == nil || !key.Admin {
		room.failures.note(from)
		room.showSignIn(c, http.StatusUnauthorized, "This is no admin key of this gateway.")
		return
	}
	requestlog.Add(c.Request.Context(), slog.String("api_key_id", key.ID), slog.String("api_key_name", key.Name))
	if old, err := c.Request.Cookie(cookieName); err == nil {
		room.sessions.end(old.Value)
	}
	room.setCookie(c, cookieName, room.sessions.begin(key.Hash), sessionAge)
	room.setCookie(c, visitorName, "", -time.Second)
	c.Redirect(http.StatusSeeOther, Path)
}

// signOut ends the session.
func (room *Room) signOut(c *gin.Context) {
	if cookie, err := c.Request.Cookie(cookieName); err == nil {
		room.sessions.end(cookie.Value)
	}
	room.setCookie(c, cookieName, "", -time.Second)
	c.Redirect(http.StatusSeeOther, Path+"/signin")
}

const (
	// failuresAtOnce may follow each other; after them one a failureEvery. A key has 256 random bits and is not
	// guessed, whatever the pace: this keeps the log readable.
	failuresAtOnce = 5
	failureEvery   = 12 * time.Second
	// addressesKept bounds the addresses that are known.
	addressesKept = 4096
)

// failures counts attempts that failed, by address.
type failures struct {
	now func() time.Time

	mu sync.Mutex
	by *lru.Cache[string, *rate.Limiter]
}

func newFailures() *failures {
	cache, err := lru.New[string, *rate.Limiter](addressesKept)
	if err != nil {
		panic(err) // only a size below one
	}
	return &failures{now: time.Now, by: cache}
}

// network is what one person has of addresses: of IPv6 everybody has very many.
func network(address string) string {
	ip, err := netip.ParseAddr(address)
	if err != nil || ip.Unmap().Is4() {
		return address
	}
	prefix, err := ip.WithZone("").Prefix(64)
	if err != nil {
		return address
	}
	return prefix.String()
}

// wait is how long an address has to wait before it may try again.
func (f *failures) wait(address string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, ok := f.by.Get(network(address))
	if !ok {
		return 0
	}
	lacks := 1 - l.TokensAt(f.now())
	return time.Duration(max(0, lacks) * float64(failureEvery))
}

// note counts an attempt that failed.
func (f *failures) note(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := network(address)
	l, ok := f.by.Get(name)
	if !ok {
		l = rate.NewLimiter(rate.Every(failureEvery), failuresAtOnce)
		f.by.Add(name, l)
	}
	l.AllowN(f.now(), 1)
}
