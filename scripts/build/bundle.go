package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// Bundler turns TypeScript and CSS of the tree into files for web/dist.
type Bundler struct {
	Tree    string
	Glue    []byte            // what `import "wasm_exec"` gives
	Define  map[string]string // identifiers in the source → strings, such as CORE_WASM → core-0123456789ab.wasm
	Library string            // the file that `import "chunksign"` stands for, once it is built
}

// Script is an entry and what it needs.
type Script struct {
	Entry File
	Style *File  // the CSS it imports, if any
	First []File // Entry, the chunks it imports, and those that they import
	Later []File // chunks behind import(), and files it refers to by URL
	Maps  []File
}

// Script bundles the entry at source, a slash path in the tree, as name-HASH.js
// (or .css). Modules are ES modules for ES2022; import() makes chunks.
func (b Bundler) Script(source, name string) (Script, error) {
	options, err := b.options(source, name)
	if err != nil {
		return Script{}, err
	}
	options.Splitting = true
	options.Format = api.FormatESModule
	result := api.Build(options)
	if err := failed(result); err != nil {
		return Script{}, err
	}
	return sortOutputs(result, source)
}

// Classic bundles the entry at source as one script for <script src> without
// type=module, under a name that stays: such pages name the file themselves. Its
// import() of a URL made at run time stays one.
func (b Bundler) Classic(source, name string) (File, error) {
	options, err := b.options(source, name)
	if err != nil {
		return File{}, err
	}
	options.Format = api.FormatIIFE
	options.EntryNames = "[name]"
	options.Sourcemap = api.SourceMapNone
	result := api.Build(options)
	if err := failed(result); err != nil {
		return File{}, err
	}
	if n := len(result.OutputFiles); n != 1 {
		return File{}, fmt.Errorf("esbuild made %d files of %s; a classic script must be one", n, source)
	}
	return File{Name: name + ".js", Path: name + ".js", Data: result.OutputFiles[0].Contents}, nil
}

// options are what every bundle is made with.
func (b Bundler) options(source, name string) (api.BuildOptions, error) {
	define := map[string]string{}
	for identifier, value := range b.Define {
		quoted, err := json.Marshal(value)
		if err != nil {
			return api.BuildOptions{}, err
		}
		define[identifier] = string(quoted)
	}
	return api.BuildOptions{
		EntryPointsAdvanced: []api.EntryPoint{{InputPath: "./" + source, OutputPath: name}},
		AbsWorkingDir:       b.Tree,
		Bundle:              true,
		Platform:            api.PlatformBrowser,
		Target:              api.ES2022,
		MinifySyntax:        true,
		MinifyWhitespace:    true,
		MinifyIdentifiers:   true,
		Charset:             api.CharsetUTF8,
		Define:              define,
		Plugins:             []api.Plugin{b.plugin()},
		Loader: map[string]api.Loader{
			".svg": api.LoaderFile, ".png": api.LoaderFile, ".webp": api.LoaderFile, ".ico": api.LoaderFile, ".woff2": api.LoaderFile,
		},
		Outdir:     "out", // nothing is written: it only makes paths in the metafile
		EntryNames: "[name]-[hash]",
		ChunkNames: "[name]-[hash]",
		AssetNames: "[name]-[hash]",
		Sourcemap:  api.SourceMapExternal,
		Metafile:   true,
		LogLevel:   api.LogLevelSilent,
	}, nil
}

// failed returns esbuild's errors, nil where there are none.
func failed(result api.BuildResult) error {
	if len(result.Errors) == 0 {
		return nil
	}
	lines := api.FormatMessages(result.Errors, api.FormatMessagesOptions{Kind: api.ErrorMessage})
	return errors.New(strings.TrimSpace(strings.Join(lines, "")))
}

// metafile is the part of esbuild's that says who needs whom.
// See https://esbuild.github.io/api/#metafile.
type metafile struct {
	Outputs map[string]struct {
		EntryPoint string
		CSSBundle  string `json:"cssBundle"`
		Imports    []struct {
			Path, Kind string
			External   bool
		}
	}
}

