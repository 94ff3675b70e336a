package devstore

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// Of a form without a good signature, and beyond what its policy allows, nothing is written to the disk.
func TestFormsWithoutASignatureAreNotKept(t *testing.T) {
	s := start(t, nil)
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "none"))
	large := string(content(2*maxFormInMemory + 1))
	style := formStyle{field: `Content-Disposition: form-data; name="%s"`,
		file: `Content-Disposition: form-data; name="file"; filename="a"`}
	set := func(name, value string) [][2]string {
		fields := signedFields(t, s, "flood", len(large))
		for i, f := range fields {
			if f[0] == name {
				fields[i][1] = value
			}
		}
		return fields
	}
	for name, c := range map[string]struct {
		fields [][2]string
		code   string
	}{
		"no fields of a signature":  {[][2]string{{"key", "flood"}}, "AccessDenied"},
		"a wrong signature":         {set("x-amz-signature", strings.Repeat("0", 64)), "SignatureDoesNotMatch"},
		"a key that there is not":   {set("x-amz-credential", "NONE/20260101/us-east-1/s3/aws4_request"), ""},
		"a credential of no form":   {set("x-amz-credential", "x"), ""},
		"more than the policy says": {signedFields(t, s, "flood", 1), "EntityTooLarge"},
	} {
		t.Run(name, func(t *testing.T) {
			status, text := postForm(t, s, style, c.fields, large)
			if status < 400 || status >= 500 || !strings.Contains(text, "<Code>"+c.code) {
				t.Errorf("%d %s; want %s", status, text, c.code)
			}
		})
	}
}

// What follows a refused form on its connection is no request: the store closes it.
func TestFormsWithoutASignatureCloseTheConnection(t *testing.T) {
	s := start(t, nil)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.Endpoint(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	style := formStyle{field: `Content-Disposition: form-data; name="%s"`,
		file: `Content-Disposition: form-data; name="file"; filename="a"`}
	body := style.body([][2]string{{"key", "k"}}, strings.Repeat("x", drainBytes)+"\r\nOPTIONS /media/k HTTP/1.1\r\n\r\n")
	go fmt.Fprintf(conn, "POST /media HTTP/1.1\r\nHost: %s\r\nContent-Type: multipart/form-data; boundary=%s\r\n"+
		"Content-Length: %d\r\n\r\n%s", strings.TrimPrefix(s.Endpoint(), "http://"), formBoundary, len(body), body)
	reply, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusForbidden || !reply.Close {
		t.Errorf("%s, closed: %v", reply.Status, reply.Close)
	}
}
