package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

// What POST /v1/uploads/multipart may take: 10,000 parts with their checksums,
// and the minutes in which a store puts them together.
const (
	maxPartsBody = 2 << 20
	completeTime = 6 * time.Minute
)

func (a *api) presign(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Method      string `json:"method"`
		Expires     int64  `json:"expires"` // seconds
		Type        string `json:"type"`
		Name        string `json:"name"`
		Size        *int64 `json:"size"`
		SHA256      string `json:"sha256"`
		Grant       string `json:"grant"`
		Disposition string `json:"disposition"`

		Status     int               `json:"status"`
		Redirect   string            `json:"redirect"`
		StartsWith map[string]string `json:"startsWith"`
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	foreign := func(fields map[string]bool) error {
		for name, there := range fields {
			if there {
				return &destination.Error{Code: fieldUnknown, Field: name, Detail: fmt.Sprintf("there is no field %q with %s; leave it out", name, in.Method)}
			}
		}
		return nil
	}
	w.Header().Set("Cache-Control", "no-store")
	name, expires := destinationName(r), seconds(in.Expires)
	switch in.Method {
	case "GET":
		if err := foreign(map[string]bool{"name": in.Name != "", "size": in.Size != nil, "sha256": in.SHA256 != "", "status": in.Status != 0, "redirect": in.Redirect != "", "startsWith": in.StartsWith != nil}); err != nil {
			return err
		}
		as := destination.ReadAs{Inline: in.Disposition == "inline", Type: in.Type}
		if in.Disposition != "" && in.Disposition != "inline" && in.Disposition != "attachment" {
			return &destination.Error{Code: destination.FieldInvalid, Field: "disposition", Detail: "disposition is neither attachment nor inline; send one of them, or nothing for attachment"}
		}
		link, err := a.Service.Download(r.Context(), p, name, in.Grant, as, expires)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, map[string]any{"url": link.URL, "headers": map[string]string{}, "expires": timestamp(link.Expires)})
	case "PUT", "POST":
		form := in.Method == "POST"
		if err := foreign(map[string]bool{"grant": in.Grant != "", "disposition": in.Disposition != "", "status": !form && in.Status != 0, "redirect": !form && in.Redirect != "", "startsWith": !form && in.StartsWith != nil}); err != nil {
			return err
		}
		if in.Size == nil {
			return &destination.Error{Code: destination.FieldInvalid, Field: "size", Detail: "size is missing; send the file's size in bytes"}
		}
		f := destination.File{Name: in.Name, Type: in.Type, Size: *in.Size}
		var out destination.Presigned
		var err error
		if form {
			out, err = a.Service.PresignForm(r.Context(), p, name, f, in.SHA256, expires, destination.Form{Status: in.Status, Redirect: in.Redirect, StartsWith: in.StartsWith})
		} else {
			out, err = a.Service.PresignPut(r.Context(), p, name, f, in.SHA256, expires)
		}
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusCreated, struct {
			URL     string            `json:"url"`
			Headers map[string]string `json:"headers,omitempty"`
			Fields  map[string]string `json:"fields,omitempty"`
			Expires string            `json:"expires"`
			Grant   string            `json:"grant"`
			Key     string            `json:"key"`
		}{out.URL, out.Header, out.Fields, timestamp(out.Expires), out.Token, out.Grant.Key})
	}
	return &destination.Error{Code: destination.FieldInvalid, Field: "method", Detail: "method is not one that can be presigned; send PUT, POST or GET"}
}

// seconds is a duration of a request, cut down to what is certainly too much.
func seconds(n int64) time.Duration {
	return time.Duration(max(min(n, int64(destination.MaxLinkDuration/time.Second)+1), -1)) * time.Second
}

type part struct {
	PartNumber int    `json:"partNumber"`
	Size       int64  `json:"size,omitempty"`
	ETag       string `json:"etag,omitempty"`
	SHA256     string `json:"sha256,omitempty"`
}

func domainParts(in []part) []destination.Part {
	parts := make([]destination.Part, len(in))
	for i, p := range in {
		parts[i] = destination.Part{Number: p.PartNumber, Size: p.Size, ETag: p.ETag, SHA256: p.SHA256}
	}
	return parts
}

func (a *api) parts(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Grant    string `json:"grant"`
		UploadID string `json:"uploadId"`
		Parts    []part `json:"parts"`
		Renew    bool   `json:"renew"`
		Expires  int64  `json:"expires"` // seconds
	}
	if err := readJSON(w, r, &in); err != nil {
		return err
	}
	links, err := a.Service.PresignParts(r.Context(), p, in.Grant, in.UploadID, domainParts(in.Parts), in.Renew, seconds(in.Expires))
	if err != nil {
		return err
	}
	type link struct {
		PartNumber int               `json:"partNumber"`
		URL        string            `json:"url"`
		Headers    map[string]string `json:"headers"`
	}
	out := make([]link, len(links.Links))
	for i, l := range links.Links {
		out[i] = link{in.Parts[i].PartNumber, l.URL, l.Header}
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, map[string]any{"parts": out, "expires": timestamp(links.Expires), "serverTime": links.ServerTime.Format(time.RFC3339Nano)})
}

func (a *api) multipart(w http.ResponseWriter, r *http.Request, p destination.Principal) error {
	var in struct {
		Grant    string `json:"grant"`
		Op       string `json:"op"`
		UploadID string `json:"uploadId"`
		After    int    `json:"after"`
		Parts    []part `json:"parts"`
	}
	if err := readJSONUpTo(w, r, maxPartsBody, &in); err != nil {
		return err
	}
	out := map[string]any{}
	var err error
	switch in.Op {
	case "create":
		out["uploadId"], err = a.Service.CreateMultipart(r.Context(), p, in.Grant)
	case "list":
		var parts []destination.Part
		var next int
		parts, next, err = a.Service.ListMultipart(r.Context(), p, in.Grant, in.UploadID, in.After)
		listed := make([]part, len(parts))
		for i, p := range parts {
			listed[i] = part{p.Number, p.Size, strings.Trim(p.ETag, `"`), p.SHA256}
		}
		if out["parts"] = listed; next > 0 {
			out["next"] = next
		}
	case "complete":
		if err := http.NewResponseController(w).SetWriteDeadline(a.Now().Add(completeTime)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		var etag string
		etag, err = a.Service.CompleteMultipart(r.Context(), p, in.Grant, in.UploadID, domainParts(in.Parts))
		out["etag"] = strings.Trim(etag, `"`)
	case "abort":
		out["gone"], err = a.Service.AbortMultipart(r.Context(), p, in.Grant, in.UploadID)
	default:
		err = &destination.Error{Code: destination.FieldInvalid, Field: "op", Detail: "op is none of create, list, complete and abort; send one of them"}
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, http.StatusOK, out)
}