// sortOutputs puts what esbuild made of source under the headings of Script.
func sortOutputs(result api.BuildResult, source string) (Script, error) {
	var meta metafile
	if err := json.Unmarshal([]byte(result.Metafile), &meta); err != nil {
		return Script{}, err
	}
	files := map[string]File{} // by path in the metafile
	var s Script
	for _, out := range result.OutputFiles {
		base := filepath.Base(out.Path)
		f := File{Name: base, Path: base, Data: out.Contents}
		if strings.HasSuffix(base, ".map") {
			s.Maps = append(s.Maps, f)
			continue
		}
		path := "out/" + base
		if meta.Outputs[path].EntryPoint == source || filepath.Ext(base) != ".js" {
			f.Name = sourceName(base) // chunks keep the hash: two bundles may each have one of a name
		}
		files[path] = f
	}
	var entry, style string
	for path, out := range meta.Outputs {
		if out.EntryPoint == source {
			entry, style = path, out.CSSBundle
		}
	}
	if entry == "" {
		return Script{}, fmt.Errorf("esbuild made nothing of %s", source)
	}

	first := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		if first[path] {
			return
		}
		first[path] = true
		s.First = append(s.First, files[path])
		for _, i := range meta.Outputs[path].Imports {
			if i.Kind == "import-statement" && !i.External {
				visit(i.Path)
			}
		}
	}
	visit(entry)
	s.Entry = files[entry]
	for _, out := range result.OutputFiles { // in esbuild's own, steady order
		path := "out/" + filepath.Base(out.Path)
		f, ok := files[path]
		switch {
		case !ok || first[path]:
		case path == style:
			s.Style = &f
		default:
			s.Later = append(s.Later, f)
		}
	}
	return s, nil
}

var esbuildHash = regexp.MustCompile(`^(.+)-[0-9A-Z]{8}(\.[a-z0-9]+)$`)

// sourceName takes esbuild's hash off a file name.
func sourceName(base string) string {
	return esbuildHash.ReplaceAllString(base, "$1$2")
}

// plugin resolves the two names that are no files of the tree.
func (b Bundler) plugin() api.Plugin {
	return api.Plugin{Name: "chunksign", Setup: func(p api.PluginBuild) {
		p.OnResolve(api.OnResolveOptions{Filter: `^wasm_exec$`}, func(api.OnResolveArgs) (api.OnResolveResult, error) {
			return api.OnResolveResult{Path: "wasm_exec", Namespace: "glue"}, nil
		})
		p.OnLoad(api.OnLoadOptions{Filter: `^wasm_exec$`, Namespace: "glue"}, func(api.OnLoadArgs) (api.OnLoadResult, error) {
			code, err := browserGlue(b.Glue)
			return api.OnLoadResult{Contents: &code, Loader: api.LoaderJS}, err
		})
		p.OnResolve(api.OnResolveOptions{Filter: `^chunksign$`}, func(api.OnResolveArgs) (api.OnResolveResult, error) {
			if b.Library == "" {
				return api.OnResolveResult{}, errors.New(`only the demo and the shim may import "chunksign"; import the file itself`)
			}
			return api.OnResolveResult{Path: "./" + b.Library, External: true}, nil
		})
	}}
}

// browserGlue turns a compiler's wasm_exec.js into a module that exports Go. The
// glue sets globalThis.Go, and TinyGo's looks for Node.js first: told that there
// is none, esbuild takes that part out instead of trying to bundle it.
func browserGlue(glue []byte) (string, error) {
	result := api.Transform(string(glue), api.TransformOptions{
		Define:       map[string]string{"require": "undefined", "module": "undefined", "global.require": "undefined"},
		MinifySyntax: true,
		Target:       api.ES2022,
		LogLevel:     api.LogLevelSilent,
	})
	if len(result.Errors) > 0 {
		return "", fmt.Errorf("wasm_exec.js: %s", result.Errors[0].Text)
	}
	return string(result.Code) + "\nexport const Go = globalThis.Go;\nexport default Go;\n", nil
}
