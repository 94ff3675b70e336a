package destination

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shelf is a store with objects by key, which counts what is removed.
type shelf struct {
	objects map[string]*Object
	removed []string
	cannot  bool // it has no way to delete one exact object
	away    bool
}

func (s *shelf) Look(_ context.Context, _ *Store, _, key string) (*Object, error) {
	if s.away {
		return nil, refuse(StoreUnavailable, "", "away")
	}
	return s.objects[key], nil
}

func (s *shelf) Remove(_ context.Context, _ *Store, _, key string, o *Object) (bool, error) {
	if s.cannot {
		return false, nil
	}
	if s.objects[key] == o {
		s.removed = append(s.removed, key)
		delete(s.objects, key)
	}
	return true, nil
}

// issuer answers a session that names what was asked for.
type issuer struct{ last SessionRequest }

func (i *issuer) Issue(_ context.Context, r SessionRequest) (Session, error) {
	i.last = r
	return Session{AccessKeyID: "ASIA", SecretAccessKey: "secret", SessionToken: r.Policy, Expires: noon.Add(r.Duration)}, nil
}

type linker struct{}

func (linker) ReadLink(_ context.Context, _ *Store, _, key string, as ReadAs, now time.Time, expires time.Duration) (Link, error) {
	return Link{URL: "https://store/" + key + "?as=" + as.Name, Expires: now.Add(expires)}, nil
}

type bench struct {
	*Service
	shelf  *shelf
	issuer *issuer
	now    time.Time
	d      *Destination
}

func newBench(t *testing.T, key string) *bench {
	b := &bench{shelf: &shelf{objects: map[string]*Object{}}, issuer: &issuer{}, now: noon}
	b.d = &Destination{
		Name: "photos", Store: &Store{Name: "s", Region: "eu-west-1"}, Bucket: "media", Key: mustTemplate(t, key),
		ContentTypes: []string{"image/*"}, MinSize: 1, MaxSize: 1000, Scope: ScopeObject, Duration: 15 * time.Minute, GrantDuration: 24 * time.Hour, ReadOwner: true,
	}
	b.Service = &Service{
		Destinations: []*Destination{b.d}, Grants: testKeys(t, "k"), Sessions: b.issuer, Objects: b.shelf, Links: linker{},
		Policy: func(r Rights) (string, error) { return r.Key + map[bool]string{true: "*"}[r.Prefix], nil },
		Now:    func() time.Time { return b.now }, Random: zeros{},
	}
	return b
}

var (
	alice = Principal{ID: "alice"}
	bob   = Principal{ID: "bob"}
	cat   = File{Name: "cat.png", Type: "image/png", Size: 10}
)

