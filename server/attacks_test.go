package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// attacked is the configuration of the server whose sessions are Mallory's.
const attacked = `auth: { headers: { from: [127.0.0.0/8] } }
stores: { s: $SESSIONS }
destinations:
  object: { store: s, bucket: media, key: "u/{user}/{uuid}/{filename}", content_length: 0..1GiB, overwrite: true, grant_duration: 1h }
  prefix: { store: s, bucket: media, key: "u/{user}/{uuid}/{filename}", content_length: 0..1GiB, overwrite: true, scope: prefix }
`

// carried is what an engine takes along with s3:PutObject where there is neither a
// right nor a condition, that every engine knows, to keep it from a session: names
// of attacks. docs/engines.md says so. Only who trusts an engine's sessions meets it.
var carried = map[string][]string{
	"ceph": slices.Concat([]string{"PutObject of her own with a tag", "PutObject of her own with two tags",
		"CreateMultipartUpload of her own with SSE-KMS by another key"}, puts("a redirect", "SSE-C", "ACL public-read", "ACL public-read-write", "ACL authenticated-read",
		"a grant of reading to all", "a grant of reading the ACL to all", "a grant of writing the ACL to all", "a grant of everything to all")),
}

// puts are both attacks with each of those.
func puts(with ...string) (all []string) {
	for _, x := range with {
		all = append(all, "PutObject of her own with "+x, "CreateMultipartUpload of her own with "+x)
	}
	return all
}

func attacks() []attack {
	return slices.Concat(toKeys(), onOwn, onTheirs, byHeaders(), byQuery, onBuckets)
}

// subresources are those of the bucket media that attacks want to change.
func subresources(all []attack) (subs []string) {
	for _, a := range all {
		if a.sub != "" && !slices.Contains(subs, a.sub) {
			subs = append(subs, a.sub)
		}
	}
	return subs
}

func as(who string) []string { return []string{"X-Forwarded-User", who} }

// asSession are the credentials of a grant.
func (u upload) asSession() aws.Credentials {
	return aws.Credentials{AccessKeyID: u.Credentials.AccessKeyID, SecretAccessKey: u.Credentials.SecretAccessKey, SessionToken: u.Credentials.SessionToken}
}

// TestAttacks lets Mallory try everything with what the server has given her for
// one file. Nothing is granted: the store's owner sees all that there is as it was.
func TestAttacks(t *testing.T) {
	e := startEngine(t, "media", "media2", "other")
	if e.name == "ceph" { // which does not keep them to their policies: nobody gets one
		r := e.serve(t, nothingSet, strings.ReplaceAll(attacked, "$SESSIONS", "$STORE"))
		for _, d := range []string{"object", "prefix"} {
			if got := r.do(t, "POST", "/v1/destinations/"+d+"/uploads", `{"name":"x","size":1}`, as("mallory")...); got.problem() != "sessions_not_kept" {
				t.Errorf("%s: %d %s", d, got.status, got.body)
			}
		}
		if !strings.Contains(r.log.String(), "write signing: presigned for object") {
			t.Errorf("the log is\n%s", r.log)
		}
		return
	}
	r := e.serve(t, nothingSet, attacked)
	for _, scope := range []string{"object", "prefix"} {
		mallory := r.grantAs(t, as("mallory"), scope, "näme.bin", len(ownBytes))
		e.attack(t, "a session of scope "+scope, mallory.Upload.Key, mallory.asSession(), nil, map[string]string{}, nil, scope == "prefix")
	}
}

// TestAttacksWhereSessionsAreTrusted is what would be granted at an engine whose
// sessions fail their trial, had its admin written that they are trusted.
func TestAttacksWhereSessionsAreTrusted(t *testing.T) {
	if len(carried[engineName()]) == 0 {
		return
	}
	e := startEngine(t, "media", "media2", "other")
	mallory := e.serve(t, nothingSet, attacked).grantAs(t, as("mallory"), "object", "näme.bin", len(ownBytes))
	e.attack(t, "a session that is trusted", mallory.Upload.Key, mallory.asSession(), nil, map[string]string{}, carried[e.name], false)
}

// attack makes every attack with one thing that Mallory holds. begun are uploads,
// by their keys; carries are attacks that the engine is known to grant; prefix says
// that all keys of hers are open to it.
func (e *s3Engine) attack(t *testing.T, with, own string, holds aws.Credentials, bears *borne, begun map[string]string, carries []string, prefix bool) {
	t.Helper()
	all := attacks()
	var worlds []*world
	for n := range all {
		w := &world{T: t, s3Engine: e, n: n, own: own, uploadID: begun, bears: bears}
		if n == 0 {
			w.put("media", w.own, ownBytes)
		}
		w.prepare(&all[n])
		worlds = append(worlds, w)
	}
	before := everything(worlds, all)
	tried := 0
	for n, a := range all {
		if prefix && a.within {
			continue
		}
		credentials := holds
		if a.plain {
			credentials = aws.Credentials{}
		}
		w := worlds[n]
		if a.looks&objects != 0 { // which an attack before may have changed
			w.put("media", w.own, ownBytes)
		}
		was := w.seesOwn(a.looks)
		if leaked := w.try(&a, credentials); leaked != "" {
			t.Errorf("%s: with %s the reply gives away %q", a.name, with, leaked)
		}
		changed, comes := differ(was, w.seesOwn(a.looks)), slices.Contains(carries, a.name)
		if comes != (len(changed) > 0) {
			t.Errorf("%s: with %s, its own object: %v; that this comes with the right to put is %v", a.name, with, changed, comes)
		}
		tried++
	}
	worlds[0].put("media", own, ownBytes)
	for _, place := range differ(before, everything(worlds, all)) {
		if prefix && strings.HasPrefix(place, "media/u/mallory/") {
			continue // an engine that takes dots for letters
		}
		t.Errorf("with %s: %s", with, place)
	}
	t.Logf("%s: %d attacks with %s", e.name, tried, with)
	worlds[0].clean(map[string]string{})
}

