package httpapi

import (
	"bytes"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// signIn is an Authenticator that does what a test wants.
type signIn func() (destination.Principal, error)

func (s signIn) Authenticate(*http.Request) (destination.Principal, error) { return s() }

func handler(t *testing.T, who signIn, log *bytes.Buffer) http.Handler {
	t.Helper()
	h, err := New(Config{
		Service: &destination.Service{}, Auth: who, Origins: []string{"https://app.example.com"}, Cookies: true,
		Static: fstest.MapFS{
			"index.html":                {Data: []byte("<!doctype html>")},
			"index.html.gz":             {Data: []byte("gzip of the page")},
			"chunksign.js":              {Data: []byte("export {}")},
			"core-0123456789ab.wasm":    {Data: []byte("\x00asm")},
			"core-0123456789ab.wasm.br": {Data: []byte("brotli")},
			"core-0123456789ab.wasm.gz": {Data: []byte("gzip")},
			"chunk-NBHOVHO7.js":         {Data: []byte("1")},
			".gitkeep":                  {},
			"secrets.env":               {Data: []byte("x")},
			"no-hash.js":                {Data: []byte("2")},
		},
		Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now:    time.Now, NewID: func() string { return "id-1" },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func ask(h http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func anybody() (destination.Principal, error) { return destination.Principal{ID: "x"}, nil }

func TestFiles(t *testing.T) {
	h := handler(t, anybody, &bytes.Buffer{})
	const forever, check = "public, max-age=31536000, immutable", "no-cache"
	for _, c := range []struct{ path, accept, body, media, encoding, cache string }{
		{"/", "", "<!doctype html>", "text/html; charset=utf-8", "", check},
		{"/", "br, gzip", "gzip of the page", "text/html; charset=utf-8", "gzip", check},
		{"/chunksign/chunksign.js", "br", "export {}", "text/javascript; charset=utf-8", "", check},
		{"/chunksign/core-0123456789ab.wasm", "", "\x00asm", "application/wasm", "", forever},
		{"/chunksign/core-0123456789ab.wasm", "gzip, deflate, br", "brotli", "application/wasm", "br", forever},
		{"/chunksign/core-0123456789ab.wasm", "gzip;q=1.0, br;q=0", "gzip", "application/wasm", "gzip", forever},
		{"/chunksign/core-0123456789ab.wasm", "*", "brotli", "application/wasm", "br", forever},
		{"/chunksign/core-0123456789ab.wasm", "identity, xbr", "\x00asm", "application/wasm", "", forever},
		{"/chunksign/chunk-NBHOVHO7.js", "", "1", "text/javascript; charset=utf-8", "", forever},
		{"/chunksign/no-hash.js", "", "2", "text/javascript; charset=utf-8", "", check},
	} {
		w := ask(h, "GET", c.path, "Accept-Encoding", c.accept)
		got := w.Result().Header
		if w.Code != 200 || w.Body.String() != c.body || got.Get("Content-Type") != c.media || got.Get("Content-Encoding") != c.encoding || got.Get("Cache-Control") != c.cache || got.Get("Content-Length") != strconv.Itoa(len(c.body)) || !strings.Contains(got.Get("Content-Security-Policy"), "'wasm-unsafe-eval'") {
			t.Errorf("%s for %q: %d %q %v", c.path, c.accept, w.Code, w.Body, got)
		}
		again := ask(h, "GET", c.path, "Accept-Encoding", c.accept, "If-None-Match", got.Get("ETag"))
		if again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%s again: %d", c.path, again.Code)
		}
		if head := ask(h, "HEAD", c.path); head.Code != 200 || head.Body.Len() > 0 {
			t.Errorf("HEAD %s: %d %q", c.path, head.Code, head.Body)
		}
	}
	for _, path := range []string{"/chunksign/.gitkeep", "/chunksign/secrets.env", "/chunksign/nope.js", "/chunksign/", "/chunksign/core-0123456789ab.wasm.br", "/index.html"} {
		if w := ask(h, "GET", path); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d %q", path, w.Code, w.Body)
		}
	}
	if w := ask(h, "GET", "/chunksign/chunksign.js", "Origin", "https://app.example.com"); w.Header().Get("Access-Control-Allow-Origin") != "https://app.example.com" || w.Header().Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("for a page of the app: %v", w.Header())
	}
}

// Every code that the domain declares, and every one of this package, is in the table.
func TestEveryCodeHasAStatus(t *testing.T) {
	codes := append(declaredCodes(t, "../destination/errors.go"), declaredCodes(t, "problems.go")...)
	for _, code := range codes {
		if p, ok := problems[code]; !ok || p.status < 400 || p.title == "" {
			t.Errorf("%q has no row", code)
		}
	}
	if len(codes) != len(problems) || len(codes) < 20 {
		t.Errorf("%d codes are declared and %d are in the table", len(codes), len(problems))
	}
}

func declaredCodes(t *testing.T, path string) (codes []destination.Code) {
	t.Helper()
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), path, source, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		kind := ""
		switch x := spec.Type.(type) {
		case *ast.Ident:
			kind = x.Name
		case *ast.SelectorExpr:
			kind = x.Sel.Name
		}
		if value, ok := spec.Values[0].(*ast.BasicLit); ok && kind == "Code" {
			text, _ := strconv.Unquote(value.Value)
			codes = append(codes, destination.Code(text))
		}
		return true
	})
	return codes
}

func TestWhatFailsInsideStaysInside(t *testing.T) {
	for name, who := range map[string]signIn{
		"an error of its own": func() (destination.Principal, error) {
			return destination.Principal{}, errors.New("the database said hunter2")
		},
		"a panic": func() (destination.Principal, error) { panic("hunter2") },
		"a panic of the runtime": func() (destination.Principal, error) {
			var none []string
			return destination.Principal{ID: none[len(none)]}, nil
		},
	} {
		var log bytes.Buffer
		w := ask(handler(t, who, &log), "GET", "/v1/destinations?token=hunter3", "Authorization", "Bearer hunter4")
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"code":"internal"`) || strings.Contains(w.Body.String(), "hunter") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		if strings.Contains(log.String(), "hunter3") || strings.Contains(log.String(), "hunter4") || !strings.Contains(log.String(), "id-1") || !strings.Contains(log.String(), "status=500") {
			t.Errorf("%s: the log is %s", name, log.String())
		}
	}
}

func TestTheLogHasNoQuery(t *testing.T) {
	var log bytes.Buffer
	ask(handler(t, anybody, &log), "GET", "/v1/destinations?X-Amz-Signature=abc", "Referer", "https://x/?secret")
	if s := log.String(); strings.Contains(s, "abc") || strings.Contains(s, "secret") || !strings.Contains(s, "path=/v1/destinations status=200") {
		t.Errorf("the log is %s", s)
	}
}
