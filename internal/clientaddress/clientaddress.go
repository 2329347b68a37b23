// Package clientaddress is the address of a client, as Caddy knows it, and the
// network that limits apply to.
package clientaddress

import (
	"net/http"
	"net/netip"

	"github.com/excorp/caddy-require-auth/internal/caddyrequest"
)

// These prefixes hold IPv4 addresses in IPv6.
var (
	// nat64 is the prefix of translators (RFC 6052 §2.1). Its one /64 holds all IPv4
	// addresses.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// sixToFour gives 65,536 networks to the owner of one IPv4 address (RFC 3056 §2).
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// Network returns the client of an address for a limit: an IPv4 address, or the /64
// of one IPv6 network (RFC 6177). It is empty for an invalid address, such as that
// of a Unix socket.
func Network(address string) string {
	if address == SubRequests {
		return address
	}
	parsed, err := netip.ParseAddr(address)
	if err != nil {
		return ""
	}
	parsed = parsed.WithZone("").Unmap()
	switch bytes := parsed.As16(); {
	case nat64.Contains(parsed):
		parsed = netip.AddrFrom4([4]byte(bytes[12:]))
	case sixToFour.Contains(parsed):
		parsed = netip.AddrFrom4([4]byte(bytes[2:6]))
	}
	if parsed.Is4() {
		return parsed.String()
	}
	return netip.PrefixFrom(parsed, 64).Masked().String()
}

// SubRequests is the client of all sub-requests together.
const SubRequests = "sub-requests"

// isSubRequest reports whether the server made a request itself, as httpInclude of
// Caddy's templates does. Such a request shows the address of this machine, and the
// header fields of its visitor. If Caddy trusts this machine as a proxy, a visitor
// could choose an address in X-Forwarded-For.
func isSubRequest(r *http.Request) bool {
	return r.Context().Value(http.LocalAddrContextKey) == nil
}

// Of returns the address of the client of a request as Caddy knows it, see Caddy's
// trusted_proxies. It is empty if the address is unknown, and [SubRequests] for a
// sub-request.
func Of(r *http.Request) string {
	address := caddyrequest.ClientIP(r)
	if address != "" && isSubRequest(r) {
		return SubRequests
	}
	return address
}

// NetworkOf returns the client of a request for a limit, see [Network] and [Of].
func NetworkOf(r *http.Request) string { return Network(Of(r)) }

// OriginOf returns the origin by which the client called the site. It believes a proxy
// that Caddy trusts.
func OriginOf(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if caddyrequest.FromTrustedProxy(r) && !isSubRequest(r) {
		if forwarded := r.Header.Get("X-Forwarded-Proto"); forwarded == "http" || forwarded == "https" {
			scheme = forwarded
		}
		if forwarded := r.Header.Get("X-Forwarded-Host"); forwarded != "" {
			host = forwarded
		}
	}
	return scheme + "://" + host
}
