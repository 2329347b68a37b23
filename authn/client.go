package authn

import (
	"net/netip"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// These hold IPv4 addresses in IPv6.
var (
	// nat64 is that of translators (RFC 6052 §2.1): its one /64 is the whole of
	// the Internet as a translator shows it.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// sixToFour gives 65,536 networks to whoever has one IPv4 address (RFC 3056
	// §2).
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// ClientOf returns who stands behind an address, as far as a limit is
// concerned: an IPv4 address, or the /64 that is given to one IPv6 network
// (RFC 6177). It is empty for what is no address, such as that of a Unix
// socket.
func ClientOf(address string) string {
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

// Client returns who stands behind the address of a request, as Caddy knows it:
// see [ClientOf] and Caddy's trusted_proxies.
func (r *Request) Client() string {
	address, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	return ClientOf(address)
}
