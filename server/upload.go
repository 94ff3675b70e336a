package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"mime"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/chunksign/chunksign/server/config"
	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/drive"
	"github.com/chunksign/chunksign/wasm/plan"
)

const (
	tokenVariable  = "CHUNKSIGN_TOKEN"
	maxConcurrency = 64
)

const uploadIntro = `chunksign upload FILE… -destination NAME [-server URL]
chunksign upload -list
chunksign upload -discard FILE…|ID…

chunksign upload sends files straight to the store that a chunksign server gives
credentials for, with the same engine as the browser's. An upload that was
interrupted (a signal, a crash, a network that stays away) goes on when the same file
is uploaded to the same destination again: only what the store does not have is sent.

A line for each uploaded file goes to stdout, everything else to stderr.

Exit status: 0 all files were uploaded · 1 some were not · 2 a wrong command line ·
3 the server wants a sign-in · 130 or 143 ended by SIGINT (Ctrl-C) or SIGTERM;
what the store has is kept then, and a second signal ends at once.`

// The exit statuses beside 0, 1 and 2. A signal's is 128 and its number, as in a shell.
const needsSignIn exitStatus = 3

// exitStatus is how a command ends that has said itself what went wrong.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// uploading is the command's options.
type uploading struct {
	files       []string
	server      string
	destination string
	tokenFile   string
	mediaType   string
	journal     string
	fresh       bool
	list        bool
	discard     bool
	quiet       bool
	json        bool
	drive       drive.Config

	getenv func(string) string
	stdout io.Writer
	stderr io.Writer
}

func uploadFiles(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	u := &uploading{getenv: getenv, stdout: stdout, stderr: stderr}
	flags := flag.NewFlagSet("upload", flag.ContinueOnError)
	flags.StringVar(&u.destination, "destination", "", "the `name` of one of the server's destinations; required but for -list and -discard")
	flags.StringVar(&u.server, "server", "http://"+config.DefaultListen, "the chunksign server's `URL`")
	flags.StringVar(&u.tokenFile, "token-file", "", "the `file` that holds the bearer token for the server; it is read again when the server no longer takes it. By default the environment's "+tokenVariable)
	flags.StringVar(&u.mediaType, "type", "", "the files' media `type`, such as image/png; by default what the name's ending says")
	flags.Func("part-size", "the `size` of a part, 5MiB to 5GiB; larger where 10,000 parts would not hold the file (default 8MiB)", u.size("part-size", &u.drive.PartSize, plan.MinPartSize, plan.MaxPartSize))
	flags.IntVar(&u.drive.Concurrency, "concurrency", 4, "the most parts under way at once, over all files: a `number` from 1 to 64")
	flags.Func("max-rate", "the most bytes a second over all files, on average: a `size` such as 10MiB; no bound by default", u.size("max-rate", &u.drive.Rate, 1, plan.MaxObjectSize))
	flags.StringVar(&u.journal, "journal", "", "the `folder` of the records of unfinished uploads (default $XDG_STATE_HOME/chunksign/journal, or ~/.local/state/chunksign/journal)")
	flags.BoolVar(&u.fresh, "no-resume", false, "begin anew where there is an unfinished upload; that one stays in -list")
	flags.BoolVar(&u.list, "list", false, "show the unfinished uploads and end")
	flags.BoolVar(&u.discard, "discard", false, "give the unfinished uploads of the FILEs, or with the IDs that -list shows, up: the store removes their parts")
	flags.BoolVar(&u.quiet, "quiet", false, "say nothing but what went wrong")
	flags.BoolVar(&u.json, "json", false, "a JSON object on stdout for each file when it ends (with -list: for each unfinished upload), and no progress")
	if err := u.parse(flags, args); err != nil {
		return err
	}
	u.drive.UserAgent = "chunksign-upload (" + runtime.GOOS + ")"
	var err error
	if u.drive.Journal, err = u.openJournal(); err != nil {
		if u.list || u.discard {
			return err
		}
		fmt.Fprintf(stderr, "warning: %v. The uploads go on, and cannot be resumed if they are interrupted\n", err)
	}
	switch {
	case u.list:
		return u.showUnfinished()
	case u.discard:
		return u.discardUnfinished(ctx)
	}
	return u.upload(ctx)
}

