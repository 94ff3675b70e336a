package destination

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"
)

// pen signs by writing down what it was given.
type pen struct {
	own     Session
	by      Session
	request StoreRequest
	form    StoreForm
	lasts   time.Duration
}

func (p *pen) Own(context.Context, *Store) (Session, error) { return p.own, nil }

func (p *pen) URL(by Session, r StoreRequest, _ time.Time, lasts time.Duration) string {
	p.by, p.request, p.lasts = by, r, lasts
	return "https://store/" + r.Key
}

func (p *pen) Form(by Session, f StoreForm, now, until time.Time) (string, map[string]string, error) {
	p.by, p.form, p.lasts = by, f, until.Sub(now)
	return "https://store/", map[string]string{"key": f.Key}, nil
}

func (p *pen) Headers(by Session, r StoreRequest, sha256 string, _ time.Time) (string, map[string]string) {
	p.by, p.request = by, r
	h := maps.Clone(r.Header)
	h["authorization"] = sha256
	return "https://store/", h
}

// A signature in headers is not good for longer than S3 takes one, and says no length:
// whoever sends the bytes does.
func TestPartsSignedInHeaders(t *testing.T) {
	ctx := context.Background()
	sum := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for expires, lasts := range map[time.Duration]time.Duration{time.Hour: MaxHeaderDuration, time.Minute: time.Minute} {
		b := newBench(t, "{uuid}/{filename}")
		p := &pen{}
		b.Signer, b.d.Store.SignsInHeaders = p, true
		u, err := b.Grant(ctx, alice, "photos", cat)
		if err != nil {
			t.Fatal(err)
		}
		links, err := b.PresignParts(ctx, alice, u.Token, "id", []Part{{Number: 1, Size: 10, SHA256: sum}}, false, expires)
		if err != nil || links.Expires != b.now.Truncate(time.Second).Add(lasts) || p.request.Header["content-length"] != "10" {
			t.Fatalf("until %v, %v", links.Expires, err)
		}
		if want := map[string]string{"x-amz-checksum-sha256": sum, "authorization": sum}; !maps.Equal(links.Links[0].Header, want) {
			t.Errorf("to be sent are %v", links.Links[0].Header)
		}
	}
}

func TestWhoSigns(t *testing.T) {
	ctx := context.Background()
	sum := "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	for name, c := range map[string]struct {
		role    string
		own     time.Time
		expires time.Duration
		key     string
		lasts   time.Duration
	}{
		"a session, for less than it lasts": {"role", time.Time{}, time.Minute, "ASIA", time.Minute},
		"a session, for longer":             {"role", time.Time{}, time.Hour, "ASIA", 15 * time.Minute},
		"the server, which does not end":    {"", time.Time{}, MaxLinkDuration, "AKIA", MaxLinkDuration},
		"the server, which ends":            {"", noon.Add(90*time.Second + time.Millisecond), time.Hour, "AKIA", 90 * time.Second},
	} {
		b := newBench(t, "{uuid}/{filename}")
		b.d.Store.STS.RoleARN = c.role
		b.now = noon.Add(time.Millisecond)
		p := &pen{own: Session{AccessKeyID: "AKIA", Expires: c.own}}
		b.Signer = p
		out, err := b.PresignPut(ctx, alice, "photos", cat, sum, c.expires)
		if err != nil || p.by.AccessKeyID != c.key || p.lasts != c.lasts || out.Expires != noon.Add(c.lasts) {
			t.Errorf("%s: by %s for %v, until %v, %v", name, p.by.AccessKeyID, p.lasts, out.Expires, err)
		}
		want := map[string]string{"content-type": "image/png", "x-amz-checksum-sha256": sum, "if-none-match": "*"}
		if !maps.Equal(out.Header, want) || p.request.Header["content-length"] != "10" || len(p.request.Header) != 4 {
			t.Errorf("%s: to be sent are %v, signed are %v", name, out.Header, p.request.Header)
		}
		if _, err := b.PresignForm(ctx, alice, "photos", cat, "", c.expires, Form{}); err != nil || p.by.AccessKeyID != c.key || p.form.Size != 10 || p.form.Header["if-none-match"] != "" {
			t.Errorf("%s: a form by %s of %+v, %v", name, p.by.AccessKeyID, p.form, err)
		}
		links, err := b.PresignParts(ctx, alice, out.Token, "id", []Part{{Number: 1, Size: 10, SHA256: sum}}, false, c.expires)
		if err != nil || p.lasts != c.lasts || links.Expires != noon.Add(c.lasts) || p.request.Query["uploadId"] != "id" {
			t.Errorf("%s: parts for %v until %v, %v", name, p.lasts, links.Expires, err)
		}
		if c.role != "" && !b.issuer.last.Shared {
			t.Errorf("%s: each batch of parts costs a session", name)
		}
	}
	b := newBench(t, "{uuid}")
	b.Signer = &pen{own: Session{Expires: noon.Add(999 * time.Millisecond)}}
	b.d.Store.STS.RoleARN = ""
	if _, err := b.PresignPut(ctx, alice, "photos", cat, "", 0); codeOf(err) != StoreUnavailable {
		t.Errorf("with credentials that end now: %v", err)
	}
}

