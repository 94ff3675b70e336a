package verify

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/chunksign/chunksign/server/destination"
)

// The vector that Standard Webhooks' libraries are tested with.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func TestSignature(t *testing.T) {
	sign := func(secrets string) string {
		t.Helper()
		s, err := ParseSecrets(secrets)
		if err != nil {
			t.Fatal(err)
		}
		return s.Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	}
	if got := sign(vectorSecret); got != vectorSignature {
		t.Errorf("%s; want %s", got, vectorSignature)
	}
	other := "whsec_" + strings.Repeat("A", 32)
	if got := strings.Fields(sign(other + ", " + vectorSecret)); len(got) != 2 || got[1] != vectorSignature || got[0] == got[1] {
		t.Errorf("by two secrets: %v", got)
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw":       "secret 1 does not begin with whsec_",
		"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa!w": "secret 1 is not base64",
		"whsec_MfKQ9r8GKYqrTwjUPD8I":             "secret 1 has 15 bytes, not 24 to 64",
		"whsec_" + strings.Repeat("hunt", 22):    "secret 1 has 66 bytes",
		vectorSecret + ",whsec_hunt":             "secret 2 has 3 bytes",
		vectorSecret + ",":                       "secret 2 does not begin",
	} {
		_, err := ParseSecrets(text)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "MfKQ") || strings.Contains(err.Error(), "hunt") {
			t.Errorf("%s: %v; want %s", text, err, want)
		}
	}
}

var finished = destination.Finished{ID: "id", At: time.Unix(1614265330, 0), Destination: "photos", Key: "k", Object: destination.Object{Size: 1, ETag: "e"}}

// notify tells an address of an upload, whose names a resolver knows.
func notify(t *testing.T, w destination.Webhook, r *net.Resolver) error {
	t.Helper()
	secrets, err := ParseSecrets(vectorSecret)
	if err != nil {
		t.Fatal(err)
	}
	h := &Hooks{Secrets: secrets, Now: time.Now, Resolver: r}
	if w.Timeout == 0 {
		w.Timeout = 10 * time.Second
	}
	return h.Notify(context.Background(), &w, finished)
}

func TestNotify(t *testing.T) {
	asked, elsewhere, wait := 0, 0, ""
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere++ }))
	defer other.Close()
	status := 0
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Location", other.URL)
		if wait != "" {
			w.Header().Set("Retry-After", wait)
		}
		w.WriteHeader(status)
		w.Write([]byte(strings.Repeat("x", 100)))
	}))
	defer app.Close()
	for _, c := range []struct {
		status int
		wait   string
		again  time.Duration // 0: it is told
	}{
		{200, "", 0}, {202, "", 0}, {204, "", 0}, {299, "", 0},
		{301, "", 5 * time.Second}, {302, "", 5 * time.Second}, {307, "", 5 * time.Second}, {308, "", 5 * time.Second},
		{400, "", 5 * time.Second}, {404, "", 5 * time.Second}, {410, "", 5 * time.Second},
		{500, "", 5 * time.Second}, {503, "7", 7 * time.Second}, {503, "100000", 5 * time.Minute}, {503, "-5", 5 * time.Second}, {429, "soon", 5 * time.Second},
	} {
		status, wait = c.status, c.wait
		err := notify(t, destination.Webhook{URL: app.URL + "/hook"}, nil)
		var e *destination.Error
		switch {
		case c.again == 0 && err != nil:
			t.Errorf("%d: %v", c.status, err)
		case c.again > 0 && (!errors.As(err, &e) || e.Code != destination.WebhookFailed || e.RetryAfter != c.again || !strings.Contains(err.Error(), strconv.Itoa(c.status))):
			t.Errorf("%d %q: %v", c.status, c.wait, err)
		}
	}
	if asked != 16 || elsewhere != 0 {
		t.Errorf("it was asked %d times, and %d times where it redirects to", asked, elsewhere)
	}
}

func TestAnApplicationThatDoesNotAnswer(t *testing.T) {
	end := make(chan struct{})
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-end }))
	defer app.Close()
	defer close(end)
	var e *destination.Error
	if err := notify(t, destination.Webhook{URL: app.URL, Timeout: 50 * time.Millisecond}, nil); !errors.As(err, &e) || e.Code != destination.WebhookFailed || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	gone := httptest.NewServer(nil)
	gone.Close()
	if err := notify(t, destination.Webhook{URL: gone.URL}, nil); !errors.As(err, &e) || e.Code != destination.WebhookFailed {
		t.Errorf("%v", err)
	}
}