// parse reads options and files in any order: what people add to a command comes last.
func (u *uploading) parse(flags *flag.FlagSet, args []string) error {
	for {
		// "--" ends the options, but not within a command line that goes on after a FILE.
		if err := parseWith(flags, args, len(args), u.stderr, uploadIntro); err != nil {
			return err
		}
		rest := flags.Args()
		if read := args[:len(args)-len(rest)]; len(read) > 0 && read[len(read)-1] == "--" {
			u.files = append(u.files, rest...)
			break
		}
		if len(rest) == 0 {
			break
		}
		u.files, args = append(u.files, rest[0]), rest[1:]
	}
	if err := u.check(); err != nil {
		fmt.Fprintf(u.stderr, "chunksign upload: %v\nchunksign upload -h shows the options.\n", err)
		return flagError{err}
	}
	return nil
}

// check holds the options against each other.
func (u *uploading) check() error {
	server, err := url.Parse(u.server)
	switch {
	case err != nil || server.Scheme != "http" && server.Scheme != "https" || server.Host == "" || server.RawQuery != "" || server.Fragment != "" || server.User != nil:
		return fmt.Errorf("-server %q is no server's address; write scheme, host and port, such as https://uploads.example.com", u.server)
	case u.drive.Concurrency < 1 || u.drive.Concurrency > maxConcurrency:
		return fmt.Errorf("-concurrency %d is out of range; write 1 to %d", u.drive.Concurrency, maxConcurrency)
	case u.list && u.discard:
		return errors.New("-list and -discard do not go together; write one of them")
	case u.list && len(u.files) > 0:
		return fmt.Errorf("-list takes no FILE, not %q; leave it out", u.files[0])
	case u.discard && len(u.files) == 0:
		return errors.New("-discard needs a FILE, or an ID that chunksign upload -list shows")
	case !u.list && !u.discard && len(u.files) == 0:
		return errors.New("there is no FILE; write chunksign upload FILE -destination NAME")
	case !u.list && !u.discard && u.destination == "":
		return errors.New("-destination is missing; write the name of one of the server's destinations, such as -destination demo")
	case u.mediaType != "":
		if essence, _, err := mime.ParseMediaType(u.mediaType); err != nil || !strings.Contains(essence, "/") {
			return fmt.Errorf("-type %q is no media type; write type/subtype, such as image/png", u.mediaType)
		}
	}
	u.server = strings.TrimRight(u.server, "/")
	if server.Scheme == "http" && !onThisMachine(server.Hostname()) && (u.tokenFile != "" || u.getenv(tokenVariable) != "") {
		fmt.Fprintf(u.stderr, "warning: the token goes to %s unencrypted; use https\n", u.server)
	}
	return nil
}

func onThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// size reads an option that is a number of bytes.
func (u *uploading) size(name string, to *int64, least, most int64) func(string) error {
	return func(s string) error {
		n, err := destination.ParseSize(s)
		if err == nil && (n < least || n > most) {
			err = fmt.Errorf("%q is out of range; write %s to %s", s, byteWords(least), byteWords(most))
		}
		*to = n
		return err
	}
}

