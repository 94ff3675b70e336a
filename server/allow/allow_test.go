package allow

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

var now = time.Date(2026, 5, 17, 12, 0, 0, 0, time.UTC)

func question() destination.Question {
	many := make([]any, 2000)
	for i := range many {
		many[i] = strings.Repeat("g", 50)
	}
	return destination.Question{
		Now:  now,
		File: &destination.File{Name: "Holiday.JPG", Type: "image/jpeg", Size: 5_000_000},
		Principal: destination.Principal{
			ID: "alice", Via: destination.Request{Address: "10.1.2.3", Origin: "https://app.example.com"},
			Claims: map[string]any{
				"groups": []any{"staff", "photo"}, "many": many, "tenant": json.Number("9007199254740993"), "ratio": json.Number("0.5"),
				"huge": json.Number("1e400"), "admin": true, "name": "Alice", "org": map[string]any{"id": json.Number("7")}, "none": nil,
			},
		},
	}
}

func TestRules(t *testing.T) {
	for text, want := range map[string]struct {
		ok  bool
		err string // a part of it
	}{
		"true":                      {true, ""},
		"false":                     {false, ""},
		"'staff' in claims.groups":  {true, ""},
		"'admins' in claims.groups": {false, ""},
		"user == 'alice' && claims.name == 'Alice'":                            {true, ""},
		"user.startsWith('ali') && user.matches('^[a-z]+$')":                   {true, ""},
		"file.size < 10 * 1024 * 1024 && file.type.startsWith('image/')":       {true, ""},
		"file.size > 10 * 1024 * 1024":                                         {false, ""},
		"file.name.matches('(?i)[.]jpe?g$')":                                   {true, ""},
		"request.ip.startsWith('10.1.') && request.origin.contains('example')": {true, ""},
		"request.time < timestamp('2026-06-01T00:00:00Z')":                     {true, ""},
		"request.time.getHours() >= 13":                                        {false, ""},
		"claims.tenant == 9007199254740993":                                    {true, ""},
		"claims.tenant == 9007199254740992":                                    {false, ""},
		"claims.ratio == 0.5":                                                  {true, ""},
		"claims.org.id == 7":                                                   {true, ""},
		"claims.admin":                                                         {true, ""},
		"has(claims.admin) && claims.admin":                                    {true, ""},
		"has(claims.missing) && claims.missing":                                {false, ""},
		"claims.groups.exists(g, g.startsWith('ph'))":                          {true, ""},
		"claims.missing == 'x' || true":                                        {true, ""},
		"claims.missing == 'x'":                                                {false, "no such key: missing"},
		"claims.name":                                                          {false, "of the type string"},
		"claims.none":                                                          {false, "of the type null_type"},
		"claims.groups":                                                        {false, "of the type list"},
		"claims.name > 5":                                                      {false, "no such overload"},
		"1 / (file.size - file.size) == 1":                                     {false, "divi"},
		"user.matches(claims.name + '(')":                                      {false, "error parsing regexp"},
		"claims.many.all(a, claims.many.all(b, a == b))":                       {false, "cost limit"},
		"claims.many.map(a, claims.many.map(b, a + b)).size() > 0":             {false, "cost limit"},
		"dyn(claims.groups).filter(g, g == 'staff').size() == 1":               {true, ""},
	} {
		r, flaws := Compile(text)
		if len(flaws) > 0 {
			t.Errorf("%s: %+v", text, flaws)
			continue
		}
		ok, err := r.Allows(context.Background(), question())
		if ok != want.ok || (err == nil) != (want.err == "") || err != nil && !strings.Contains(err.Error(), want.err) {
			t.Errorf("%s: %v, %v; want %v, %q", text, ok, err, want.ok, want.err)
		}
	}
}

func TestFlaws(t *testing.T) {
	for text, want := range map[string]destination.RuleFlaw{
		"user = 'x'":                       {Line: 1, Column: 6, Text: "Syntax error"},
		"":                                 {Line: 1, Column: 1, Text: "Syntax error"},
		"nobody":                           {Line: 1, Column: 1, Text: "undeclared reference to 'nobody'"},
		"user == 'a' &&\n  file.nam == ''": {Line: 2, Column: 7, Text: "undefined field 'nam'"},
		"user == 7":                        {Line: 1, Column: 6, Text: "no matching overload"},
		"file.size":                        {Line: 1, Column: 1, Text: "type int"},
		"claims.groups.join() == ''":       {Line: 1, Column: 19, Text: "undeclared reference to 'join'"},
		"size(user)":                       {Line: 1, Column: 1, Text: "type int"},
		"allow.file{name: 'x'}":            {Line: 1, Column: 1, Text: "type allow.file"},
		"request.secret == ''":             {Line: 1, Column: 8, Text: "undefined field 'secret'"},
		strings.Repeat("true && ", 1000) + "true":                     {Line: 1, Column: 1, Text: "it has 8004 characters"},
		strings.Repeat("!(", 500) + "true" + strings.Repeat(")", 500): {Line: 1, Column: 1, Text: ""},
	} {
		r, flaws := Compile(text)
		if r != nil || len(flaws) == 0 {
			t.Errorf("%.50q is taken", text)
			continue
		}
		if f := flaws[0]; f.Line != want.Line && want.Text != "" || f.Column != want.Column && want.Text != "" || !strings.Contains(f.Text, want.Text) {
			t.Errorf("%.50q: %+v; want %+v", text, flaws, want)
		}
	}
}

// Without a file a rule says whether there could be one.
func TestBeforeThereIsAFile(t *testing.T) {
	for text, want := range map[string]bool{
		"'staff' in claims.groups":                    true,
		"'admins' in claims.groups":                   false,
		"'staff' in claims.groups && file.size < 10":  true,
		"'admins' in claims.groups && file.size < 10": false,
		"file.type == 'image/png'":                    true,
		"'admins' in claims.groups || file.size < 10": true,
		"claims.missing == 'x'":                       false,
		"user == 'alice' ? file.size < 10 : false":    true,
		"user == 'bob' ? file.size < 10 : false":      false,
	} {
		r, flaws := Compile(text)
		if len(flaws) > 0 {
			t.Fatalf("%s: %+v", text, flaws)
		}
		q := question()
		q.File = nil
		if ok, err := r.Allows(context.Background(), q); ok != want || err != nil && want {
			t.Errorf("%s: %v, %v; want %v", text, ok, err, want)
		}
	}
}

func BenchmarkRule(b *testing.B) {
	r, _ := Compile("'staff' in claims.groups && file.size < 100 * 1024 * 1024")
	q := question()
	delete(q.Principal.Claims, "many")
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := r.Allows(context.Background(), q); !ok {
			b.Fatal(err)
		}
	}
}
