// Package static holds what browsers load beside the pages: the style sheet, the scripts and the icon. Everything is in the
// binary, so that a console works in a network without Internet.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed css js vendor favicon.svg
var files embed.FS

// The files that pages refer to by Path.
const (
	Styles  = "app.css"
	Scripts = "app.js"
	Htmx    = "htmx.js"
	Uplot   = "uplot.js" // only for pages with charts
	Icon    = "favicon.svg"
)

// Prefix is where Handler must be mounted.
const Prefix = "/static/"

// asset is one file as it is served. Its URL changes with its content, so browsers may keep it for ever.
type asset struct {
	name    string // with the hash
	content []byte
}

var (
	byName = map[string]asset{}
	byURL  = map[string]asset{}
)

func init() {
	add(Styles, join("vendor/uplot/uPlot.min.css", "css/*.css"))
	add(Scripts, join("js/*.js"))
	// hx-csp must be there before htmx looks at the page, so both are one script.
	add(Htmx, join("vendor/htmx/htmx.min.js", "vendor/htmx/hx-csp.min.js"))
	add(Uplot, join("vendor/uplot/uPlot.iife.min.js"))
	add(Icon, join(Icon))
}

// join gives the files that match, in the order of their names, as one.
func join(patterns ...string) []byte {
	var all bytes.Buffer
	for _, pattern := range patterns {
		names, err := fs.Glob(files, pattern)
		if err != nil || len(names) == 0 {
			panic("static: nothing matches " + pattern)
		}
		for _, name := range names {
			content, err := files.ReadFile(name)
			if err != nil {
				panic(err) // an embedded file can always be read
			}
			all.Write(content)
			all.WriteByte('\n')
		}
	}
	return all.Bytes()
}

func add(name string, content []byte) {
	sum := sha256.Sum256(content)
	ext := path.Ext(name)
	a := asset{name: strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext, content: content}
	byName[name] = a
	byURL[Prefix+a.name] = a
}

// Path gives the URL path of a file.
func Path(name string) string {
	a, ok := byName[name]
	if !ok {
		panic("static: there is no file " + name)
	}
	return Prefix + a.name
}

// Handler serves the files.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a, ok := byURL[r.URL.Path]
		if !ok {
			w.Header().Set("Cache-Control", "no-store")
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		http.ServeContent(w, r, a.name, time.Time{}, bytes.NewReader(a.content))
	})
}
