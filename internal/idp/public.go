package idp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// NewPublicClient returns a client for URLs that a stranger chooses. It connects to
// public addresses only, follows no redirect and uses no proxy, which would resolve
// the name itself. An exchange may take 5 seconds.
func NewPublicClient() *http.Client { return newPublicClient(checkPublic, new(tls.Config)) }

func newPublicClient(check func(netip.Addr) error, config *tls.Config) *http.Client {
	transport := newTransport(config)
	transport.Proxy = nil
	transport.DisableKeepAlives = true
	// The check sees the address that is dialed, after the name was resolved.
	dialer := &net.Dialer{Timeout: 3 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		dialed, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return check(dialed.Addr())
	}}
	transport.DialContext = whileOnline(func(ctx context.Context, network, address string) (net.Conn, error) {
		return dialer.DialContext(ctx, network, address)
	})
	return &http.Client{
		Timeout: 5 * time.Second, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("redirects are not followed") },
	}
}

// reserved are special networks (RFC 6890) beyond those that [netip.Addr] knows, and
// networks that hold IPv4 addresses in IPv6.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// checkPublic refuses addresses that are not on the public Internet.
func checkPublic(address netip.Addr) error {
	address = address.Unmap().WithZone("")
	refused := !address.IsGlobalUnicast() || address.IsPrivate()
	for _, network := range reserved {
		refused = refused || network.Contains(address)
	}
	if refused {
		return fmt.Errorf("%s is not a public address", address)
	}
	return nil
}
