package config

import (
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/allow"
	"github.com/chunksign/chunksign/server/destination"
)

func TestVerifyAndWebhook(t *testing.T) {
	text := strings.Replace(good, "    overwrite: true", "    verify: { role_arn: \"arn:aws:iam::123456789012:role/looking\", external_id: e, delete: false }\n    webhook: { url: \"http://app/hook\", timeout: 5s, private: true }", 1)
	text = strings.Replace(text, "    read: owner", "    read: owner\n    verify: { delete: true }\n    webhook: { url: \"http://127.0.0.1:8000/hook\" }", 1)
	text = strings.Replace(text, "{ region: us-east-1, ", "{ region: us-east-1, conditional_delete: true, ", 1)
	c, err := Parse("c.yaml", []byte(text), noFiles, nil, allow.Compile, nil)
	if err != nil {
		t.Fatal(err)
	}
	photos, raw := c.Destinations[0], c.Destinations[1]
	if photos.KeepsRefused || photos.Store != c.Stores[0] || *photos.Webhook != (destination.Webhook{URL: "http://127.0.0.1:8000/hook", Timeout: 10 * time.Second}) {
		t.Errorf("%+v, %+v", photos, photos.Webhook)
	}
	if !raw.KeepsRefused || raw.Store.Verify != (destination.VerifyRole{RoleARN: "arn:aws:iam::123456789012:role/looking", ExternalID: "e"}) || raw.Store.Name != "minio" || c.Stores[1].Verify.RoleARN != "" ||
		*raw.Webhook != (destination.Webhook{URL: "http://app/hook", Timeout: 5 * time.Second, Private: true}) {
		t.Errorf("%+v, %+v", raw, raw.Webhook)
	}
	if !raw.Store.DeletesIfMatch || !photos.Store.DeletesIfMatch {
		t.Error("conditional_delete is not read")
	}
	if len(c.Warnings) != 2 || !strings.Contains(c.Warnings[1].Text, "url is not encrypted") {
		t.Errorf("%v", c.Warnings)
	}

	same := strings.Replace(good, "    read: owner", "    verify: { role_arn: \"arn:aws:iam::123456789012:role/uploads\" }", 1)
	if c, err = Parse("c.yaml", []byte(same), noFiles, nil, allow.Compile, nil); err != nil || len(c.Warnings) != 2 || !strings.HasPrefix(c.Warnings[1].String(), "c.yaml:15:25: the role of verify is the one that pages get sessions of") {
		t.Errorf("%v, %v", err, c)
	}
}
