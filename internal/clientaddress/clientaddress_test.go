package clientaddress

import (
	"net/netip"
	"strings"
	"testing"
)

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"64:ff9b::192.0.2.1":      "192.0.2.1",
		"64:ff9b:0:0:1::1":        "64:ff9b::/64",
		"2002:c000:201::1":        "192.0.2.1",
		"2002:c000:201:ffff::2":   "192.0.2.1",
		"2003:c000:201::1":        "2003:c000:201::/64",
		"2001:db8:1:2::1":         "2001:db8:1:2::/64",
		"2001:DB8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:3::1":         "2001:db8:1:3::/64",
		"fe80::1%eth0":            "fe80::/64",
		"::1":                     "::/64",
		"":                        "",
		"@":                       "",
		"192.0.2.1:443":           "",
		"192.0.2.1, 192.0.2.2":    "",
		"localhost":               "",
		"192.0.2.1%eth0":          "",
		strings.Repeat("1", 4000): "",
	} {
		t.Run("LEAK-6: "+address[:min(len(address), 40)], func(t *testing.T) {
			if got := Network(address); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// FuzzNetwork holds every address to one client: the one that all addresses of
// its network have.
func FuzzNetwork(f *testing.F) {
	for _, seed := range []string{"192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::1", "2002:c000:201::1", "2001:db8::1", "fe80::1%eth0", "@", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		client := Network(address)
		parsed, err := netip.ParseAddr(address)
		if (client == "") != (err != nil) {
			t.Fatalf("%q is the client %q", address, client)
		}
		if err != nil {
			return
		}
		if Network(parsed.String()) != client || Network(parsed.StringExpanded()) != client {
			t.Fatalf("%q has several clients", address)
		}
		if prefix, err := netip.ParsePrefix(client); err == nil {
			// Not the first address of the network: that of 64:ff9b::/64 is the translator's.
			other := prefix.Addr().As16()
			other[8] = 1
			if prefix.Bits() != 64 || Network(netip.AddrFrom16(other).String()) != client || !prefix.Contains(parsed.WithZone("")) {
				t.Fatalf("%q is the client %q", address, client)
			}
		} else if single, err := netip.ParseAddr(client); err != nil || !single.Is4() {
			t.Fatalf("%q is the client %q", address, client)
		}
	})
}
