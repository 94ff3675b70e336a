package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chunksign/chunksign/server/destination"
)

const narrowed = `auth: { dev: true }
bounds: { content_length: 1B..1GiB, duration: 15m..1h }
stores:
  media:
    region: eu-west-1
    ca: ca.pem
    sts:
      role_arn: "arn:aws:iam::123456789012:role/uploads"
      region: eu-central-1
      via: { role_arn: "arn:aws:iam::210987654321:role/gateway", external_id: e }
      source_identity: true
      tags: { user: "{user}", app: gallery }
  other: { region: eu-west-1, sts: { role_arn: "arn:aws:iam::123456789012:role/uploads", duration: 2h } }
destinations:
  photos:
    store: media
    bucket: my-media
    key: "photos/{user}/{uuid}"
    content_length: 1B..1GiB
    server_side_encryption: AES256
    checksum: SHA256
    conditions: { source_ip: [198.51.100.0/24], secure_transport: true, encryption: true }
  home: { store: media, bucket: my-media, key: "home/{uuid}", content_length: 1B..1MiB, conditions: { source_ip: client } }
  long: { store: other, bucket: my-media, key: "long/{uuid}", content_length: 1B..2GiB, duration: 90m, bounds: { content_length: 0..5GiB, duration: 15m..2h } }
`

func TestSessionsAndConditions(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	alone := x509.NewCertPool()
	alone.AppendCertsFromPEM(authority)
	read := func(text string, ca []byte) (*Config, error) {
		return Parse("f", []byte(text), func(string) ([]byte, error) { return ca, nil }, nil, nil, nil)
	}
	c, err := read(narrowed, authority)
	if err != nil {
		t.Fatal(err)
	}
	media, photos, home, long := c.Stores[0], c.Destinations[0], c.Destinations[1], c.Destinations[2]
	if s := media.STS; s.Region != "eu-central-1" || s.Via != (destination.VerifyRole{RoleARN: "arn:aws:iam::210987654321:role/gateway", ExternalID: "e"}) || !s.SourceIdentity || len(s.Tags) != 2 || s.Tags[1].Name != "user" {
		t.Errorf("%+v", s)
	}
	if roots := media.Client.Transport.(*http.Transport).TLSClientConfig.RootCAs; c.Stores[1].Client != nil || !roots.Equal(alone) {
		t.Errorf("the authorities are %v", roots)
	}
	if photos.Checksum != "SHA256" || fmt.Sprint(photos.Conditions) != "{[198.51.100.0/24] false true true}" || fmt.Sprint(home.Conditions) != "{[] true false false}" || long.Duration != 90*time.Minute {
		t.Errorf("%+v, %+v, %v", photos.Conditions, home.Conditions, long.Duration)
	}
	var warnings []string
	for _, w := range c.Warnings {
		warnings = append(warnings, w.String())
	}
	if len(warnings) != 2 || !strings.HasPrefix(warnings[0], "f:13:100: duration is over 1h") || !strings.HasPrefix(warnings[1], "f:24:99: duration is over 1h") || !strings.Contains(warnings[0], "role chaining") {
		t.Errorf("%q", warnings)
	}
	if _, err := read(narrowed, []byte("none")); err == nil || err.Error() != `f:6:9: ca "ca.pem" holds no certificate; name a file of PEM certificates` {
		t.Errorf("%v", err)
	}
}
