package httpapi

import (
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestWhereARequestComesFrom(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		proxies   []netip.Prefix
		remote    string
		forwarded []string
		want      string
	}{
		{nil, "192.0.2.1:4000", nil, "192.0.2.1"},
		{nil, "[::ffff:192.0.2.1]:4000", nil, "192.0.2.1"},
		{nil, "[2001:db8::1%eth0]:4000", nil, "2001:db8::1"},
		{nil, "10.0.0.1:4000", []string{"192.0.2.1"}, "10.0.0.1"},       // not said to be a proxy
		{proxies, "192.0.2.9:4000", []string{"192.0.2.1"}, "192.0.2.9"}, // no proxy
		{proxies, "10.0.0.1:4000", nil, "10.0.0.1"},
		{proxies, "10.0.0.1:4000", []string{""}, "10.0.0.1"},
		{proxies, "10.0.0.1:4000", []string{"192.0.2.1"}, "192.0.2.1"},
		{proxies, "[fd00::1]:4000", []string{"2001:db8::1"}, "2001:db8::1"},
		{proxies, "10.0.0.1:4000", []string{"6.6.6.6, 192.0.2.1"}, "192.0.2.1"}, // the first is the client's own word
		{proxies, "10.0.0.1:4000", []string{"6.6.6.6", "192.0.2.1"}, "192.0.2.1"},
		{proxies, "10.0.0.1:4000", []string{"6.6.6.6, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"},
		{proxies, "10.0.0.1:4000", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		{proxies, "10.0.0.1:4000", []string{"192.0.2.1, unknown"}, "10.0.0.1"},
		{proxies, "10.0.0.1:4000", []string{"192.0.2.1, unknown, 10.0.0.2"}, "10.0.0.2"},
		{proxies, "@", []string{"192.0.2.1"}, "@"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = c.remote
		for _, v := range c.forwarded {
			r.Header.Add("X-Forwarded-For", v)
		}
		a := &api{Config: Config{Proxies: c.proxies}}
		if got := a.address(r); got != c.want {
			t.Errorf("%s, forwarded for %q: %s; want %s", c.remote, c.forwarded, got, c.want)
		}
	}
}
