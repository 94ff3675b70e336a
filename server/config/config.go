// Package config reads the server's one configuration file: YAML, strictly.
//
//	server: { listen: 127.0.0.1:8080, origins: [https://app.example.com] }
//	auth: { jwt: { issuer: https://id.example.com, audience: uploads, jwks_url: https://id.example.com/keys } }
//	stores:
//	  media: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads" } }
//	destinations:
//	  photos:
//	    store: media
//	    bucket: my-media
//	    key: "photos/{user}/{uuid}/{filename}"
//	    content_length: 1B..50MiB
//
// Every mistake is collected and reported with its line and column; an option
// that is not known is one. A configuration with a mistake is not used at all. What defaults says holds
// for every destination that does not say it itself. Secrets have no place in
// the file: they come from the environment and the AWS SDK's own chain.
package config

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// Config is a configuration without mistakes.
type Config struct {
	Listen       string         // host:port
	Origins      []string       // scheme://host[:port] of the pages that may call
	TLS          *TLS           // nil: plain HTTP
	Proxies      []netip.Prefix // in front; believed where a request comes from
	Metrics      []netip.Prefix // who may read /metrics
	Redis        string         // a URL; "": each replica counts for itself
	Auth         Auth
	Stores       []*destination.Store
	Destinations []*destination.Destination // in the file's order
	Warnings     []Mistake                  // what is allowed and probably not meant
	Files        []string                   // that it was read from, and those that it names
}

// TLS names the files of the server's certificate and key.
type TLS struct{ Cert, Key string }

// Mistake is one thing that is wrong.
type Mistake struct {
	File         string
	Line, Column int    // from 1
	Text         string // what is wrong; what to write instead
	Source       string // the line itself around the column, without what may be a secret in it
	pointer      int    // where the column is in Source, from 1
}

// At is the place: file:line:column.
func (m Mistake) At() string { return fmt.Sprintf("%s:%d:%d", m.File, m.Line, m.Column) }

func (m Mistake) String() string { return m.At() + ": " + m.Text }

// Pointed is the line itself, and below it a sign at the column.
func (m Mistake) Pointed() string {
	return fmt.Sprintf("%5d | %s\n      | %*s\n", m.Line, m.Source, m.pointer, "^")
}

// Mistakes is all that is wrong, in the file's order.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].String()
	}
	return strings.Join(lines, "\n")
}

// KeyParser reads the public keys of auth.jwt.key_file.
type KeyParser func(data []byte) ([]crypto.PublicKey, error)

// Load reads a file. Errors are Mistakes, or that the file cannot be read.
func Load(path string, keys KeyParser, rules destination.RuleCompiler, policies destination.PolicyWriter) (*Config, error) {
	data, err := ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	files := []string{path}
	c, err := Parse(path, data, func(name string) ([]byte, error) {
		files = append(files, beside(path, name))
		return ReadFile(beside(path, name))
	}, keys, rules, policies)
	if err != nil {
		return nil, err
	}
	if c.Files = files; c.TLS != nil {
		c.Files = append(c.Files, c.TLS.Cert, c.TLS.Key)
	}
	return c, nil
}

// Parse reads a configuration. file is how mistakes call it; open reads
// a file by its name there, keys understands auth.jwt.key_file, rules compiles
// the destinations' allow, and policies writes their session policies, which have
// to fit STS's limits; nil leaves that out. Errors are Mistakes.
func Parse(file string, data []byte, open func(name string) ([]byte, error), keys KeyParser, rules destination.RuleCompiler, policies destination.PolicyWriter) (*Config, error) {
	d := &document{file: file, data: data, lines: lineBreak.Split(string(data), -1), open: open, rules: rules, policies: policies}
	if open == nil {
		d.open = func(string) ([]byte, error) { return nil, errors.New("no file is read here") }
	}
	c := &Config{}
	if len(data) > maxSize {
		d.tooLarge()
	} else if root := d.parse(data); root != nil {
		o := d.object(root, "the file", &theFile)
		d.server(o, c)
		d.auth(o, c, keys)
		stores := d.stores(o, c)
		d.destinations(o, c, stores)
	}
	byPlace := func(a, b Mistake) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	}
	slices.SortStableFunc(d.mistakes, byPlace)
	slices.SortStableFunc(d.warnings, byPlace)
	if len(d.mistakes) > 0 {
		return nil, d.mistakes
	}
	c.Warnings = d.warnings
	return c, nil
}

// parse answers the file's one mapping, nil where there is none.
func (d *document) parse(data []byte) *yaml.Node {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var root, second yaml.Node
	if err := decoder.Decode(&root); err != nil {
		d.syntax(data, err)
		return nil
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		d.mistake(&second, "a second document begins; write everything into one, without ---")
	case err != io.EOF:
		d.syntax(data, err)
	}
	d.root = root.Content[0]
	if !d.bounded(d.root) {
		return nil
	}
	return d.root
}

// beside resolves a file's name from the folder of the configuration.
func beside(config, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(config), name)
}
