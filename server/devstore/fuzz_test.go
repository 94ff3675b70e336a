package devstore

import (
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// FuzzFront sends requests of any kind through the running gateway, signed with the session of one key or by nobody.
// None changes a file that is not the session's, none gets others' bytes. {own}, {upload} and {theirs} stand for the
// session's key, its upload, and the way from there to another's.
func FuzzFront(f *testing.F) {
	g := newStage(f, false)
	f.Cleanup(func() {
		g.TB = f
		g.end()
	})
	for _, c := range s3Calls() {
		f.Add(c.method, c.path+"?"+c.query, strings.ReplaceAll(c.header, "|", "\n"), c.body, c.form)
	}
	for _, v := range []string{"{theirs}", "..%2f..%2f..", "../../../../.chunksign-secret", "%2e%2e/x", "a&uploadId=..", "..%00"} {
		f.Add("DELETE", "/media/{own}?uploadId="+v, "", "", false)
		f.Add("PUT", "/media/{own}?partNumber=1&uploadId="+v, "X-Amz-Copy-Source: /media/"+v, "x", false)
		f.Add("PUT", "/media/"+v, "X-Amz-Website-Redirect-Location: /", "x", false)
		f.Add("POST", "/media", "", "key="+v, true)
	}
	before := g.tree()
	f.Fuzz(func(t *testing.T, method, target, header, body string, isForm bool) {
		g.TB = t
		fill := func(text string) string { return strings.ReplaceAll(g.fill(text), "{theirs}", g.theirs()) }
		target, header, body = fill(target), fill(header), fill(body)
		// What would end the line, or frame the body otherwise, makes other requests of it.
		if method == "" || strings.ContainsAny(method+target, " \r\n\t") || strings.Contains(header, "\r") || len(header) > 2000 {
			return
		}
		lines := [][2]string{}
		for line := range strings.SplitSeq(header, "\n") {
			name, value, found := strings.Cut(line, ":")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "", "content-length", "transfer-encoding", "host", "connection", "expect", "x-amz-content-sha256", "content-md5":
				continue
			}
			if found && !strings.ContainsAny(name, " \t\x00") {
				lines = append(lines, [2]string{name, strings.TrimSpace(value)})
			}
		}
		for _, as := range []aws.Credentials{g.session, {}} {
			text, sent := body, lines
			if isForm {
				text, sent = form(as, body), append(slices.Clone(lines), [2]string{"Content-Type", "multipart/form-data; boundary=b"})
			}
			_, reply := g.send(as, method, target, sent, text)
			for _, canary := range []string{within, outside} {
				if strings.Contains(reply, canary) && !strings.Contains(text+target+header, canary) {
					t.Errorf("%s %q\n%q\n%q as %q: %s", method, target, lines, text, as.AccessKeyID, reply)
				}
			}
		}
		if places := changes(before, g.tree()); len(places) > 0 {
			before = g.tree()
			t.Errorf("%s %q\n%q\n%q changed %q", method, target, lines, body, places)
		}
		g.renew()
	})
}