// A webhook's URL often holds a token; what a failed call leaves in the log does not.
func TestTheWebhooksURLStaysOutOfErrors(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	refuses := httptest.NewServer(http.NotFoundHandler())
	defer refuses.Close()
	noHTTP, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer noHTTP.Close()
	go func() {
		for c, err := noHTTP.Accept(); err == nil; c, err = noHTTP.Accept() {
			c.Write([]byte("220 mail\r\n"))
			c.Close()
		}
	}()
	for _, base := range []string{gone.URL, refuses.URL, "http://" + noHTTP.Addr().String(), "http://hooks.example.com:1", "http://127.0.0.1:99999", "https" + strings.TrimPrefix(refuses.URL, "http")} {
		err := notify(t, destination.Webhook{URL: base + "/services/t0ken?key=t0ken%22"}, names(t, [4]byte{10, 0, 0, 1}))
		if err == nil || strings.Contains(err.Error(), "t0ken") {
			t.Errorf("%s: %v", base, err)
		}
	}
}

// names is a DNS server that knows one address for every name.
func names(t *testing.T, address [4]byte) *net.Resolver {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		for buffer := make([]byte, 1500); ; {
			n, from, err := c.ReadFrom(buffer)
			if err != nil {
				return
			}
			var m dnsmessage.Message
			if m.Unpack(buffer[:n]) != nil {
				continue
			}
			reply := dnsmessage.Message{Header: dnsmessage.Header{ID: m.ID, Response: true}, Questions: m.Questions}
			if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
				reply.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}, Body: &dnsmessage.AResource{A: address}}}
			}
			if packed, err := reply.Pack(); err == nil {
				c.WriteTo(packed, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", c.LocalAddr().String())
	}}
}

// A name in a webhook's URL that leads to this machine is not called, unless the configuration says that it is meant.
func TestNamesOfPrivateAddresses(t *testing.T) {
	asked := 0
	app := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	defer app.Close()
	u, err := url.Parse(app.URL)
	if err != nil {
		t.Fatal(err)
	}
	named := destination.Webhook{URL: "http://hooks.example.com:" + u.Port()}
	err = notify(t, named, names(t, [4]byte{127, 0, 0, 1}))
	if err == nil || !strings.Contains(err.Error(), "stands for 127.0.0.1, which is not a public address; if that is meant, write private: true") || asked != 0 {
		t.Errorf("%v, asked %d times", err, asked)
	}
	named.Private = true
	if err := notify(t, named, names(t, [4]byte{127, 0, 0, 1})); err != nil || asked != 1 {
		t.Errorf("private: true: %v, asked %d times", err, asked)
	}
	if err := notify(t, destination.Webhook{URL: app.URL}, nil); err != nil || asked != 2 {
		t.Errorf("by address: %v, asked %d times", err, asked)
	}
}

// TestAddresses takes an address of every network that is not the public Internet (IANA's registries of special
// purpose addresses), its ends, and every way of writing an IPv4 address inside an IPv6 one.
func TestAddresses(t *testing.T) {
	at := func(host, address string) error {
		return checkAddress(host, netip.AddrPortFrom(netip.MustParseAddr(address), 443).String())
	}
	for _, a := range []string{
		"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.1.2.3", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255",
		"127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255",
		"192.0.0.1", "192.0.0.192", "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.1.1", "192.175.48.1",
		"198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",

		"::", "::1", "::2", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1",
		"100::1", "100:0:0:1::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1",
		"2001:db8::1", "2001:db8::1%eth0", "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "4000::1", "5f00::1", "1fff::1", "8000::1",

		"::10.0.0.1", "::127.0.0.1", "::8.8.8.8", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:168.63.129.16",
		"::ffff:0:10.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::10.0.0.1", "64:ff9b:1:ffff::1", "2002:a00:1::1", "2002:808:808::1",
	} {
		if err := at("app.example.com", a); err == nil || !strings.Contains(err.Error(), "is not a public address") {
			t.Errorf("%s is called for a public one: %v", a, err)
		}
	}
	for _, a := range []string{
		"1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "168.63.129.15", "168.63.129.17",
		"172.15.255.255", "172.32.0.0", "192.0.1.1", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"::ffff:8.8.8.8", "2001:200::1", "2001:4860:4860::8888", "2003::1", "2606:4700::1111", "2a00::1", "3ffe::1",
	} {
		if err := at("app.example.com", a); err != nil {
			t.Errorf("%s: %v", a, err)
		}
	}
	for host, a := range map[string]string{
		"10.0.0.1": "10.0.0.1", "::1": "::1", "localhost": "127.0.0.1", "app.localhost": "::1", "::ffff:10.0.0.1": "10.0.0.1", "fe80::1%eth0": "fe80::1%eth0",
	} {
		if err := at(host, a); err != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	for host, a := range map[string]string{
		"localhost": "10.0.0.1", "10.0.0.1": "10.0.0.2", "localhost.example.com": "127.0.0.1", "2130706433": "127.0.0.1", "0x7f.1": "127.0.0.1", "0177.0.0.1": "127.0.0.1",
	} {
		if at(host, a) == nil {
			t.Errorf("%s leads to %s", host, a)
		}
	}
	for _, a := range []string{"", "8.8.8.8", "app.example.com:443", "[::1:443", "8.8.8.8:http"} {
		if checkAddress("app.example.com", a) == nil {
			t.Errorf("%q is called", a)
		}
	}
}
