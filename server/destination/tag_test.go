package destination

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestSessionTags(t *testing.T) {
	b := newBench(t, "{uuid}")
	var err error
	set := func(name, value string) {
		t.Helper()
		var tag SessionTag
		if tag, err = ParseSessionTag(name, value); err != nil {
			t.Fatal(err)
		}
		store := b.Destinations[0].Store
		store.STS.Tags = append(store.STS.Tags, tag)
	}
	set("user", "u-{user}")
	set("team", "{claims.team}/{destination}")
	who := Principal{ID: "al*ce", Claims: map[string]any{"team": json.Number("7")}}
	if _, err := b.Grant(context.Background(), who, "photos", cat); err != nil {
		t.Fatal(err)
	}
	if got := b.issuer.last.Tags; len(got) != 2 || got[0] != (SetTag{"user", "u-al=2Ace"}) || got[1] != (SetTag{"team", "7/photos"}) {
		t.Errorf("%v", got)
	}
	if _, err := b.Grant(context.Background(), alice, "photos", cat); codeOf(err) != ClaimMissing {
		t.Errorf("without the claim: %v", err)
	}
	set("long", strings.Repeat("{user}", 3))
	who.ID = strings.Repeat("x", 100)
	if _, err := b.Grant(context.Background(), who, "photos", cat); codeOf(err) != PolicyTooLong {
		t.Errorf("a value that is too long: %v", err)
	}
}

func TestCompleteHoldsTheObjectAgainstTheDestination(t *testing.T) {
	good := Object{Size: 10, Type: "image/png", ETag: "e", Checksum: &Checksum{Algorithm: "SHA256", Value: "v"}, Encryption: "aws:kms"}
	bare, weak, plain := good, good, good
	bare.Checksum, weak.Checksum, plain.Encryption = nil, &Checksum{Algorithm: "CRC32", Value: "v"}, "AES256"
	for name, c := range map[string]struct {
		object *Object
		code   Code
	}{"as asked": {&good, ""}, "without a checksum": {&bare, ObjectRefused}, "with another": {&weak, ObjectRefused}, "otherwise encrypted": {&plain, ObjectRefused}} {
		b := newBench(t, "{uuid}")
		b.d.Checksum, b.d.Conditions.Encryption, b.d.Object.Encryption = "SHA256", true, "aws:kms"
		u := b.granted(t)
		b.shelf.objects[u.Grant.Key] = c.object
		if _, err := b.Complete(context.Background(), alice, u.Token, Reported{ETag: "e"}); codeOf(err) != c.code || (len(b.shelf.removed) > 0) != (c.code != "") {
			t.Errorf("%s: %v; want %q", name, err, c.code)
		}
		b.d.Checksum, b.d.Conditions.Encryption = "", false
		if _, err := b.Complete(context.Background(), alice, u.Token, Reported{ETag: "e"}); c.code == "" && err != nil {
			t.Errorf("%s, asked for nothing: %v", name, err)
		}
	}
}

// asking is a SessionTrial that asks for its session and keeps what it was told.
type asking struct {
	asked int
	err   error
}

func (a *asking) Keeps(ctx context.Context, _ *Destination, t Trial) error {
	a.asked++
	_, err := t.Issue(ctx)
	a.err = errors.Join(a.err, err)
	return err
}

// What one caller lacks, and where callers are, is no verdict on the store's sessions, which stands for all.
func TestOneCallersFaultIsNoVerdict(t *testing.T) {
	b, trial := newBench(t, "{uuid}"), &asking{}
	b.Trial = trial
	tag, err := ParseSessionTag("team", "{claims.team}")
	if err != nil {
		t.Fatal(err)
	}
	b.d.Store.STS.Tags = []SessionTag{tag}
	b.d.Conditions = Conditions{Client: true, SourceIP: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	var bound []bool
	b.Policy = func(r Rights) (string, error) {
		bound = append(bound, r.Destination.Conditions.Client || len(r.Destination.Conditions.SourceIP) > 0)
		return r.Key, nil
	}
	if _, err := b.Grant(context.Background(), alice, "photos", cat); codeOf(err) != ClaimMissing || trial.asked != 0 {
		t.Errorf("without the claim: %v; the store was tried %d times", err, trial.asked)
	}
	who := Principal{ID: "bob", Claims: map[string]any{"team": "blue"}}
	if _, err := b.Grant(context.Background(), who, "photos", cat); err != nil || trial.err != nil {
		t.Fatal(err, trial.err)
	}
	if len(bound) != 2 || bound[0] || !bound[1] {
		t.Errorf("that the trial's and the page's session are bound to an address: %v", bound)
	}
}
