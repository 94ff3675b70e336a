package httpapi

import (
	"net/http"
	"net/netip"
	"slices"
)

// metrics answers who may know them. The connection's own address counts; one
// that forwards for somebody else is a proxy that lets everybody through.
func (a *api) metrics(w http.ResponseWriter, r *http.Request) error {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	forwarded := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("Via") != ""
	allowed := err == nil && !forwarded && slices.ContainsFunc(a.MetricsFrom, func(p netip.Prefix) bool {
		return p.Contains(from.Addr().Unmap().WithZone(""))
	})
	if a.Metrics == nil || !allowed {
		return problem(notFound, "")
	}
	w.Header().Set("Cache-Control", "no-store")
	a.Metrics.ServeHTTP(w, r)
	return nil
}
