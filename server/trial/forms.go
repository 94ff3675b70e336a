package trial

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// forms tries the headers beside a form, whose policy says nothing of them, where
// the destination gives any. It comes last: radosgw 16.2.15, which fails before, may
// crash as it reads a form's policy.
func (r *trialRun) forms(ctx context.Context, found map[string]bool) error {
	d := r.Destination
	if !d.Key.Unique() && !d.Overwrite {
		return nil
	}
	key := r.at("form")
	r.written = append(r.written, key)
	if got, err := r.form(ctx, key, nil); err != nil || !got.taken() {
		return err // a store need not have forms: nothing can be added to what it refuses
	}
	was, err := r.sees(ctx, key)
	if err != nil {
		return err
	}
	for _, h := range headers {
		if h.lock || h.missing || h.beside {
			continue // what these do a form's store does for PutObject too
		}
		add := map[string]string{}
		for name, value := range h.add {
			add[name] = strings.ReplaceAll(value, source, r.source(r.at("source")))
		}
		if err := r.remove(ctx, key); err != nil {
			return err
		}
		got, err := r.form(ctx, key, add)
		if err != nil {
			return err
		}
		if !got.taken() {
			continue
		}
		now, err := r.sees(ctx, key)
		if err != nil {
			return err
		}
		found[h.name] = found[h.name] || now != was
	}
	return nil
}

// form sends one as the domain signs it, with further headers beside.
func (r *trialRun) form(ctx context.Context, key string, add map[string]string) (reply, error) {
	d, now := r.Destination, r.Now().UTC().Truncate(time.Second)
	stored := d.StoredWith(destination.Grant{Type: "application/x-tar"})
	delete(stored, "x-amz-tagging")
	url, fields, err := r.Signer.Form(r.By, destination.StoreForm{
		Store: d.Store, Bucket: d.Bucket, Key: key, Header: stored, Tags: d.Object.Tags, Size: int64(len(r.body)),
	}, now, now.Add(destination.MaxHeaderDuration))
	if err != nil {
		return reply{}, err
	}
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	for name, value := range fields {
		err = errors.Join(err, w.WriteField(name, value))
	}
	file, fault := w.CreateFormFile("file", name)
	if err = errors.Join(err, fault); err != nil {
		return reply{}, err
	}
	io.WriteString(file, r.body) //nolint:errcheck // into memory
	w.Close()                    //nolint:errcheck // into memory
	header := values(add)
	header["Content-Type"] = []string{w.FormDataContentType()}
	return r.send(ctx, http.MethodPost, url, header, body.String())
}
