package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/chunksign/chunksign/server/drive"
	engine "github.com/chunksign/chunksign/wasm/upload"
)

// unfinished is a line of -list -json.
type unfinished struct {
	ID          string   `json:"id"`
	File        string   `json:"file,omitempty"`
	Size        int64    `json:"size"`
	Server      string   `json:"server,omitempty"`
	Destination string   `json:"destination,omitempty"`
	Key         string   `json:"key,omitempty"`
	Begun       string   `json:"begun,omitempty"`
	Expires     string   `json:"expires,omitempty"`
	Error       *failure `json:"error,omitempty"`
}

// showUnfinished is -list.
func (u *uploading) showUnfinished() error {
	list, err := u.drive.Journal.List()
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(u.stdout, 0, 0, 2, ' ', 0)
	shown := 0
	for _, k := range list {
		r := &k.Record
		switch {
		case u.json && k.Err != nil:
			u.writeJSON(unfinished{ID: k.ID, Error: &failure{Code: drive.CodeNoRecord, Message: k.Err.Error()}})
		case u.json:
			u.writeJSON(unfinished{ID: k.ID, File: k.Path, Size: r.File.Size, Server: k.Server, Destination: k.Destination,
				Key: r.Grant.Target.Key, Begun: r.Begun.UTC().Format(time.RFC3339), Expires: r.Grant.Expires.UTC().Format(time.RFC3339)})
		case k.Err != nil:
			u.warnUnreadable(k)
		default:
			if shown++; shown == 1 {
				fmt.Fprintln(table, "ID\tFILE\tSIZE\tDESTINATION\tSERVER\tBEGUN\tENDS")
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", printable(k.ID), printable(k.Path), byteWords(r.File.Size),
				printable(k.Destination), printable(k.Server), r.Begun.Local().Format("2006-01-02 15:04"), r.Grant.Expires.Local().Format("2006-01-02 15:04"))
		}
	}
	if shown == 0 && !u.json && !u.quiet {
		fmt.Fprintln(u.stderr, "no upload is unfinished")
	}
	return table.Flush()
}

func (u *uploading) warnUnreadable(k drive.Kept) {
	fmt.Fprintf(u.stderr, "warning: the record %s of an unfinished upload cannot be read (%v); its upload cannot go on, and a rule for incomplete multipart uploads on the bucket removes its parts\n", printable(k.ID), k.Err)
}

// tellOfOthers says which records are of the jobs' files as they were before
// somebody changed them: the uploads of those do not go on.
func (u *uploading) tellOfOthers(jobs []drive.Job) {
	if u.drive.Journal == nil {
		return
	}
	list, err := u.drive.Journal.List()
	if err != nil {
		return // each upload will say so
	}
	paths := map[string]*drive.Job{}
	for i := range jobs {
		paths[jobs[i].File.Path] = &jobs[i]
	}
	for _, k := range list {
		j := paths[k.Path]
		switch {
		case k.Err != nil:
			u.warnUnreadable(k)
		case j != nil && !u.quiet && k.Server == j.Server.URL && k.Destination == j.Server.Destination && !k.Is(j.File):
			fmt.Fprintf(u.stderr, "%s was changed since an upload of it was begun at %s; it is uploaded anew. chunksign upload -discard %s gives the old one up\n",
				printable(k.Path), k.Record.Begun.Local().Format("2006-01-02 15:04"), k.ID)
		}
	}
}

// discardUnfinished is -discard.
func (u *uploading) discardUnfinished(ctx context.Context) error {
	list, err := u.drive.Journal.List()
	if err != nil {
		return err
	}
	var jobs []drive.Job
	var names []string
	for _, name := range u.files {
		found := false
		path, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		for _, k := range list {
			if k.ID != name && (k.Err != nil || k.Path != path || u.destination != "" && k.Destination != u.destination) {
				continue
			}
			found = true
			names = append(names, name)
			jobs = append(jobs, drive.Job{
				Server: drive.Server{URL: k.Server, Destination: k.Destination, Token: u.token}, Discard: k.ID,
				File: drive.File{Path: k.Path, Size: k.Record.File.Size},
			})
		}
		if !found {
			err := fmt.Errorf("-discard: no unfinished upload is of the file, or has the ID, %q; chunksign upload -list shows them", name)
			fmt.Fprintln(u.stderr, "chunksign upload:", err)
			return flagError{err}
		}
	}
	d := discarding{u, names}
	return u.end(ctx, d.settle(drive.Run(ctx, u.drive, jobs, d)), "discarded")
}

// discarding says what becomes of the uploads that are given up.
type discarding struct {
	u     *uploading
	names []string
}

func (d discarding) Resumed(int, engine.Record)    {}
func (d discarding) Progress(int, engine.Progress) {}
func (d discarding) Warned(_ int, code, message string) {
	fmt.Fprintf(d.u.stderr, "warning: %s: %s\n", printable(code), printable(message))
}

func (d discarding) Ended(job int, r drive.Result) {
	name, out, words := d.names[job], io.Writer(d.u.stdout), ""
	switch {
	case r.Err == nil:
		words = "it was complete already, as " + r.Object.Key
	case r.Err.Code == "cancelled":
		words = "discarded"
	default:
		out, words = d.u.stderr, r.Err.Code+": "+r.Err.Message
	}
	switch {
	case d.u.json:
		o := outcomeOf(name, r.Object.Size, r)
		if r.Err != nil && r.Err.Code == "cancelled" {
			o.Error = nil
		}
		d.u.writeJSON(o)
	case out == d.u.stderr || !d.u.quiet:
		fmt.Fprintf(out, "%s: %s\n", printable(name), printable(words))
	}
}

// settle takes what was cancelled for what went well, which it did here.
func (discarding) settle(results []drive.Result) []drive.Result {
	for i := range results {
		if e := results[i].Err; e != nil && e.Code == "cancelled" {
			results[i].Err = nil
		}
	}
	return results
}
