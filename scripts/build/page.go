package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// servedUnder is where the server puts web/dist. index.html is served at / too,
// so it refers to its files from the top.
const servedUnder = "/chunksign/"

// Page is the demo.
type Page struct {
	HTML  File
	Files []File // what it refers to, and what that refers to
	Maps  []File
}

// reference matches src="…" and href="…"; the page is ours and writes them so.
var reference = regexp.MustCompile(`\b(src|href)="([^"]*)"`)

// elsewhere matches references that name no file beside the page.
var elsewhere = regexp.MustCompile(`^([a-z][a-z0-9+.-]*:|/|#|\?|$)`)

// Page builds the page at source, a slash path in the tree. The page refers to
// its sources (src="demo.ts", href="demo.css", href="icon.svg"), which are bundled
// or copied, and the references replaced by what became of them.
func (b Bundler) Page(source string) (Page, error) {
	html, err := os.ReadFile(filepath.Join(b.Tree, filepath.FromSlash(source)))
	if err != nil {
		return Page{}, err
	}
	var page Page
	becomes := map[string]string{}
	for _, m := range reference.FindAllStringSubmatch(string(html), -1) {
		ref := m[2]
		if _, done := becomes[ref]; done || elsewhere.MatchString(ref) {
			continue
		}
		files, maps, err := b.referenced(path.Join(path.Dir(source), ref))
		if err != nil {
			return Page{}, fmt.Errorf("%s: %s: %w", source, m[0], err)
		}
		becomes[ref] = servedUnder + files[0].Path
		page.Files, page.Maps = unique(page.Files, files), unique(page.Maps, maps)
	}
	replaced := reference.ReplaceAllStringFunc(string(html), func(attribute string) string {
		m := reference.FindStringSubmatch(attribute)
		if file, ok := becomes[m[2]]; ok {
			return m[1] + `="` + file + `"`
		}
		return attribute
	})
	// The CSS that a script imports is nobody's reference: it is linked here.
	for _, f := range page.Files {
		link := `<link rel="stylesheet" href="` + servedUnder + f.Path + `">`
		if strings.HasSuffix(f.Path, ".css") && !strings.Contains(replaced, servedUnder+f.Path) {
			replaced = strings.Replace(replaced, "</head>", link+"\n</head>", 1)
		}
	}
	page.HTML = File{Name: "index.html", Path: "index.html", Data: []byte(replaced)}
	return page, nil
}

// referenced builds one file that the page refers to; it comes first.
func (b Bundler) referenced(source string) (files, maps []File, err error) {
	ext := path.Ext(source)
	switch ext {
	case ".ts", ".js", ".css":
		script, err := b.Script(source, strings.TrimSuffix(path.Base(source), ext))
		if err != nil {
			return nil, nil, err
		}
		files = append(script.First, script.Later...)
		if script.Style != nil {
			files = append(files, *script.Style)
		}
		return files, script.Maps, nil
	}
	data, err := os.ReadFile(filepath.Join(b.Tree, filepath.FromSlash(source)))
	return []File{hashed(path.Base(source), data)}, nil, err
}
