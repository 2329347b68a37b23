package requireauth

import (
	"net/http"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/steps"
)

// keepToHTTPRequest removes from a request the wish to go on in another kind of HTTP on
// the same connection: after the answer 101 a client could ask an upstream for
// anything, and no gate would see it. That goes for `h2c`, which servers may
// ignore anyway (RFC 9113 §3.1), and for `HTTP/…` and `TLS/…`. WebSockets and
// other protocols are what the one request is about, and go on.
func keepToHTTPRequest(h http.Header) {
	fields, asked := h["Upgrade"]
	if !asked {
		return
	}
	h.Del("HTTP2-Settings")
	var kept []string
	for _, field := range fields {
		steps.Add(len(field))
		for protocol := range strings.SplitSeq(field, ",") {
			if protocol = strings.TrimSpace(protocol); protocol != "" && !carriesHTTP(protocol) {
				kept = append(kept, protocol)
			}
		}
	}
	if len(kept) == 0 {
		h.Del("Upgrade")
		return
	}
	h["Upgrade"] = []string{strings.Join(kept, ", ")}
}

// carriesHTTP reports whether requests can follow in a protocol, as it is named
// in Upgrade (RFC 9110 §7.8).
func carriesHTTP(protocol string) bool {
	name, _, _ := strings.Cut(strings.ToLower(protocol), "/")
	switch name {
	case "h2c", "h2", "h3", "http", "https", "tls":
		return true
	default:
		return false
	}
}
