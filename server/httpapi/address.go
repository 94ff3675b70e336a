package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// address is the IP address that a request comes from: the connection's other
// end, or, where that is a proxy in front, who it says it had the request from.
//
// X-Forwarded-For is read from its end: each proxy appends whom it has the
// request from, and what stands before the first that is no proxy of ours was
// the client's to write.
func (a *api) address(r *http.Request) string {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	client := at.Addr().Unmap().WithZone("")
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && a.isProxy(client); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		client = hop.Unmap().WithZone("")
	}
	return client.String()
}

func (a *api) isProxy(address netip.Addr) bool {
	return slices.ContainsFunc(a.Proxies, func(p netip.Prefix) bool { return p.Contains(address) })
}

// fromProxy says that the connection is a proxy's of ours.
func (a *api) fromProxy(r *http.Request) bool {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && a.isProxy(at.Addr().Unmap().WithZone(""))
}
