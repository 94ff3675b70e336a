package devstore

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// loopbackAddress returns the host:port to listen on for the value of a Config field. It takes 127.0.0.1, ::1 and
// localhost (which means 127.0.0.1), because those are the Hosts that allowedHosts knows; every other host is an error.
func loopbackAddress(field, value string) (string, error) {
	if value == "" {
		return "127.0.0.1:0", nil
	}
	host, port, err := net.SplitHostPort(value)
	if err != nil {
		return "", fmt.Errorf("devstore: %s %q is not host:port; write 127.0.0.1:9000, or 127.0.0.1:0 for any free port", field, value)
	}
	switch host {
	case "127.0.0.1", "localhost":
		return net.JoinHostPort("127.0.0.1", port), nil
	case "::1":
		return net.JoinHostPort("::1", port), nil
	}
	return "", fmt.Errorf("devstore: %s %q is not a loopback address; the embedded store is for this machine only: write 127.0.0.1:%s", field, value, port)
}

// allowedHosts returns a predicate for the Host header of requests to a listener on address (host:port). A page of another
// site that points its own DNS name at 127.0.0.1 ("DNS rebinding") still sends that name as Host, and is refused.
func allowedHosts(address string) func(host string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return func(string) bool { return false }
	}
	names := []string{"localhost:" + port, "127.0.0.1:" + port, "[::1]:" + port}
	if port == "80" { // clients leave the default port out
		names = append(names, "localhost", "127.0.0.1", "[::1]")
	}
	return func(host string) bool {
		for _, name := range names {
			if strings.EqualFold(host, name) {
				return true
			}
		}
		return false
	}
}

// checkOrigins refuses what is not one exact origin as a browser writes it (RFC 6454 section 6.2): a scheme, a host in
// lower case, a port unless it is the scheme's own; no wildcard, no path, not "null".
func checkOrigins(origins []string) error {
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || origin != u.Scheme+"://"+strings.ToLower(u.Host) ||
			strings.Contains(origin, "*") {
			return fmt.Errorf("devstore: Origins: %q is not an exact origin; write it as https://app.example.com or http://127.0.0.1:8080", origin)
		}
	}
	return nil
}
