package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"mime"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/auth"
	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/policy"
	"github.com/chunksign/chunksign/server/presign"
	"github.com/chunksign/chunksign/server/redact"
	"github.com/chunksign/chunksign/server/sts"
	"github.com/chunksign/chunksign/server/trial"
	"github.com/chunksign/chunksign/server/verify"
)

// presignOptions is the command line of chunksign presign.
type presignOptions struct {
	config, destination, method, user string
	file                              string // "" where name and size stand for it
	name, mediaType                   string
	size                              string
	claims                            map[string]any
	form                              destination.Form
	key                               string // of the object to read
	inline                            bool
	expires                           time.Duration
	json                              bool
}

// presignOnly are the methods of the options that not every method has.
var presignOnly = map[string]string{
	"key": "GET", "inline": "GET", "status": "POST", "redirect": "POST", "starts-with": "POST",
	"user": "PUT and POST", "claim": "PUT and POST", "name": "PUT and POST", "size": "PUT and POST",
}

// presignCommand signs a request for one file, or for an object, and prints how to send it.
func presignCommand(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	o := presignOptions{claims: map[string]any{}}
	flags := flag.NewFlagSet("presign", flag.ContinueOnError)
	flags.StringVar(&o.config, "config", defaultConfig, "the configuration `file`")
	flags.StringVar(&o.destination, "destination", "", "the `name` of the destination; required")
	flags.StringVar(&o.method, "method", "PUT", "the `method`: PUT, POST for a form, or GET for a link to read")
	flags.DurationVar(&o.expires, "expires", destination.DefaultLinkDuration, "how long it may be sent, as a `duration` such as 15m; it ends with the session that signs it in any case")
	flags.StringVar(&o.user, "user", "", "the `principal` that the upload is of; required where the key has {user}")
	flags.Func("claim", "a `claim` of the principal, NAME=VALUE, for keys with {claims.NAME}; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if o.claims[name] = value; !ok || name == "" || value == "" {
			return errors.New("write NAME=VALUE")
		}
		return nil
	})
	flags.StringVar(&o.name, "name", "", "the file's `name`, instead of FILE or to call it otherwise")
	flags.StringVar(&o.size, "size", "", "the file's `size`, such as 1024 or 5MiB; with -name, without FILE")
	flags.StringVar(&o.mediaType, "type", "", "the file's media `type`; by default what its name's extension stands for; with GET the one to answer with, by default the object's")
	flags.IntVar(&o.form.Status, "status", 0, "POST: the `status` that the store answers with: 200, 201 or 204; by default 201")
	flags.StringVar(&o.form.Redirect, "redirect", "", "POST: the `URL` that the store sends the browser to, instead of a status")
	flags.Func("starts-with", "POST: metadata that whoever sends the form fills in, x-amz-meta-NAME=BEGINNING; `may be repeated`", func(s string) error {
		name, beginning, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("write x-amz-meta-NAME=BEGINNING")
		}
		if o.form.StartsWith == nil {
			o.form.StartsWith = map[string]string{}
		}
		o.form.StartsWith[name] = beginning
		return nil
	})
	flags.StringVar(&o.key, "key", "", "GET: the object's `key`; required")
	flags.BoolVar(&o.inline, "inline", false, "GET: shown by the browser where it can, instead of saved")
	flags.BoolVar(&o.json, "json", false, "print what the HTTP interface would answer instead of a curl command")
	if err := parseWith(flags, args, 1, stderr, "chunksign presign [options] [FILE] signs an upload of a file and prints the curl command that sends it;\nwith -method GET and -key, a link by which an object can be read.\nIt is for whoever runs the server: allow, rate and read are not asked. It needs the server's environment.\nWhoever has what it prints may send the file, or read it, until it expires."); err != nil {
		return err
	}
	o.file = flags.Arg(0)
	if err := o.check(flags); err != nil {
		return err
	}
	if o.method == "GET" {
		return o.read(ctx, getenv, stdout, stderr)
	}
	f, sum, err := o.about()
	if err != nil {
		return err
	}
	service, err := o.service(ctx, getenv, stderr)
	if err != nil {
		return err
	}
	p := destination.Principal{ID: cmp.Or(o.user, "chunksign presign"), Claims: o.claims}
	var signed destination.Presigned
	if o.method == "POST" {
		signed, err = service.PresignForm(ctx, p, o.destination, f, sum, o.expires, o.form)
	} else {
		signed, err = service.PresignPut(ctx, p, o.destination, f, sum, o.expires)
	}
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(stdout, struct {
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers,omitempty"`
			Fields  map[string]string `json:"fields,omitempty"`
			Expires string            `json:"expires"`
			Grant   string            `json:"grant"`
			Key     string            `json:"key"`
		}{signed.URL, signed.Header, signed.Fields, signed.Expires.Format(time.RFC3339), signed.Token, signed.Grant.Key})
	}
	fmt.Fprintln(stdout, o.curl(signed))
	fmt.Fprintf(stderr, "%s, until %s\n", signed.Grant.Key, signed.Expires.Format(time.RFC3339))
	return nil
}

