package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// ways are how a header is added: once, and where it is signed beside what was signed.
func (r *heldRequest) ways(h hostileHeader, value string, fill func(string) string) (all []http.Header) {
	add := http.Header{}
	for name, value := range h.with {
		add[name] = []string{fill(value)}
	}
	add[h.name] = []string{fill(value)}
	if r.url != "" && strings.HasPrefix(h.name, "x-amz-") && value == h.values[0] { // the same, as CGI's variables have it
		spelled := http.Header{}
		for name, values := range add {
			spelled[strings.ReplaceAll(name, "-", "_")] = values
		}
		all = append(all, spelled)
	}
	signed, twice := "", false
	for name, value := range r.header {
		if strings.EqualFold(name, h.name) {
			signed, twice = value, r.url != ""
		}
	}
	if all = append(all, add); twice {
		for _, values := range [][]string{{signed, add[h.name][0]}, {add[h.name][0], signed}} {
			again := maps.Clone(add)
			again[h.name] = values
			all = append(all, again)
		}
	}
	return all
}

// tryHeaders adds every header of the catalogue to a request, one after the other,
// and gives what came of it: by header, what was seen. kept says that what an object
// may keep counts too.
func (x *headerRig) tryHeaders(r *heldRequest, kept bool) (granted map[string][]string, tried int) {
	x.Helper()
	granted = map[string][]string{}
	x.honest(r)
	hers, others := x.seesHers(r, true), x.seesOthers("media")
	elsewhere := x.seesOthers("media2", "other")
	for _, h := range hostileHeaders() {
		for _, value := range h.values {
			for _, add := range r.ways(h, value, func(s string) string { return x.fill(s, escapePath) }) {
				tried++
				reply := r.flow(x, r, add)
				note := func(format string, args ...any) {
					what := fmt.Sprintf("%s with %s %q: ", r.kind, h.name, add) + fmt.Sprintf(format, args...)
					granted[h.name] = append(granted[h.name], what)
				}
				if strings.Contains(reply.text, secretOf) {
					note("the reply has Alice's bytes")
				}
				taken := reply.status < http.StatusMultipleChoices
				now := x.seesHers(r, taken)
				switch changed := !strings.HasPrefix(hers, now) || taken && now != hers; {
				case strings.Contains(now, secretOf):
					note("Alice's bytes are Mallory's")
					x.honest(r)
				case changed && taken && !r.part && !kept && !strings.Contains(now, x.body):
					note("%d; hers are other bytes: %s", reply.status, firstDifference(hers, now))
					x.honest(r)
				case changed && (kept || !h.kept && !slices.Contains(ownMetadata[x.name], h.name)):
					note("%d; hers is otherwise: %s", reply.status, firstDifference(hers, now))
					fallthrough
				case changed:
					x.honest(r)
				}
				if !taken {
					continue // and at the end others are looked at all the same
				}
				if places := differ(others, x.seesOthers("media")); len(places) > 0 {
					note("%v", places)
					x.restoreOthers(others)
				}
			}
		}
	}
	for _, place := range differ(others, x.seesOthers("media")) {
		granted["?"] = append(granted["?"], r.kind+": "+place)
	}
	if x.seesHers(r, true) != hers {
		granted["?"] = append(granted["?"], r.kind+": hers is otherwise at the end")
	}
	for _, place := range differ(elsewhere, x.seesOthers("media2", "other")) {
		granted["?"] = append(granted["?"], r.kind+": "+place)
	}
	return granted, tried
}

// ownMetadata are headers that an engine takes as metadata of Mallory's own object,
// or of its replication, from whoever may put it: no condition that it knows keeps
// them from a session. The bytes are hers all the same.
var ownMetadata = map[string][]string{"minio": {
	"x-amz-replication-status", "x-minio-meta-mallory",
	"x-minio-source-replication-request", "x-minio-source-mtime", "x-minio-source-etag", "x-minio-source-version-id",
	"x-minio-source-deletemarker", "x-minio-source-deletemarker-delete", "x-minio-source-replication-tagging-timestamp",
	"x-minio-source-replication-retention-timestamp", "x-minio-source-replication-legalhold-timestamp",
	"x-minio-replication-actual-object-size", "x-minio-replication-ssec-crc",
}}

func firstDifference(a, b string) string {
	la, lb := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range lb {
		if i >= len(la) || la[i] != lb[i] {
			return fmt.Sprintf("%.160q", lb[i])
		}
	}
	return "less than before"
}

