package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"aigw/gateway/requestlog"
)

// noteRoute tells the exchange which route was found, and who asks.
func noteRoute(c *gin.Context) {
	x := exchangeOf(c.Request.Context())
	x.route, x.clientIP = c.FullPath(), c.ClientIP()
}

// recovery answers a panic with 500. If an answer has begun, the connection is cut instead.
func (s *Server) recovery(answer gin.HandlerFunc) gin.HandlerFunc {
	return func(c *gin.Context) {
		defer recovered(c, answer)
		c.Next()
	}
}

// recovered is deferred.
func recovered(c *gin.Context, answer gin.HandlerFunc) {
	recovered := recover()
	if recovered == nil {
		return
	}
	if err, ok := recovered.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(recovered) // the handler wants the connection cut
	}
	requestlog.Add(c.Request.Context(),
		slog.String("exception_class", fmt.Sprintf("%T", recovered)),
		slog.String("exception_message", fmt.Sprint(recovered)),
		slog.String("exception_backtrace", string(debug.Stack())),
	)
	c.Abort()
	if c.Writer.Written() {
		panic(http.ErrAbortHandler)
	}
	answer(c)
}

// cors answers preflight requests, before authentication, and lets scripts of all origins read
// answers. Only POST is allowed. Where authentication is bypassed, checkBrowser refuses the requests
// that would follow.
func (s *Server) cors(c *gin.Context) {
	if c.GetHeader("Origin") == "" {
		return
	}
	c.Header("Access-Control-Allow-Origin", "*")
	method := c.GetHeader("Access-Control-Request-Method")
	if c.Request.Method != http.MethodOptions || method == "" {
		return
	}
	c.Header("Access-Control-Allow-Methods", http.MethodPost)
	c.Header("Access-Control-Max-Age", "600") // seconds
	if wanted := c.GetHeader("Access-Control-Request-Headers"); wanted != "" {
		c.Header("Access-Control-Allow-Headers", wanted)
	}
	status, text := http.StatusOK, "OK"
	if method != http.MethodPost {
		status, text = http.StatusBadRequest, "Disallowed CORS method"
	}
	c.Data(status, "text/plain; charset=utf-8", []byte(text))
	c.Abort()
}

// trusts reports whether an address is one of a trusted proxy.
func (s *Server) trusts(address string) bool {
	ip, err := netip.ParseAddr(address)
	if err != nil {
		return false
	}
	for _, prefix := range s.options.TrustedProxies {
		if prefix.Contains(ip.Unmap()) {
			return true
		}
	}
	return false
}