// check holds the options against each other.
func (o *presignOptions) check(flags *flag.FlagSet) error {
	switch {
	case o.destination == "":
		return errors.New("-destination is missing; name one of the configuration's destinations")
	case o.method != "PUT" && o.method != "POST" && o.method != "GET":
		return fmt.Errorf("-method is %q; write PUT, POST or GET", o.method)
	case o.expires < time.Second || o.expires > destination.MaxLinkDuration || o.expires%time.Second != 0:
		return fmt.Errorf("-expires is %v; write whole seconds, from 1s to %v", o.expires, destination.MaxLinkDuration)
	}
	var err error
	flags.Visit(func(f *flag.Flag) {
		if of := presignOnly[f.Name]; of != "" && !strings.Contains(of, o.method) {
			err = fmt.Errorf("-%s is there, which is for %s, with -method %s; leave one of them out", f.Name, of, o.method)
		}
	})
	switch {
	case err != nil:
		return err
	case o.method == "GET" && o.file != "":
		return fmt.Errorf("there is a FILE, %q, with -method GET; name the object to read by -key", o.file)
	case o.method == "GET" && o.key == "":
		return errors.New("-key is missing; name the object to read, as complete and presign say it")
	case o.method != "GET" && o.file == "" && (o.name == "" || o.size == ""):
		return errors.New("there is neither a FILE nor -name with -size; say which file is to be sent")
	case o.file != "" && o.size != "":
		return errors.New("-size is there beside a FILE, which has its own; leave one of them out")
	}
	return nil
}

// read prints a link to an object of the destination's bucket.
func (o *presignOptions) read(ctx context.Context, getenv func(string) string, stdout, stderr io.Writer) error {
	// Not CheckKey, which is for keys that are made here: this is any object's. Browsers and some stores resolve dots.
	dots := func(s string) bool { return s == "." || s == ".." }
	if !utf8.ValidString(o.key) || len(o.key) > 1024 || slices.ContainsFunc(strings.Split(o.key, "/"), dots) {
		return fmt.Errorf("-key is %q; name an object by 1 to 1,024 bytes of UTF-8 without . and .. segments", o.key)
	}
	if o.mediaType != "" && destination.CheckMediaType(o.mediaType) != nil {
		return fmt.Errorf("-type is %q; write a media type such as image/png", o.mediaType)
	}
	service, err := o.service(ctx, getenv, stderr)
	if err != nil {
		return err
	}
	d, err := service.Named(o.destination)
	if err != nil {
		return err
	}
	switch object, err := service.Objects.Look(ctx, d.Store, d.Bucket, o.key); {
	case err != nil:
		return err
	case object == nil:
		return fmt.Errorf("-key is %q, and the bucket %s has no such object; write the whole key, with its folders", o.key, d.Bucket)
	}
	name := path.Base(o.key)
	link, err := service.Links.ReadLink(ctx, d.Store, d.Bucket, o.key, destination.ReadAs{Name: name, Inline: o.inline, Type: o.mediaType}, time.Now(), o.expires)
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(stdout, map[string]any{"url": link.URL, "headers": map[string]string{}, "expires": link.Expires.Format(time.RFC3339)})
	}
	fmt.Fprintln(stdout, "curl", "--fail-with-body", "-o", quoted(name), quoted(link.URL))
	fmt.Fprintf(stderr, "%s, until %s\n", o.key, link.Expires.Format(time.RFC3339))
	return nil
}

