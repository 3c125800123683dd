package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"
)

// All that a browser loads. MaxAssets bounds the files and pages together, in bytes; a test adds them up.

//go:embed assets pages
var files embed.FS

// MaxAssets is the size that everything embedded must not exceed, in bytes.
const MaxAssets = 300_000

// contentTypes are those of the files, by how their names end.
var contentTypes = map[string]string{
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8",
	".svg": "image/svg+xml",
}

type file struct {
	contentType, tag string
	text             []byte
}

var assets = func() map[string]file {
	out := map[string]file{}
	entries, err := fs.ReadDir(files, "assets")
	if err != nil {
		panic(err) // an error of the program
	}
	for _, e := range entries {
		text, err := files.ReadFile("assets/" + e.Name())
		if err != nil {
			panic(err) // an error of the program
		}
		sum := sha256.Sum256(text)
		out[e.Name()] = file{contentTypes[path.Ext(e.Name())], `"` + hex.EncodeToString(sum[:8]) + `"`, text}
	}
	return out
}()

// asset answers with a file. It is no secret, and the browser asks each time whether it has changed.
func asset(c *gin.Context) {
	f, ok := assets[c.Param("name")]
	if !ok {
		notFound(c)
		return
	}
	c.Header("Cache-Control", "no-cache")
	c.Header("ETag", f.tag)
	if c.GetHeader("If-None-Match") == f.tag {
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, f.contentType, f.text)
}
