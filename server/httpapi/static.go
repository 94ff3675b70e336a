package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
)

// files serves what the build wrote: a flat folder, with .br and .gz beside
// what compresses.
type files struct {
	fs  fs.FS
	csp string
}

func newFiles(f fs.FS, csp string) *files { return &files{f, csp} }

// hashed matches names that change with their content: the build's own hash,
// or the bundler's.
var hashed = regexp.MustCompile(`-([0-9a-f]{8,}|[0-9A-Z]{8})\.[a-z0-9.]+$`)

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
	".wasm": "application/wasm", ".json": "application/json", ".map": "application/json", ".svg": "image/svg+xml",
	".png": "image/png", ".ico": "image/x-icon", ".txt": "text/plain; charset=utf-8",
}

// page serves the demo.
func (f *files) page(w http.ResponseWriter, r *http.Request) error {
	return f.serve(w, r, "index.html")
}

// file serves one built file by its name. Pages of any other origin may load
// them as scripts only where CORS lets them.
func (f *files) file(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	return f.serve(w, r, mux.Vars(r)["file"])
}

func (f *files) serve(w http.ResponseWriter, r *http.Request, name string) error {
	media, known := mediaTypes[path.Ext(name)]
	if !known || !fs.ValidPath(name) || strings.HasPrefix(name, ".") {
		return problem(notFound, "")
	}
	data, encoding, err := f.read(name, r.Header.Get("Accept-Encoding"))
	if err != nil {
		return problem(notFound, "")
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Security-Policy", f.csp)
	h.Add("Vary", "Accept-Encoding")
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	if hashed.MatchString(name) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	} else {
		h.Set("Cache-Control", "no-cache")
	}
	// The ETag is of these very bytes, so each encoding has its own (RFC 9110, section 8.8.3).
	sum := sha256.Sum256(data)
	h.Set("ETag", `"`+hex.EncodeToString(sum[:12])+`"`)
	h.Set("Content-Length", strconv.Itoa(len(data))) // ServeContent leaves it out beside an encoding
	r.Header.Del("Range")                            // of no use with an encoding
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(data))
	return nil
}

// read answers the smallest stored form that the client takes.
func (f *files) read(name, accept string) (data []byte, encoding string, err error) {
	for _, form := range []struct{ suffix, encoding string }{{".br", "br"}, {".gz", "gzip"}} {
		if !accepts(accept, form.encoding) {
			continue
		}
		if data, err := fs.ReadFile(f.fs, name+form.suffix); err == nil {
			return data, form.encoding, nil
		}
	}
	data, err = fs.ReadFile(f.fs, name)
	return data, "", err
}

// accepts reads Accept-Encoding (RFC 9110, section 12.5.3).
func accepts(header, encoding string) bool {
	for item := range strings.SplitSeq(header, ",") {
		name, params, _ := strings.Cut(item, ";")
		if name = strings.TrimSpace(name); !strings.EqualFold(name, encoding) && name != "*" {
			continue
		}
		q, ok := strings.CutPrefix(strings.TrimSpace(params), "q=")
		if weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64); !ok || err == nil && weight > 0 {
			return true
		}
	}
	return false
}
