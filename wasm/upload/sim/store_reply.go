package sim

import (
	"strings"
	"time"

	"github.com/chunksign/chunksign/wasm/s3api"
)

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")
var unescaper = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&amp;", "&")

func text(name, value string) string {
	return "<" + name + ">" + escaper.Replace(value) + "</" + name + ">"
}

// inner gives an element's text, "" where it is missing.
func inner(in, name string) string {
	_, after, ok := strings.Cut(in, "<"+name+">")
	if !ok {
		return ""
	}
	value, _, _ := strings.Cut(after, "</"+name+">")
	return unescaper.Replace(value)
}

func (s *store) reply(root, content string) s3api.Reply {
	return s3api.Reply{Status: 200, RequestID: s.newID("r"), Body: []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + root + ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/">` + content + "</" + root + ">")}
}

// refuse words an error (ErrorResponses.html).
func (s *store) refuse(status int, code, message string) *s3api.Reply {
	r := refusal(status, code, message, s.newID("r"))
	return &r
}

func refusal(status int, code, message, requestID string) s3api.Reply {
	return s3api.Reply{Status: status, RequestID: requestID, Body: []byte("<Error>" + text("Code", code) + text("Message", message) + text("RequestId", requestID) + "</Error>")}
}

func (s *store) tooSkewed(now, at time.Time) *s3api.Reply {
	id := s.newID("r")
	return &s3api.Reply{Status: 403, RequestID: id, Body: []byte("<Error>" + text("Code", "RequestTimeTooSkewed") +
		text("Message", "The difference between the request time and the current time is too large.") +
		text("RequestTime", at.UTC().Format("20060102T150405Z")) + text("ServerTime", now.UTC().Format("2006-01-02T15:04:05Z")) +
		text("MaxAllowedSkewMilliseconds", "900000") + text("RequestId", id) + "</Error>")}
}
