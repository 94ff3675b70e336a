package compat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"unicode/utf16"
)

// member is one of a JSON object's.
type member struct {
	name  string
	value any
}

// dumps writes a JSON object as Python's json.dumps does: members in their
// order, a space after each colon and comma, in ASCII.
func dumps(members ...member) ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteString(", ")
		}
		var value bytes.Buffer
		e := json.NewEncoder(&value)
		e.SetEscapeHTML(false)
		if err := e.Encode(m.value); err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "%q: ", m.name)
		ascii(&b, bytes.TrimSuffix(value.Bytes(), []byte("\n")))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// ascii writes JSON with what is above ASCII as \uXXXX.
func ascii(b *bytes.Buffer, text []byte) {
	for _, r := range string(text) {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r > 0xFFFF:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(b, `\u%04x`, r)
		}
	}
}

// say answers as django-s3direct's views do.
func say(w http.ResponseWriter, status int, members ...member) error {
	text, err := dumps(members...)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(text) // an error here is a client that has gone
	return nil
}

func refuse(w http.ResponseWriter, status int, text string) error {
	return say(w, status, member{"error", text})
}

// Problem answers what a view, or what stands before it, has no words of
// django-s3direct's for. Its client shows the member error.
func Problem(w http.ResponseWriter, status int, detail, code, requestID string) {
	_ = say(w, status, member{"error", detail}, member{"code", code}, member{"requestId", requestID}) // texts can be written
}