// restoreOthers puts back what is not Mallory's.
func (x *headerRig) restoreOthers(was map[string]string) {
	x.Helper()
	for _, o := range x.list(x.T, "media", "") {
		if *o.Key != x.own && was["media/"+*o.Key] == "" {
			path := "/media/" + escapePath(*o.Key)
			x.sendSigned(x.s3Engine.own, "DELETE", path, path, "", map[string]string{}, "")
		}
	}
	x.put("media", x.theirs(), secretOf+"0")
}

// TestAttacksByHeader adds every header that a store is documented to know to every kind of signed request that a
// page can get, with the body and the length of an honest one. Root reads back whose bytes are where.
func TestAttacksByHeader(t *testing.T) {
	e := startEngine(t, "media", "media2", "other")
	t.Run("session", func(t *testing.T) {
		if e.name == "ceph" { // whose sessions no page gets
			return
		}
		r := e.serve(t, nothingSet, attacked)
		x := e.newHeaderRig(t)
		u := r.grantAs(t, as("mallory"), "object", "näme.bin", len(x.body))
		x.begin(u.Upload.Key)
		for _, held := range signedByMallory(u.asSession(), x) {
			x.holds(held)
		}
	})
	for _, store := range []string{"$SCOPED", "$OWN"} {
		for _, parts := range []string{"query", "headers"} {
			t.Run(store[1:]+" key, parts signed in "+parts, func(t *testing.T) {
				text := strings.Replace(signingAttacked, "$STORE", store+"("+parts+")", 1)
				r := e.serve(t, nothingSet, strings.Replace(text, "signing: presigned", "read: owner, signing: presigned", 1))
				if store == "$OWN" && refusesOwnKey() {
					e.emptyBucket(t, "media")
					e.ownKeyRefused(t, r)
					return
				}
				x := e.newHeaderRig(t)
				for _, held := range x.presigned(t, r, parts == "query") {
					x.holds(held)
				}
			})
		}
	}
}

// holds tries all headers with a request and reports what is granted.
func (x *headerRig) holds(r *heldRequest) {
	x.Helper()
	began := time.Now()
	granted, tried := x.tryHeaders(r, false)
	for _, name := range slices.Sorted(maps.Keys(granted)) {
		for _, what := range granted[name] {
			x.Error(what)
		}
	}
	x.Logf("%s: %s: %d attacks, %.1f s", x.name, r.kind, tried, time.Since(began).Seconds())
}

var headerSuccesses, _ = filepath.Abs("testdata/attack_headers.txt")

// TestAttacksByHeaderSucceedWhereTheyMay signs the same requests, each header in them, as the store's owner.
// testdata/attack_headers.txt says at which engines a header then has an effect; a
// header that has none anywhere is tried all the same. CHUNKSIGN_UPDATE=1 writes it.
func TestAttacksByHeaderSucceedWhereTheyMay(t *testing.T) {
	e := startEngine(t, "media", "media2", "other")
	x := e.newHeaderRig(t)
	x.begin("u/mallory/0/näme.bin")
	effects := map[string]bool{}
	kinds := signedByMallory(e.own, x)
	for _, i := range []int{0, 2} { // versitygw and radosgw copy where a signed request has no body
		empty := *kinds[i]
		empty.kind, empty.body = empty.kind+" without a body", ""
		kinds = append(kinds, &empty)
	}
	kinds = append(kinds, &heldRequest{
		kind: "GetObject", method: "GET", header: map[string]string{}, as: e.own, flow: once,
	})
	for _, held := range kinds {
		granted, _ := x.tryHeaders(held, true)
		for name := range granted {
			effects[name] = true
		}
	}
	where, update := succeeded{}, os.Getenv("CHUNKSIGN_UPDATE") != ""
	if text, err := os.ReadFile(headerSuccesses); err == nil {
		for line := range strings.Lines(string(text)) {
			engines, name, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
			for _, engine := range strings.Fields(engines) {
				where.set(name, engine, true)
			}
		}
	}
	var text strings.Builder
	for _, h := range hostileHeaders() {
		if update {
			where.set(h.name, e.name, effects[h.name])
		} else if where[h.name][e.name] != effects[h.name] {
			t.Errorf("%s: that it has an effect at %s is %v, and %s says otherwise",
				h.name, e.name, effects[h.name], headerSuccesses)
		}
		var engines []string
		for _, engine := range []string{embedded, "minio", "ceph"} {
			if where[h.name][engine] {
				engines = append(engines, engine)
			}
		}
		text.WriteString(strings.Join(engines, " ") + "\t" + h.name + "\n")
	}
	if update {
		if err := os.WriteFile(headerSuccesses, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text.String() != page(t, headerSuccesses) {
		t.Errorf("%s is of other headers than there are; CHUNKSIGN_UPDATE=1 writes it", headerSuccesses)
	}
}