// seesOwn is what Mallory's object is stored with.
func (w *world) seesOwn(at look) map[string]string {
	w.Helper()
	seen := map[string]string{}
	if at&objects != 0 {
		w.seesObject(seen, w.own)
	}
	return seen
}

// everything is what the store's owner sees of all worlds.
func everything(worlds []*world, all []attack) map[string]string {
	first := worlds[0]
	first.Helper()
	seen := first.sees(buckets, "")
	for _, sub := range subresources(all) {
		seen["?"+sub] = first.seesConfig("media", sub)
	}
	first.seesObject(seen, first.own)
	for n, w := range worlds {
		if all[n].looks&objects != 0 {
			w.seesObject(seen, w.theirs())
		}
		if all[n].looks&uploads != 0 {
			w.seesUploads(seen)
		}
	}
	return seen
}

// TestAttacksSucceedWhereTheyMay makes each attack with a session that may do
// everything. testdata/attacks.txt says at which engines it then succeeds, so that
// none is refused for being malformed; CHUNKSIGN_UPDATE=1 writes it.
func TestAttacksSucceedWhereTheyMay(t *testing.T) {
	where, done := readSuccesses(t), 0
	e := startEngine(t, "media", "media2", "other")
	loosened, err := e.session(e.own, allowAll, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	all := attacks()
	for n, a := range all {
		succeeds := a.breaks != e.name && e.succeeds(t, n, &a, loosened)
		if succeeds {
			done++
		}
		if update := os.Getenv("CHUNKSIGN_UPDATE") != ""; update {
			where.set(a.name, e.name, succeeds)
		} else if where[a.name][e.name] != succeeds {
			t.Errorf("%s: that it succeeds at %s is %v, and %s says otherwise", a.name, e.name, succeeds, successes)
		}
	}
	where.write(t, all)
	shown := 0
	for _, a := range all {
		if len(where[a.name]) > 0 {
			shown++
		}
	}
	t.Logf("%s: of %d attacks %d succeed with a session for everything, here or elsewhere %d", e.name, len(all), done, shown)
	if done < 180 { // the embedded store takes no key that is a path
		t.Errorf("only %d attacks succeed here with a session for everything", done)
	}
}

// succeeds makes one attack with a session that may do everything.
func (e *s3Engine) succeeds(t *testing.T, n int, a *attack, loosened aws.Credentials) bool {
	t.Helper()
	w := &world{T: t, s3Engine: e, n: n, own: "u/mallory/0/näme.bin", uploadID: map[string]string{}}
	w.put("media", w.own, ownBytes)
	w.prepare(a)
	before := w.sees(a.looks, a.sub)
	credentials := loosened
	if a.owner {
		credentials = e.own
	}
	leaked := w.try(a, credentials)
	changed := differ(before, w.sees(a.looks, a.sub))
	w.undo(a, before)
	w.emptyBucket(t, "media") // the DELETE of a subresource that is not known deletes the bucket
	return leaked != "" || len(changed) > 0
}

// succeeded is at which engines an attack succeeds, by its name.
type succeeded map[string]map[string]bool

var successes, _ = filepath.Abs("testdata/attacks.txt")

// readSuccesses reads lines of engines, a tab and a name.
func readSuccesses(t *testing.T) succeeded {
	t.Helper()
	s := succeeded{}
	for line := range strings.Lines(page(t, successes)) {
		engines, name, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		s[name] = map[string]bool{}
		for _, e := range strings.Fields(engines) {
			s[name][e] = true
		}
	}
	return s
}

func (s succeeded) set(name, engine string, succeeds bool) {
	if s[name] == nil {
		s[name] = map[string]bool{}
	}
	if delete(s[name], engine); succeeds {
		s[name][engine] = true
	}
}

// write writes the file where it is to be updated, and holds it to the attacks.
func (s succeeded) write(t *testing.T, all []attack) {
	t.Helper()
	var text strings.Builder
	for _, a := range all {
		var engines []string
		for _, e := range []string{embedded, "minio", "ceph"} {
			if s[a.name][e] {
				engines = append(engines, e)
			}
		}
		text.WriteString(strings.Join(engines, " ") + "\t" + a.name + "\n")
	}
	if os.Getenv("CHUNKSIGN_UPDATE") != "" {
		if err := os.WriteFile(successes, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if text.String() != page(t, successes) {
		t.Errorf("%s is of other attacks than there are; CHUNKSIGN_UPDATE=1 writes it", successes)
	}
}

// undo puts a world back to where no attack was.
func (w *world) undo(a *attack, before map[string]string) {
	w.Helper()
	w.clean(map[string]string{})
	ctx, c := context.Background(), w.s3(w.s3Engine.own)
	if a.sub != "" {
		w.send(w.s3Engine.own, "DELETE", "/media", a.sub+"=", nil, "")
	}
	if a.looks&buckets != 0 {
		list, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
		if err != nil {
			w.Fatal(err)
		}
		for _, b := range list.Buckets {
			if before["bucket "+*b.Name] == "" {
				c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: b.Name})
			}
		}
	}
}