// token reads the bearer token. It is never part of an error.
func (u *uploading) token() (string, error) {
	if u.tokenFile == "" {
		return u.getenv(tokenVariable), nil
	}
	text, err := config.ReadFile(u.tokenFile)
	if err != nil {
		return "", fmt.Errorf("-token-file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("-token-file %q holds no token; write the token alone into it, in one line", u.tokenFile)
	}
	return token, nil
}

func (u *uploading) openJournal() (*drive.Journal, error) {
	dir := u.journal
	if dir == "" {
		state := u.getenv("XDG_STATE_HOME")
		if !filepath.IsAbs(state) { // relative ones are to be ignored, by the XDG Base Directory Specification
			home := cmp.Or(u.getenv("HOME"), u.getenv("USERPROFILE"))
			if home == "" {
				return nil, errors.New("there is no folder for the records of unfinished uploads; name one with -journal")
			}
			state = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(state, "chunksign", "journal")
	}
	return drive.OpenJournal(dir)
}

func (u *uploading) upload(ctx context.Context) error {
	if u.tokenFile != "" {
		if _, err := u.token(); err != nil {
			return err
		}
	}
	var jobs []drive.Job
	given := map[string]bool{}
	for _, name := range u.files {
		f, err := drive.Look(name)
		if err == nil && given[f.Path] {
			err = fmt.Errorf("FILE %q is given twice; leave one out", name)
		}
		if err != nil {
			// Before anything is sent: a mistyped name is not one file of many that failed.
			fmt.Fprintf(u.stderr, "chunksign upload: %v\n", err)
			return flagError{err}
		}
		given[f.Path] = true
		f.Type = cmp.Or(u.mediaType, typeOf(f.Name))
		jobs = append(jobs, drive.Job{Server: drive.Server{URL: u.server, Destination: u.destination, Token: u.token}, File: f, Fresh: u.fresh})
	}
	u.tellOfOthers(jobs)
	d := newDisplay(u, u.files, jobs)
	results := drive.Run(ctx, u.drive, jobs, d)
	d.close()
	return u.end(ctx, results, "uploaded")
}

// typeOf is the media type that a name's ending says, "" for none known.
// Parameters are left out: that a text is UTF-8 is a guess.
func typeOf(name string) string {
	essence, _, err := mime.ParseMediaType(mime.TypeByExtension(filepath.Ext(name)))
	if err != nil {
		return ""
	}
	return essence
}

// end says how the command ends.
func (u *uploading) end(ctx context.Context, results []drive.Result, done string) error {
	ended, failed, status := 0, 0, exitStatus(0)
	for _, r := range results {
		switch {
		case r.Err == nil:
			ended++
		case r.NeedsAuth:
			status = needsSignIn
			failed++
		default:
			status = max(status, 1)
			failed++
		}
	}
	var signal interruption
	if errors.As(context.Cause(ctx), &signal) && failed > 0 {
		fmt.Fprintf(u.stderr, "interrupted: %d of %d %s; what the store has of the others is kept, and the same command goes on with it (chunksign upload -list shows what is unfinished)\n", ended, len(results), done)
		status = signal.status()
	} else if status == needsSignIn && !u.json {
		fmt.Fprintf(u.stderr, "the server wants a sign-in: put a token that it takes into the file of -token-file, or into %s; the same command then goes on\n", tokenVariable)
	}
	if status == 0 {
		return nil
	}
	return status
}

// interruption is why a command's context ended: a signal.
type interruption struct{ os.Signal }

func (i interruption) Error() string { return "ended by a signal: " + i.String() }

func (i interruption) status() exitStatus {
	if n, ok := i.Signal.(syscall.Signal); ok {
		return exitStatus(128 + int(n))
	}
	return 1
}

// outcome is a line of -json.
type outcome struct {
	File      string   `json:"file"`
	Bucket    string   `json:"bucket,omitempty"`
	Key       string   `json:"key,omitempty"`
	Size      int64    `json:"size"`
	ETag      string   `json:"etag,omitempty"`
	VersionID string   `json:"versionId,omitempty"`
	Checksum  string   `json:"checksum,omitempty"`
	URL       string   `json:"url,omitempty"`
	Error     *failure `json:"error,omitempty"`
	// Unfinished says that what the store has is kept, to be gone on with.
	Unfinished bool `json:"unfinished,omitempty"`
}

type failure struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Status    int    `json:"status,omitempty"`
	RequestID string `json:"requestId,omitempty"`
}

func outcomeOf(file string, size int64, r drive.Result) outcome {
	o := outcome{File: file, Size: size, Unfinished: r.Err != nil && r.Kept}
	if e := r.Err; e != nil {
		o.Error = &failure{e.Code, e.Message, e.Status, e.RequestID}
		return o
	}
	b := r.Object
	o.Bucket, o.Key, o.ETag, o.VersionID, o.Checksum, o.URL = b.Bucket, b.Key, b.ETag, b.VersionID, b.Checksum, b.URL
	return o
}

func (u *uploading) writeJSON(v any) {
	e := json.NewEncoder(u.stdout)
	e.SetEscapeHTML(false) // a URL stays one that can be copied
	_ = e.Encode(v)        // a stdout that is closed loses it, as it does any line
}