func TestFormsKeepToTheirRight(t *testing.T) {
	var asked []Rights
	b := newBench(t, "{uuid}/{filename}")
	b.d.Store.STS.RoleARN = "role"
	b.Signer = &pen{}
	b.Policy = func(r Rights) (string, error) { asked = append(asked, r); return "", nil }
	form := func(ctx context.Context, p Principal, name string, f File, sum string, expires time.Duration) (Presigned, error) {
		return b.PresignForm(ctx, p, name, f, sum, expires, Form{})
	}
	for _, call := range []func(context.Context, Principal, string, File, string, time.Duration) (Presigned, error){form, b.PresignPut} {
		if _, err := call(context.Background(), alice, "photos", cat, "", 0); err != nil {
			t.Fatal(err)
		}
	}
	if len(asked) != 2 || !asked[0].Form || asked[1].Form {
		t.Errorf("the rights are %+v", asked)
	}
	for key, code := range map[string]Code{"{filename}": FormNotAllowed, "{user}/{filename}": FormNotAllowed, "{ulid}": ""} {
		b := newBench(t, key)
		b.Signer = &pen{}
		if _, err := b.PresignForm(context.Background(), alice, "photos", cat, "", 0, Form{}); codeOf(err) != code {
			t.Errorf("%s: %v; want %s", key, err, code)
		}
	}
}

// What a grant and a renewal would refuse, is not signed either.
func TestPresigningFollowsTheRules(t *testing.T) {
	ctx := context.Background()
	const sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	denied := errors.New("not now")
	for name, c := range map[string]struct {
		change func(*bench)
		p      Principal
		codes  [3]Code // of PUT, of parts, of create
	}{
		"as it was":              {func(*bench) {}, alice, [3]Code{"", "", ""}},
		"allow denies":           {func(b *bench) { b.d.Allow = deny{denied} }, alice, [3]Code{NotAllowed, NotAllowed, NotAllowed}},
		"somebody else":          {func(*bench) {}, bob, [3]Code{"", GrantForeign, GrantForeign}},
		"the type is not taken":  {func(b *bench) { b.d.ContentTypes = []string{"text/plain"} }, alice, [3]Code{TypeNotAllowed, TypeNotAllowed, TypeNotAllowed}},
		"the size is not taken":  {func(b *bench) { b.d.MaxSize = 9 }, alice, [3]Code{TooLarge, TooLarge, TooLarge}},
		"another bucket":         {func(b *bench) { b.d.Bucket = "x" }, alice, [3]Code{"", DestinationChanged, DestinationChanged}},
		"the grant has expired":  {func(b *bench) { b.now = noon.Add(25 * time.Hour) }, alice, [3]Code{"", GrantExpired, GrantExpired}},
		"the destination's gone": {func(b *bench) { b.Destinations = nil }, alice, [3]Code{DestinationUnknown, DestinationUnknown, DestinationUnknown}},
	} {
		b := newBench(t, "{uuid}/{filename}")
		b.Signer, b.Multipart = &pen{}, creator{}
		token := b.granted(t).Token
		c.change(b)
		_, put := b.PresignPut(ctx, c.p, "photos", cat, "", 0)
		_, parts := b.PresignParts(ctx, c.p, token, "id", []Part{{Number: 1, Size: 1, SHA256: sum}}, false, 0)
		_, create := b.CreateMultipart(ctx, c.p, token)
		if got := [3]Code{codeOf(put), codeOf(parts), codeOf(create)}; got != c.codes {
			t.Errorf("%s: %v; want %v", name, got, c.codes)
		}
	}
}

type deny struct{ error }

func (d deny) Allows(context.Context, Question) (bool, error) { return false, d.error }

// creator begins uploads, and nothing else.
type creator struct{ MultipartCaller }

func (creator) Create(context.Context, Session, Write) (string, error) { return "id", nil }

// A session that the store refuses before its time is replaced by one of its own.
func TestSessionsThatTheStoreRefuses(t *testing.T) {
	ctx := context.Background()
	const sum = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
	b := newBench(t, "{uuid}/{filename}")
	b.d.Store.STS.RoleARN = "role"
	var by []bool // the calls' sessions: asked for anew or not
	wary := &wary{calls: func() { by = append(by, b.issuer.last.Anew) }, refuses: 1}
	b.Signer, b.Multipart = &pen{}, wary
	token := b.granted(t).Token
	for _, anew := range []bool{false, true} {
		if _, err := b.PresignParts(ctx, alice, token, "id", []Part{{Number: 1, Size: 1, SHA256: sum}}, anew, 0); err != nil || b.issuer.last.Anew != anew {
			t.Errorf("anew %v: asked for %v, %v", anew, b.issuer.last.Anew, err)
		}
	}
	if id, err := b.CreateMultipart(ctx, alice, token); id != "id" || err != nil || !slices.Equal(by, []bool{false, true}) {
		t.Errorf("%q, %v by %v", id, err, by)
	}
	by, wary.refuses = nil, 9
	if _, err := b.CreateMultipart(ctx, alice, token); codeOf(err) != StoreRefused || len(by) != 2 {
		t.Errorf("%v by %v", err, by)
	}
	by, b.d.Store.STS.RoleARN = nil, ""
	if _, err := b.CreateMultipart(ctx, alice, token); codeOf(err) != StoreRefused || len(by) != 1 {
		t.Errorf("the server's own: %v by %v", err, by)
	}
}

// wary refuses some calls.
type wary struct {
	MultipartCaller
	calls   func()
	refuses int
}

func (w *wary) Create(context.Context, Session, Write) (string, error) {
	w.calls()
	if w.refuses--; w.refuses >= 0 {
		return "", refuse(StoreRefused, "", "no")
	}
	return "id", nil
}
