package trial

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// lanes is how many attempts are made at once.
const lanes = 6

// contents of the object that attempts copy: other than what they put.
const copied = "what the trial copies"

// Unsigned names the headers that a store honours in presigned requests though the
// signature does not cover them, sorted. Where the replies do not tell it is an error; stray is what could
// not be removed. Where a session signs, which may read nothing, copies are not tried.
func Unsigned(ctx context.Context, s Signed) (honoured []string, stray, err error) {
	r := newRun(s)
	defer func() { stray = r.removeAll(ctx) }()
	was, err := r.honest(ctx)
	if err != nil {
		return nil, nil, err
	}
	locks, err := r.locks(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := r.puts(ctx, was, locks)
	if err == nil && s.Key == "" {
		err = r.parts(ctx, found)
	}
	if err == nil && s.Key == "" && !anyOf(found) {
		err = r.forms(ctx, found)
	}
	for name, yes := range found {
		if yes {
			honoured = append(honoured, name)
		}
	}
	slices.Sort(honoured)
	return honoured, nil, err
}

// anyOf reports whether one was found.
func anyOf(found map[string]bool) bool {
	for _, yes := range found {
		if yes {
			return true
		}
	}
	return false
}

// honest sends what attempts copy, and a request as it was signed, and sees what
// has come of that.
func (r *trialRun) honest(ctx context.Context) (sight, error) {
	put := r.at("put")
	if r.Key == "" {
		if err := r.control(ctx, r.at("source"), copied); err != nil {
			return sight{}, err
		}
	}
	if err := r.control(ctx, put, r.body); err != nil {
		return sight{}, err
	}
	was, err := r.sees(ctx, put)
	if err == nil {
		err = r.remove(ctx, put)
	}
	return was, err
}

// puts adds each header to a PutObject, signed in each place in which pages get it.
func (r *trialRun) puts(ctx context.Context, was sight, locks bool) (found map[string]bool, err error) {
	ways := []bool{false}
	if r.Destination.Store.SignsInHeaders { // whole files that pages send
		ways = append(ways, true)
	}
	found = map[string]bool{}
	var mu sync.Mutex
	var group sync.WaitGroup
	turns := make(chan struct{}, r.lanes)
	for _, inHeaders := range ways {
		for i, h := range headers {
			copies := strings.Contains(fmt.Sprint(h.add), source)
			if h.lock && !locks || r.Key != "" && (copies || h.missing) {
				continue
			}
			key := r.at(fmt.Sprintf("%d-%v", i, inHeaders))
			r.written = append(r.written, key)
			group.Go(func() {
				turns <- struct{}{}
				defer func() { <-turns }()
				yes, fault := r.honours(ctx, h, key, inHeaders, was)
				mu.Lock()
				defer mu.Unlock()
				if fault != nil {
					err = errors.Join(err, fmt.Errorf("with %s: %w", h.name, fault))
				}
				found[h.name] = found[h.name] || yes
			})
		}
	}
	group.Wait()
	r.written = append(r.written, r.extracted())
	return found, err
}

// removeAll removes what is left of what was written.
func (r *trialRun) removeAll(ctx context.Context) (stray error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer cancel()
	for _, key := range r.written {
		stray = errors.Join(stray, r.remove(ctx, key))
	}
	return stray
}

// control puts an object as it was signed, which the store has to take, or what it
// says to others would tell nothing.
func (r *trialRun) control(ctx context.Context, key, body string) error {
	r.written = append(r.written, key)
	url, header := r.put(key, body, false)
	return r.as(ctx, url, header, body)
}

// as sends a request as it was signed.
func (r *trialRun) as(ctx context.Context, url string, header map[string]string, body string) error {
	got, err := r.send(ctx, http.MethodPut, url, values(header), body)
	if err == nil && !got.taken() {
		err = fmt.Errorf("the store replied %s to a presigned request, sent as it was signed:"+
			" whether it enforces what is signed cannot be told", got)
	}
	return err
}

func values(header map[string]string) map[string][]string {
	all := map[string][]string{}
	for name, value := range header {
		all[name] = []string{value}
	}
	return all
}

// adds are how a header is added to those of a request: in place of one that is
// signed, and before and after it.
func (r *trialRun) adds(h header, signed map[string]string) (all []map[string][]string) {
	fill := strings.NewReplacer(source, r.source(r.key+"source"), none, r.source(r.key+"none"))
	once, twice := values(signed), false
	for name, value := range h.add {
		_, is := signed[name]
		once[name], twice = []string{fill.Replace(value)}, twice || is
	}
	if all = append(all, once); !twice {
		return all
	}
	for _, first := range []bool{false, true} {
		both := maps.Clone(once)
		for name, value := range h.add {
			if was, is := signed[name]; is && first {
				both[name] = []string{fill.Replace(value), was}
			} else if is {
				both[name] = []string{was, fill.Replace(value)}
			}
		}
		all = append(all, both)
	}
	return all
}

// honours adds a header to a PutObject and reports whether it has an effect.
func (r *trialRun) honours(ctx context.Context, h header, key string, inHeaders bool, was sight) (bool, error) {
	url, signed := r.put(key, r.body, inHeaders)
	for _, header := range r.adds(h, signed) {
		got, err := r.send(ctx, http.MethodPut, url, header, r.body)
		switch {
		case err != nil:
			return false, err
		case h.lookedFor(got):
			return true, nil
		case h.beside:
			if found, err := r.own(ctx, http.MethodHead, r.extracted(), nil, ""); err != nil || found.taken() {
				return found.taken(), err
			}
		}
		if !got.taken() {
			continue // with no object of it
		}
		now, err := r.sees(ctx, key)
		if err == nil {
			err = r.remove(ctx, key) // or the next attempt at the key meets If-None-Match
		}
		switch {
		case err != nil:
			return false, err
		case now.object != was.object || now.tags != was.tags || now.acl != was.acl:
			return true, nil
		case strings.HasSuffix(h.name, "amz-tagging") && !now.mayTags:
			return false, errors.New("the server may not read an object's tags: give it s3:GetObjectTagging")
		case (strings.HasPrefix(h.name, "x-amz-grant") || h.name == "x-amz-acl") && !now.mayACL:
			return false, errors.New("the server may not read an object's ACL: give it s3:GetObjectAcl")
		}
	}
	return false, nil
}

// lookedFor reports whether an error shows that the store has read the header's
// value: 404 for what it names, or anything but a refusal for a value that is none.
func (h header) lookedFor(got reply) bool {
	switch {
	case h.missing:
		return got.status == http.StatusNotFound
	case h.lock:
		refused := got.status == http.StatusForbidden || got.code() == "SignatureDoesNotMatch" || got.code() == "AccessDenied"
		return !got.taken() && !refused
	}
	return false
}

// locks reports whether objects of the bucket can be locked at all.
func (r *trialRun) locks(ctx context.Context) (bool, error) {
	got, err := r.own(ctx, http.MethodGet, "", map[string]string{"object-lock": ""}, "")
	return got.taken() || got.status == http.StatusForbidden, err
}

// parts tries the headers that change where a part's bytes come from.
func (r *trialRun) parts(ctx context.Context, found map[string]bool) (err error) {
	key := r.key + "parts"
	begun, err := r.own(ctx, http.MethodPost, key, map[string]string{"uploads": ""}, "")
	if err != nil {
		return err
	}
	id := between(begun.body, "<UploadId>", "</UploadId>")
	if !begun.taken() || id == "" {
		return fmt.Errorf("the store replied %s to CreateMultipartUpload:"+
			" whether it enforces what is signed for parts cannot be told", begun)
	}
	upload := map[string]string{"uploadId": id}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), timeout)
		defer cancel()
		_, fault := r.own(ctx, http.MethodDelete, key, upload, "")
		err = errors.Join(err, fault)
	}()
	url, header := r.part(key, id, 1, r.body)
	if err := r.as(ctx, url, header, r.body); err != nil {
		return err
	}
	number := 1
	names := map[int]string{}
	for _, h := range headers {
		if !h.parts {
			continue
		}
		_, signed := r.part(key, id, 1, r.body)
		for try := range r.adds(h, signed) {
			number++
			url, signed := r.part(key, id, number, r.body) // of its own: the signature may be a header
			got, err := r.send(ctx, http.MethodPut, url, r.adds(h, signed)[try], r.body)
			if err != nil {
				return err
			}
			found[h.name] = found[h.name] || h.lookedFor(got) || strings.Contains(got.body, "<CopyPartResult")
			names[number] = h.name
		}
	}
	listed, err := r.own(ctx, http.MethodGet, key, upload, "")
	if err != nil {
		return err
	}
	first := ""
	for part := range strings.SplitSeq(listed.body, "<Part>") {
		n := between(part, "<PartNumber>", "</PartNumber>")
		size := between(part, "<ETag>", "</ETag>") + between(part, "<Size>", "</Size>")
		switch {
		case n == "":
		case n == "1":
			first = size
		case size != first:
			for number, name := range names {
				found[name] = found[name] || fmt.Sprint(number) == n
			}
		}
	}
	if first == "" {
		return fmt.Errorf("the store replied %s to ListParts, without the part that was sent:"+
			" whether it enforces what is signed for parts cannot be told", listed)
	}
	return nil
}
