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
// that is not known is one, and so is one that this version does not have yet.
// A configuration with a mistake is not used at all. Secrets have no place in
// the file: they come from the environment and the AWS SDK's own chain.
package config

import (
	"crypto"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chunksign/chunksign/server/destination"
)

// Config is a configuration without mistakes.
type Config struct {
	Listen       string   // host:port
	Origins      []string // scheme://host[:port] of the pages that may call
	TLS          *TLS     // nil: plain HTTP
	Auth         Auth
	Stores       []*destination.Store
	Destinations []*destination.Destination // in the file's order
	Warnings     []Mistake                  // what is allowed and probably not meant
}

// TLS names the files of the server's certificate and key.
type TLS struct{ Cert, Key string }

// Auth says how principals sign in: exactly one is set.
type Auth struct {
	Dev bool
	JWT *JWT
}

// JWT says whose tokens count. Either JWKSURL or Keys is set.
type JWT struct {
	Issuer, Audience, JWKSURL, Cookie string
	Keys                              []crypto.PublicKey
}

// Mistake is one thing that is wrong.
type Mistake struct {
	File         string
	Line, Column int    // from 1
	Text         string // what is wrong; what to write instead
}

func (m Mistake) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
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
func Load(path string, keys KeyParser) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the configuration cannot be read: %w", err)
	}
	return Parse(path, data, func(name string) ([]crypto.PublicKey, error) {
		data, err := os.ReadFile(beside(path, name))
		if err != nil {
			return nil, err
		}
		return keys(data)
	})
}

// Parse reads a configuration. file is how mistakes call it; keys opens
// auth.jwt.key_file by the name in the file. Errors are Mistakes.
func Parse(file string, data []byte, keys func(name string) ([]crypto.PublicKey, error)) (*Config, error) {
	d := &document{file: file}
	c := &Config{}
	if root := d.parse(data); root != nil {
		o := d.object(root, "the file", "server", "auth", "stores", "destinations")
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
	decoder := yaml.NewDecoder(strings.NewReader(string(data)))
	var root, second yaml.Node
	if err := decoder.Decode(&root); err != nil {
		d.syntax(err)
		return nil
	}
	if err := decoder.Decode(&second); err == nil {
		d.mistake(&second, "a second document begins; write everything into one, without ---")
	}
	return root.Content[0]
}

// syntax reports what the YAML parser says, which names a line at most.
func (d *document) syntax(err error) {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	if text == "EOF" {
		text = "the file is empty; write server, auth, stores and destinations"
	} else {
		text = "this is not YAML: " + text + "; look at the indentation and the quotes here and on the line before"
	}
	d.mistakes = append(d.mistakes, Mistake{d.file, line, 1, text})
}

// beside resolves a file's name from the folder of the configuration.
func beside(config, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(config), name)
}