// about is what there is to say about the file, and its SHA-256 in base64 where
// it is at hand.
func (o *presignOptions) about() (f destination.File, sum string, err error) {
	f.Name = cmp.Or(o.name, filepath.Base(o.file))
	f.Type = cmp.Or(o.mediaType, mime.TypeByExtension(filepath.Ext(f.Name)))
	if o.file == "" {
		f.Size, err = destination.ParseSize(o.size)
		return f, "", err
	}
	r, err := os.Open(o.file)
	if err != nil {
		return f, "", fmt.Errorf("the file: %w", err)
	}
	defer r.Close()
	hash := sha256.New()
	if f.Size, err = io.Copy(hash, r); err != nil {
		return f, "", fmt.Errorf("the file: %w", err)
	}
	return f, base64.StdEncoding.EncodeToString(hash.Sum(nil)), nil
}

// service is the server's own, without anybody's sign-in, rules and limits.
func (o *presignOptions) service(ctx context.Context, getenv func(string) string, stderr io.Writer) (*destination.Service, error) {
	c, err := config.Load(o.config, auth.ParseKeys, allow.Compile, policy.Session)
	if err != nil {
		return nil, err
	}
	w := wiring{config: c, getenv: getenv, logger: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{ReplaceAttr: redact.Attr}))}
	if err := w.configured(ctx); err != nil {
		return nil, err
	}
	for _, d := range c.Destinations {
		d.Allow, d.Rate = nil, destination.Rate{}
		if d.Name == o.destination && d.Key.PerUser() && o.user == "" {
			return nil, fmt.Errorf("-user is missing, and the key of %s has {user}; say whose upload it is", d.Name)
		}
	}
	presigner := presign.Presigner{Credentials: w.credentials}
	sessions := sts.New(c.Stores, w.credentials, nil, time.Now)
	return &destination.Service{
		Destinations: c.Destinations, Grants: w.grants, Policy: policy.Session, Sessions: sessions, Signing: trial.NewSignatures(presigner, w.logger, time.Now),
		Objects: verify.New(storesOf(c.Destinations), sessions.Own, nil), Links: presigner, Signer: presigner, Now: time.Now, Random: rand.Reader,
	}, nil
}

// curl is the command, for a POSIX shell, that sends the file.
func (o *presignOptions) curl(p destination.Presigned) string {
	file := cmp.Or(o.file, p.Grant.Name)
	words := []string{"curl", "--fail-with-body"}
	if o.method == "PUT" {
		words = append(words, "-T", quoted(file))
		for _, name := range slices.Sorted(maps.Keys(p.Header)) {
			words = append(words, "-H", quoted(curlHeader(name, p.Header[name])))
		}
		return strings.Join(append(words, quoted(p.URL)), " ")
	}
	for _, name := range slices.Sorted(maps.Keys(p.Fields)) {
		words = append(words, "--form-string", quoted(name+"="+p.Fields[name]))
	}
	// In a form's value curl gives ; and , a meaning, unless the file's name is in quotes.
	name := `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(file) + `"`
	return strings.Join(append(words, "-F", quoted("file=@"+name), quoted(p.URL)), " ")
}

// curlHeader is a header as curl's -H has it: with a colon and nothing after it, it
// would leave the header out.
func curlHeader(name, value string) string {
	if value == "" {
		return name + ";"
	}
	return name + ": " + value
}

// quoted is a word of a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

func printJSON(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // URLs hold &
	e.SetIndent("", "  ")
	err := e.Encode(v)
	if err == nil {
		_, err = w.Write(b.Bytes())
	}
	return err
}
