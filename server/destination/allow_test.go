package destination

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"
)

// onlyFor is a Rule that lets one person upload small files.
type onlyFor string

func (o onlyFor) Allows(_ context.Context, q Question) (bool, error) {
	if q.Principal.ID == "erring" {
		return true, errors.New("no such claim")
	}
	return q.Principal.ID == string(o) && (q.File == nil || q.File.Size <= 10) && !q.Now.IsZero(), nil
}

func TestRulesAreAskedAtEveryStep(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, "{uuid}/{filename}")
	b.d.Allow = onlyFor("alice")
	u := b.granted(t)
	if _, err := b.Renew(ctx, alice, u.Token); err != nil {
		t.Error(err)
	}
	b.shelf.objects[u.Grant.Key] = &Object{Size: 10, Type: "image/png", ETag: "new"}
	if _, err := b.Download(ctx, alice, "photos", u.Token, ReadAs{}, time.Minute); err != nil {
		t.Error(err)
	}
	delete(b.shelf.objects, u.Grant.Key)
	large := cat
	large.Size = 11
	for name, c := range map[string]struct {
		who  Principal
		file File
	}{"somebody else": {bob, cat}, "another file": {alice, large}, "a rule that errs": {Principal{ID: "erring"}, cat}} {
		before := b.issuer.last
		if _, err := b.Grant(ctx, c.who, "photos", c.file); codeOf(err) != NotAllowed {
			t.Errorf("%s: %v; want %s", name, err, NotAllowed)
		}
		if !reflect.DeepEqual(b.issuer.last, before) {
			t.Errorf("%s: a session was asked for", name)
		}
	}
	if n := len(b.List(ctx, alice)); n != 1 {
		t.Errorf("alice sees %d destinations; want 1", n)
	}
	for _, p := range []Principal{bob, {ID: "erring"}} {
		if n := len(b.List(ctx, p)); n != 0 {
			t.Errorf("%s sees %d destinations; want none", p.ID, n)
		}
	}

	// Today's rule counts for yesterday's grant, but what is uploaded can be completed.
	b.d.Allow = onlyFor("bob")
	if _, err := b.Renew(ctx, alice, u.Token); codeOf(err) != NotAllowed {
		t.Errorf("renewed: %v; want %s", err, NotAllowed)
	}
	if _, err := b.Download(ctx, alice, "photos", u.Token, ReadAs{}, time.Minute); codeOf(err) != NotAllowed {
		t.Errorf("read: %v; want %s", err, NotAllowed)
	}
	b.shelf.objects[u.Grant.Key] = &Object{Size: 10, Type: "image/png", ETag: "new"}
	if _, err := b.Complete(ctx, alice, u.Token, Reported{ETag: "new"}); err != nil {
		t.Errorf("completed: %v", err)
	}
}

// A rule hides whether there is an object.
func TestRulesComeBeforeTheLook(t *testing.T) {
	b := newBench(t, "{user}/{filename}")
	b.d.Allow, b.shelf.away = onlyFor("bob"), true
	if _, err := b.Grant(context.Background(), alice, "photos", cat); codeOf(err) != NotAllowed {
		t.Errorf("%v; want %s", err, NotAllowed)
	}
}
