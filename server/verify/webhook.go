package verify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"code.dny.dev/ssrf"

	"github.com/chunksign/chunksign/server/destination"
	"github.com/chunksign/chunksign/server/redact"
)

// Secrets sign webhooks: each message carries a signature by every one of
// them, so that one can be replaced while applications still know another.
type Secrets [][]byte

// What a secret has, in bytes (github.com/standard-webhooks/standard-webhooks,
// spec/standard-webhooks.md, "Signature scheme").
const minSecret, maxSecret = 24, 64

// ParseSecrets reads "whsec_BASE64,whsec_BASE64" as Standard Webhooks writes
// secrets. Errors never hold one.
func ParseSecrets(s string) (Secrets, error) {
	const how = "make one with: echo whsec_$(openssl rand -base64 32)"
	var all Secrets
	for i, part := range strings.Split(s, ",") {
		text, ok := strings.CutPrefix(strings.TrimSpace(part), "whsec_")
		if !ok {
			return nil, fmt.Errorf("webhook secret %d does not begin with whsec_; %s", i+1, how)
		}
		secret, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
		if err != nil {
			return nil, fmt.Errorf("webhook secret %d is not base64 after whsec_; %s", i+1, how)
		}
		if len(secret) < minSecret || len(secret) > maxSecret {
			return nil, fmt.Errorf("webhook secret %d has %d bytes, not %d to %d; %s", i+1, len(secret), minSecret, maxSecret, how)
		}
		all = append(all, secret)
	}
	return all, nil
}

// Sign is the header webhook-signature of a message.
func (s Secrets) Sign(id string, at time.Time, body []byte) string {
	signatures := make([]string, len(s))
	for i, secret := range s {
		mac := hmac.New(sha256.New, secret)
		fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
		signatures[i] = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	return strings.Join(signatures, " ")
}

// Hooks is a destination.Notifier over HTTP, by Standard Webhooks.
type Hooks struct {
	Secrets Secrets
	Now     func() time.Time

	Resolver *net.Resolver // nil is the system's
}

// What an application may make the page wait that asked.
const (
	hookRetry    = 5 * time.Second
	maxHookRetry = 5 * time.Minute
	maxHookReply = 64 << 10 // bytes, which are not looked at
)

// message is the body: Standard Webhooks' type, timestamp and data.
type message struct {
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Data      data   `json:"data"`
}

type data struct {
	Destination string    `json:"destination"`
	Principal   string    `json:"principal"`
	Bucket      string    `json:"bucket"`
	Key         string    `json:"key"`
	Name        string    `json:"name"`
	Size        int64     `json:"size"`
	ContentType string    `json:"contentType"`
	ETag        string    `json:"etag"`
	VersionID   string    `json:"versionId,omitempty"`
	Checksum    *checkSum `json:"checksum,omitempty"`
}

type checkSum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"`
}

func body(f destination.Finished) ([]byte, error) {
	d := data{
		Destination: f.Destination, Principal: f.Principal, Bucket: f.Bucket, Key: f.Key, Name: f.Name,
		Size: f.Object.Size, ContentType: f.Object.Type, ETag: f.Object.ETag, VersionID: f.Object.VersionID,
	}
	if c := f.Object.Checksum; c != nil {
		d.Checksum = &checkSum{c.Algorithm, c.Value}
	}
	return json.Marshal(message{"upload.completed", f.At.UTC().Format(time.RFC3339), d})
}

// Notify implements destination.Notifier: one POST, answered with 2xx or not.
// A redirect is a refusal, for the message is for the configured address.
func (h *Hooks) Notify(ctx context.Context, w *destination.Webhook, f destination.Finished) error {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	text, err := body(f)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(text))
	if err != nil {
		return failed(0, err)
	}
	at := h.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "chunksign")
	r.Header["webhook-id"] = []string{f.ID}
	r.Header["webhook-timestamp"] = []string{strconv.FormatInt(at.Unix(), 10)}
	r.Header["webhook-signature"] = []string{h.Secrets.Sign(f.ID, at, text)}
	reply, err := h.client(r, w).Do(r)
	if err != nil {
		return failed(0, err)
	}
	defer reply.Body.Close()
	io.Copy(io.Discard, io.LimitReader(reply.Body, maxHookReply)) //nolint:errcheck // the status is the answer
	if reply.StatusCode < 200 || reply.StatusCode > 299 {
		seconds, _ := strconv.Atoi(reply.Header.Get("Retry-After"))
		return failed(time.Duration(min(max(seconds, 0), int(maxHookRetry.Seconds())))*time.Second, errors.New("it answers "+reply.Status))
	}
	return nil
}

func failed(wait time.Duration, err error) error {
	if wait == 0 {
		wait = hookRetry
	}
	return &destination.Error{Code: destination.WebhookFailed, RetryAfter: wait, Err: fmt.Errorf("the webhook: %w", redact.Error(err)),
		Detail: "the object is good, but the application has not taken word of it yet; ask again"}
}

// client sends one message and keeps no connection, for which addresses are
// allowed depends on the webhook. Where the environment names a proxy for the
// URL it is the proxy that looks the name up.
func (h *Hooks) client(r *http.Request, w *destination.Webhook) *http.Client {
	dialer := &net.Dialer{Resolver: h.Resolver}
	if by, err := http.ProxyFromEnvironment(r); by == nil && err == nil && !w.Private {
		host := r.URL.Hostname()
		dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
			return checkAddress(host, address)
		}
	}
	return &http.Client{
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, DisableKeepAlives: true, TLSHandshakeTimeout: w.Timeout, MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkAddress refuses an address that the URL does not plainly name: behind a
// public name there is no service of this machine or of its network, whatever
// DNS says.
func checkAddress(host, address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap().WithZone("")
	if named, err := netip.ParseAddr(host); err == nil && named.Unmap().WithZone("") == ip {
		return nil
	}
	if ip.IsLoopback() && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return nil // RFC 6761, section 6.3
	}
	if guard.SafeAddr(ip) != nil {
		return fmt.Errorf("%s stands for %s, which is not a public address; if that is meant, write private: true in the webhook", host, ip)
	}
	return nil
}

// guard knows the special networks of IANA's registries, and of IPv6 all that
// is not global unicast: NAT64, 6to4, Teredo and IPv4-compatible addresses lead
// to IPv4 ones that it would not see. The one more is Azure's own service for
// its machines, which has a public address (Azure's documentation, "What is IP
// address 168.63.129.16?"). A webhook may be on any port.
var guard = ssrf.New(ssrf.WithAnyPort(), ssrf.WithDeniedV4Prefixes(netip.MustParsePrefix("168.63.129.16/32")))
