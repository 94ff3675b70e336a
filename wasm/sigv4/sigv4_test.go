package sigv4

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

var session = Credentials{"ASIAEXAMPLE", "s3cr3t", "t0k3n/+="}

func part() *Request {
	return &Request{
		Method: "PUT", Host: "bucket.s3.eu-west-1.amazonaws.com", Path: "/photos/näme 名前.bin",
		Query:       []Param{{"uploadId", "VXBsb2FkIElE"}, {"partNumber", "7"}},
		Header:      []Param{{"x-amz-checksum-sha256", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="}},
		PayloadHash: EmptyPayload,
	}
}

func TestEscapePath(t *testing.T) {
	for path, want := range map[string]string{
		"":                     "/",
		"/":                    "/",
		"/a//b/./c/../d":       "/a//b/./c/../d",
		"/näme 1.txt":          "/n%C3%A4me%201.txt",
		"/%2F+*'()!~":          "/%252F%2B%2A%27%28%29%21~",
		"/nul\x00\xff":         "/nul%00%FF",
		"/${aws:username}?a#b": "/%24%7Baws%3Ausername%7D%3Fa%23b",
	} {
		equal(t, "path "+path, EscapePath(path), want)
	}
}

func TestEscapeQuery(t *testing.T) {
	for _, c := range []struct {
		query []Param
		want  string
	}{
		{nil, ""},
		{[]Param{{"uploads", ""}}, "uploads="},
		{[]Param{{"b", "2"}, {"a", "2"}, {"a", "1"}, {"A", ""}}, "A=&a=1&a=2&b=2"},
		{[]Param{{"k", "a-b"}, {"k", "a/b"}}, "k=a%2Fb&k=a-b"}, // sorted as encoded
		{[]Param{{"a", "1"}, {"é", "2"}}, "%C3%A9=2&a=1"},
		{[]Param{{"a b", "c+d=&\x00"}}, "a%20b=c%2Bd%3D%26%00"},
	} {
		equal(t, fmt.Sprint(c.query), EscapeQuery(c.query), c.want)
	}
}

func TestHeadersFold(t *testing.T) {
	r := &Request{Method: "GET", Host: "h", Path: "/", PayloadHash: UnsignedPayload, Header: []Param{
		{"X-B", " \t two  \"in   quotes\"\r\n"}, {"x-a", "1"}, {"X-A", ""}, {"x-A", "a\t\tb"}, {"X-Z", " \u00a0"},
	}}
	equal(t, "canonical request", CanonicalRequest(r), "GET\n/\n\nhost:h\nx-a:1,,a\t\tb\nx-b:two \"in quotes\"\nx-z:\u00a0\n\n"+
		"host;x-a;x-b;x-z\nUNSIGNED-PAYLOAD")
}

func TestTimestamp(t *testing.T) {
	for _, at := range []time.Time{
		time.Unix(0, 0), time.Date(2024, 2, 29, 23, 59, 59, 999, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
		time.Date(2025, 1, 1, 0, 30, 0, 0, time.FixedZone("", 3600)), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		equal(t, at.String(), Timestamp(at), at.UTC().Format("20060102T150405Z"))
	}
	// Every day of nine centuries: leap years of all kinds.
	for at := time.Date(1599, 1, 1, 23, 59, 58, 0, time.UTC); at.Year() < 2500; at = at.AddDate(0, 0, 1) {
		if got, want := Timestamp(at), at.Format("20060102T150405Z"); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

// TestMAC takes keys around the block size, where HMAC changes what it does.
func TestMAC(t *testing.T) {
	for n := range 200 {
		key, message := []byte(strings.Repeat("k", n)), []byte(strings.Repeat("m", 2*n))
		m := newMAC(key)
		for range 2 {
			want := hmac.New(sha256.New, key)
			want.Write(message)
			got := m.sum(message)
			equal(t, fmt.Sprint(n, " bytes"), hex.EncodeToString(got[:]), hex.EncodeToString(want.Sum(nil)))
		}
	}
}

// TestMidnight holds a signer that has a key cached against new ones, and a
// body begun before midnight against its own day.
func TestMidnight(t *testing.T) {
	before := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	after := before.Add(time.Second)
	s := New(session, "eu-west-1")
	chunks := s.Chunks("seed", before)
	for _, now := range []time.Time{before, after, before} {
		fresh := New(session, "eu-west-1")
		equal(t, "signature", fmt.Sprint(s.Sign(part(), now)), fmt.Sprint(fresh.Sign(part(), now)))
	}
	s.Sign(part(), after)
	equal(t, "chunk", chunks.Next(EmptyPayload), New(session, "eu-west-1").Chunks("seed", before).Next(EmptyPayload))
}

// TestRequestIsNotChanged gives slices with room behind them, into which a
// careless append would write.
func TestRequestIsNotChanged(t *testing.T) {
	r := part()
	room := func(p []Param) []Param { return append(make([]Param, 0, 32), p...) }
	r.Query, r.Header = room(r.Query), room(r.Header)
	r.Header[0].Name = "X-Amz-Checksum-SHA256"
	query, header := slices.Clone(r.Query[:32]), slices.Clone(r.Header[:32])
	s := New(session, "eu-west-1")
	s.Sign(r, time.Unix(1e9, 0))
	s.Presign(r, time.Unix(1e9, 0), time.Hour)
	CanonicalRequest(r)
	if !slices.Equal(query, r.Query[:32]) || !slices.Equal(header, r.Header[:32]) {
		t.Errorf("the request was changed: %v %v", r.Query[:32], r.Header[:32])
	}
}

func TestPresign(t *testing.T) {
	r := part()
	r.PayloadHash = ""
	now := time.Unix(1e9, 0)
	s := New(session, "eu-west-1")
	for expires, want := range map[time.Duration]string{
		7 * 24 * time.Hour: "604800", 1999 * time.Millisecond: "1", -time.Hour: "0",
	} {
		u, err := url.Parse("https://" + r.Host + s.Presign(r, now, expires))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		equal(t, "path", u.Path, r.Path)
		equal(t, "expires", q.Get("X-Amz-Expires"), want)
		equal(t, "token", q.Get("X-Amz-Security-Token"), session.SessionToken)
		equal(t, "headers", q.Get("X-Amz-SignedHeaders"), "host;x-amz-checksum-sha256")
		equal(t, "query", q.Get("uploadId"), "VXBsb2FkIElE")
	}
	unsigned := *r
	unsigned.PayloadHash = UnsignedPayload
	equal(t, "no hash", s.Presign(r, now, time.Hour), s.Presign(&unsigned, now, time.Hour))
}

func TestNothingPrintsASecret(t *testing.T) {
	s := New(session, "eu-west-1")
	s.Sign(part(), time.Unix(1e9, 0))
	for _, v := range []any{session, &session, s} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text := fmt.Sprintf(verb, v)
			if strings.Contains(text, session.SecretAccessKey) || strings.Contains(text, session.SessionToken) {
				t.Errorf("%s of %T shows a secret: %s", verb, v, text)
			}
			if !strings.Contains(text, session.AccessKeyID) {
				t.Errorf("%s of %T does not say whose it is: %s", verb, v, text)
			}
		}
	}
}

// TestSignAllocates holds the hot path to the timestamp, the list of headers
// and the Authorization header, plus the encoded path and query where needed.
func TestSignAllocates(t *testing.T) {
	s, r, now := New(session, "eu-west-1"), part(), time.Unix(1e9, 0)
	s.Sign(r, now)
	if n := testing.AllocsPerRun(100, func() { s.Sign(r, now) }); n > 3 {
		t.Errorf("Sign allocates %v times, want 3", n)
	}
}

func BenchmarkSign(b *testing.B) {
	for _, length := range []int{0, 1000} {
		b.Run(fmt.Sprintf("token=%dB", length), func(b *testing.B) {
			c := Credentials{session.AccessKeyID, session.SecretAccessKey, strings.Repeat("t", length)}
			s, r, now := New(c, "eu-west-1"), part(), time.Unix(1e9, 0)
			b.ReportAllocs()
			for b.Loop() {
				s.Sign(r, now)
			}
		})
	}
}

// BenchmarkSignNewSigner is what a server pays that signs once for each session.
func BenchmarkSignNewSigner(b *testing.B) {
	r, now := part(), time.Unix(1e9, 0)
	b.ReportAllocs()
	for b.Loop() {
		New(session, "eu-west-1").Sign(r, now)
	}
}
