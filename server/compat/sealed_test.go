package compat

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

var noon = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

// views are those of a server, at noon.
func views(t *testing.T) *Views {
	t.Helper()
	keys, err := destination.NewGrantKeys(destination.GrantKey{ID: "k", Secret: []byte(strings.Repeat("s", 32))})
	if err != nil {
		t.Fatal(err)
	}
	v := &Views{Now: func() time.Time { return noon }}
	if v.Held, err = keys.Box("s3direct sessions"); err != nil {
		t.Fatal(err)
	}
	if v.Sealed, err = keys.Box("evaporate sessions"); err != nil {
		t.Fatal(err)
	}
	return v
}

var aSession = destination.Session{AccessKeyID: "ASIAEXAMPLE", SecretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", SessionToken: token, Expires: noon.Add(15 * time.Minute)}

// sealedSession is a session that has travelled.
func (v *Views) sealedSession(t *testing.T, g destination.Grant, d *destination.Destination) sealed {
	t.Helper()
	d.Compat.Evaporate = true
	e, err := v.ForEvaporate(destination.Upload{Token: "a grant", Grant: g, Destination: d, Session: aSession})
	if err != nil || e == nil {
		t.Fatal(e, err)
	}
	s, err := v.unseal(e.SignParams["session"], g)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASessionTravelsSealed(t *testing.T) {
	v := views(t)
	g, d := at(destination.Store{Region: "us-east-1"}, "b")
	s := v.sealedSession(t, g, d)
	if s.AccessKeyID != aSession.AccessKeyID || s.SecretAccessKey != aSession.SecretAccessKey || !s.isOf(token) || s.isOf("") || s.isOf("another") {
		t.Errorf("%+v", s)
	}
	e, err := v.ForEvaporate(destination.Upload{Token: "a grant", Grant: g, Destination: d, Session: aSession})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(e)
	sealedText := e.SignParams["session"]
	if strings.Contains(string(text), aSession.SecretAccessKey) || len(sealedText) > 300 {
		t.Errorf("%s", text)
	}
	if e.AWSKey != aSession.AccessKeyID || e.SignParams["grant"] != "a grant" || len(e.Headers) != 1 || e.Headers["x-amz-security-token"] != token {
		t.Errorf("%s", text)
	}
	// It is of its grant alone, so of its principal and destination, and of this purpose.
	for what, change := range map[string]func(*destination.Grant){
		"another grant":           func(g *destination.Grant) { g.ID = "2" },
		"another principal":       func(g *destination.Grant) { g.Principal = "q" },
		"another destination":     func(g *destination.Grant) { g.Destination = "e" },
		"parts that move between": func(g *destination.Grant) { g.Destination, g.ID = "d\n1", "p"; g.Principal = "" },
	} {
		other := g
		if change(&other); !reflect.DeepEqual(other, g) {
			if _, err := v.unseal(sealedText, other); err == nil {
				t.Errorf("%s opens it", what)
			}
		}
	}
	for what, text := range map[string]string{
		"nothing": "", "no box": "x", "another purpose": v.Held.Seal([]byte(`{"k":"a","s":"b"}`), aboutGrant(g)), "not JSON": v.Sealed.Seal([]byte("x"), aboutGrant(g)), "cut": sealedText[:len(sealedText)-4],
	} {
		if s, err := v.unseal(text, g); err == nil || s.SecretAccessKey != "" {
			t.Errorf("%s: %+v", what, s)
		}
	}
	for after, ok := range map[time.Duration]bool{15*time.Minute - time.Second: true, 15 * time.Minute: false} {
		v.Now = func() time.Time { return noon.Add(after) }
		if _, err := v.unseal(sealedText, g); (err == nil) != ok {
			t.Errorf("after %s: %v", after, err)
		}
	}
}

func TestWhereNothingIsSealed(t *testing.T) {
	v := views(t)
	for what, change := range map[string]func(*destination.Upload){
		"a destination that does not name it":     func(u *destination.Upload) { u.Destination.Compat.Evaporate = false },
		"a destination whose requests are signed": func(u *destination.Upload) { u.Destination.Presigned = true },
		"no session":                                func(u *destination.Upload) { u.Session = destination.Session{} },
		"a session that may do nothing":             func(u *destination.Upload) { u.MayExist = true },
		"an upload of which only the object is set": func(u *destination.Upload) { *u = destination.Upload{Exists: &destination.Completed{}} },
	} {
		g, d := at(destination.Store{Region: "us-east-1"}, "b")
		d.Compat.Evaporate = true
		u := destination.Upload{Token: "a grant", Grant: g, Destination: d, Session: aSession}
		change(&u)
		if e, err := v.ForEvaporate(u); e != nil || err != nil {
			t.Errorf("%s: %+v, %v", what, e, err)
		}
	}
}