func (b *bench) granted(t *testing.T) Upload {
	t.Helper()
	u, err := b.Grant(context.Background(), alice, "photos", cat)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestGrantHoldsTheFileAgainstTheLimits(t *testing.T) {
	for _, c := range []struct {
		file  File
		code  Code
		field string
	}{
		{cat, "", ""},
		{File{Name: "x", Type: "IMAGE/PNG; q=1", Size: 1}, "", ""},
		{File{Name: "x", Type: "image/png", Size: 1000}, "", ""},
		{File{Name: "x", Type: "image/png", Size: 0}, TooSmall, "size"},
		{File{Name: "x", Type: "image/png", Size: 1001}, TooLarge, "size"},
		{File{Name: "x", Type: "image/png", Size: -1}, FieldInvalid, "size"},
		{File{Name: "x", Type: "text/html", Size: 10}, TypeNotAllowed, "type"},
		{File{Name: "x", Type: "imagesque/png", Size: 10}, TypeNotAllowed, "type"},
		{File{Name: "x", Type: "", Size: 10}, TypeNotAllowed, "type"}, // application/octet-stream
		{File{Name: "x", Type: "png", Size: 10}, FieldInvalid, "type"},
		{File{Name: "x", Type: "image/png\r\nx: y", Size: 10}, FieldInvalid, "type"},
		{File{Name: "x", Type: "image/png; n=\"\u00e9\"", Size: 10}, FieldInvalid, "type"},
		{File{Name: " ", Type: "image/png", Size: 10}, FieldInvalid, "name"},
		{File{Name: strings.Repeat("x", 5000), Type: "image/png", Size: 10}, FieldInvalid, "name"},
	} {
		_, err := newBench(t, "{uuid}/{filename}").Grant(context.Background(), alice, "photos", c.file)
		var e *Error
		errors.As(err, &e)
		if codeOf(err) != c.code || e != nil && e.Field != c.field {
			t.Errorf("%+v: %v; want %s for %s", c.file, err, c.code, c.field)
		}
	}
	if _, err := newBench(t, "{uuid}").Grant(context.Background(), alice, "nope", cat); codeOf(err) != DestinationUnknown {
		t.Errorf("an unknown destination: %v", err)
	}
}

func TestGrantAsksForTheNarrowestSession(t *testing.T) {
	b := newBench(t, "{user}/{uuid}/{filename}")
	b.granted(t)
	if r := b.issuer.last; r.Policy != "alice/00000000-0000-4000-8000-000000000000/cat.png" || r.Shared || r.Principal != "alice" || r.Duration != 15*time.Minute {
		t.Errorf("scope object asks for %+v", r)
	}
	b.d.Scope = ScopePrefix
	b.granted(t)
	if r := b.issuer.last; r.Policy != "alice/*" || !r.Shared {
		t.Errorf("scope prefix asks for %+v", r)
	}
}

func TestGrantLooksForWhatIsThere(t *testing.T) {
	b := newBench(t, "{user}/{filename}")
	b.shelf.objects["alice/cat.png"] = &Object{ETag: "old"}
	if _, err := b.Grant(context.Background(), alice, "photos", cat); codeOf(err) != KeyTaken {
		t.Errorf("a taken key: %v; want %s", err, KeyTaken)
	}
	b.d.Overwrite = true
	if u := b.granted(t); u.Grant.Before != "old" || u.Grant.Owner != OwnerPrincipal {
		t.Errorf("the grant is %+v", u.Grant)
	}
	b.shelf.away = true
	if _, err := b.Grant(context.Background(), alice, "photos", cat); codeOf(err) != StoreUnavailable {
		t.Errorf("with the store away: %v", err)
	}
	b = newBench(t, "{uuid}")
	b.shelf.away = true // a key that is new needs no look
	b.granted(t)
}

func TestRenew(t *testing.T) {
	for name, c := range map[string]struct {
		who    Principal
		change func(*bench)
		code   Code
	}{
		"nothing changed":          {alice, func(*bench) {}, ""},
		"another principal":        {bob, func(*bench) {}, GrantForeign},
		"after a day":              {alice, func(b *bench) { b.now = noon.Add(24 * time.Hour) }, GrantExpired},
		"the destination is gone":  {alice, func(b *bench) { b.Destinations = nil }, DestinationUnknown},
		"another bucket":           {alice, func(b *bench) { b.d.Bucket = "other" }, DestinationChanged},
		"another key template":     {alice, func(b *bench) { b.d.Key = mustTemplate(t, "else/{uuid}") }, DestinationChanged},
		"smaller files only":       {alice, func(b *bench) { b.d.MaxSize = 9 }, TooLarge},
		"other types only":         {alice, func(b *bench) { b.d.ContentTypes = []string{"video/*"} }, TypeNotAllowed},
		"the object is there":      {alice, func(b *bench) { b.shelf.objects[b.key()] = &Object{ETag: "new"} }, AlreadyComplete},
		"there, to be overwritten": {alice, func(b *bench) { b.d.Overwrite = true; b.shelf.objects[b.key()] = &Object{ETag: "new"} }, ""},
		"the store is away":        {alice, func(b *bench) { b.shelf.away = true }, StoreUnavailable},
	} {
		b := newBench(t, "photos/{user}/{uuid}/{filename}")
		first := b.granted(t)
		c.change(b)
		u, err := b.Renew(context.Background(), c.who, first.Token)
		if codeOf(err) != c.code {
			t.Errorf("%s: %v; want %q", name, err, c.code)
		}
		if err == nil && (u.Token != first.Token || !reflect.DeepEqual(u.Grant, first.Grant) || u.Session.AccessKeyID == "") {
			t.Errorf("%s: %+v", name, u)
		}
	}
}

func (b *bench) key() string { return "photos/alice/00000000-0000-4000-8000-000000000000/cat.png" }

func TestComplete(t *testing.T) {
	const unique, own, shared = "{uuid}/{filename}", "{user}/{filename}", "all/{filename}"
	good := Object{Size: 10, Type: "image/png", ETag: "new"}
	short, page, same := good, good, good
	short.Size, page.Type, same.ETag = 9, "text/html", "old"
	shortSame := short
	shortSame.ETag = "old"
	for name, c := range map[string]struct {
		key      string
		before   string // ETag at the key when the grant is made
		object   *Object
		reported string
		code     Code
		removed  bool
	}{
		"as granted":                     {unique, "", &good, "new", "", false},
		"as granted, in quotes":          {unique, "", &good, `"new"`, "", false},
		"as granted, reply lost":         {unique, "", &good, "", "", false},
		"nothing there":                  {unique, "", nil, "new", ObjectMissing, false},
		"replaced since":                 {unique, "", &good, "mine", ObjectReplaced, false},
		"the same file again":            {own, "old", &same, "old", "", false},
		"only the object from before":    {own, "old", &same, "", ObjectMissing, false},
		"too short":                      {unique, "", &short, "new", ObjectRefused, true},
		"too short, reply lost":          {unique, "", &short, "", ObjectRefused, true},
		"another type":                   {unique, "", &page, "new", ObjectRefused, true},
		"too short, at one's own key":    {own, "", &short, "new", ObjectRefused, true},
		"the same, but not reported":     {own, "", &short, "", ObjectRefused, false},
		"too short, and from before":     {own, "old", &shortSame, "old", ObjectRefused, false},
		"too short, at a shared key":     {shared, "", &short, "new", ObjectRefused, false},
		"too short, replaced since":      {own, "", &short, "mine", ObjectReplaced, false},
		"as granted, at a shared key":    {shared, "", &good, "new", "", false},
		"as granted, replacing another":  {own, "old", &good, "new", "", false},
		"too short, replacing another":   {own, "old", &short, "new", ObjectRefused, true},
		"shared and from before, report": {shared, "old", &shortSame, "old", ObjectRefused, false},
	} {
		b := newBench(t, c.key)
		b.d.Overwrite = true
		probe := b.granted(t).Grant.Key
		if c.before != "" {
			b.shelf.objects[probe] = &Object{ETag: c.before}
		}
		u := b.granted(t)
		delete(b.shelf.objects, probe)
		if c.object != nil {
			b.shelf.objects[probe] = c.object
		}
		done, err := b.Complete(context.Background(), alice, u.Token, Reported{ETag: c.reported})
		if codeOf(err) != c.code {
			t.Errorf("%s: %v; want %q", name, err, c.code)
		}
		if removed := len(b.shelf.removed) > 0; removed != c.removed {
			t.Errorf("%s: removed is %v; want %v", name, removed, c.removed)
		}
		if err == nil && (done.Key != probe || (done.Link != nil) != (c.key != shared)) {
			t.Errorf("%s: %+v", name, done)
		}
	}
}

func TestCompleteSaysWhatItLeaves(t *testing.T) {
	b := newBench(t, "{uuid}")
	b.shelf.cannot = true
	u := b.granted(t)
	b.shelf.objects[u.Grant.Key] = &Object{Size: 1, Type: "image/png", ETag: "x"}
	_, err := b.Complete(context.Background(), alice, u.Token, Reported{})
	if codeOf(err) != ObjectRefused || !strings.Contains(err.Error(), "left where it is") {
		t.Errorf("%v", err)
	}
	if _, err := b.Complete(context.Background(), bob, u.Token, Reported{}); codeOf(err) != GrantForeign {
		t.Errorf("another principal: %v", err)
	}
}

func TestDownload(t *testing.T) {
	b := newBench(t, "{uuid}/{filename}")
	u := b.granted(t)
	token := u.Token
	b.shelf.objects[u.Grant.Key] = &Object{Size: 10, Type: "image/png", ETag: "new"}
	get := func(p Principal, d string, expires time.Duration) (Link, error) {
		return b.Download(context.Background(), p, d, token, ReadAs{Name: "x"}, expires)
	}
	if link, err := get(alice, "photos", 0); err != nil || link.Expires != noon.Add(DefaultLinkDuration) || !strings.HasSuffix(link.URL, "as=cat.png") {
		t.Errorf("%+v, %v", link, err)
	}
	for name, c := range map[string]struct {
		who     Principal
		d       string
		expires time.Duration
		code    Code
	}{
		"another principal":   {bob, "photos", 0, GrantForeign},
		"another destination": {alice, "videos", 0, GrantInvalid},
		"for too long":        {alice, "photos", 7*24*time.Hour + time.Second, FieldInvalid},
		"negative":            {alice, "photos", -1, FieldInvalid},
	} {
		if _, err := get(c.who, c.d, c.expires); codeOf(err) != c.code {
			t.Errorf("%s: %v; want %s", name, err, c.code)
		}
	}
	b.d.ReadOwner = false
	if _, err := get(alice, "photos", 0); codeOf(err) != ReadNotAllowed {
		t.Errorf("without read: owner: %v", err)
	}
}

func TestHeaders(t *testing.T) {
	b := newBench(t, "{uuid}")
	b.d.Object = ObjectSettings{
		ACL: "public-read", CacheControl: "no-store", Encryption: "aws:kms", KMSKeyID: "arn:k", Metadata: map[string]string{"app": "x"}, Tags: map[string]string{"a b": "c&d", "e": "f"},
	}
	got := b.granted(t).Headers()
	want := map[string]string{
		"content-type": "image/png", "x-amz-acl": "public-read", "cache-control": "no-store", "x-amz-server-side-encryption": "aws:kms",
		"x-amz-server-side-encryption-aws-kms-key-id": "arn:k", "x-amz-meta-app": "x", "x-amz-tagging": "a+b=c%26d&e=f",
	}
	if len(got) != len(want) {
		t.Errorf("%v", got)
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q; want %q", name, got[name], value)
		}
	}
}

func TestUploadIDs(t *testing.T) {
	for id, want := range map[string]bool{
		"x": true, "2~a.b_c-d": true, "0b2f4fd8-2c1c-4b4e-9a1c-9d3c4d1c2f11": true, "a+b/": false, "a+b==": true, ".x": true, strings.Repeat("x", 1024): true,
		"": false, ".": false, "..": false, "...": false, "a/b": false, "../x": false, `..\x`: false, "%2e": false, "x\x00": false, "x\n": false, "é": false,
		" ": false, "x y": false, strings.Repeat("x", 1025): false,
	} {
		if got := CheckUploadID(id) == nil; got != want {
			t.Errorf("%q: %v", id, got)
		}
	}
}
