// Package origin checks and compares web origins, as browsers write them in the field
// Origin.
package origin

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Matches compares byte by byte, as the Fetch standard does: patterns are written as
// browsers serialize origins. A `*` is one label.
func Matches(pattern, origin string) bool {
	before, after, wildcard := strings.Cut(pattern, "*")
	if !wildcard {
		return origin == pattern
	}
	rest, begins := strings.CutPrefix(origin, before)
	label, ends := strings.CutSuffix(rest, after)
	return begins && ends && isLabel(label)
}

// defaultPorts are the ports that browsers omit from an origin.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// Check refuses an origin that no browser sends, or that allows more than it seems to.
// A `*` may be the leftmost label.
func Check(text string) error {
	switch {
	case text == "null":
		return errors.New(`"null" is the origin of every sandboxed frame on the web: write the origin of your own pages, such as https://web.example`)
	case strings.ContainsAny(text, "{}"):
		return fmt.Errorf("invalid origin %q: placeholders are not replaced here: write the origin itself, or {$NAME} in a Caddyfile for a variable of the environment", text)
	}
	parsed, err := url.Parse(text)
	if err != nil || parsed.Scheme == "" || parsed.Hostname() == "" {
		return fmt.Errorf("invalid origin %q: write scheme://host or scheme://host:port, such as https://web.example", text)
	}
	host, err := canonicalHost(parsed.Hostname())
	if err != nil {
		return fmt.Errorf("the origin %q %w", text, err)
	}
	canonical := parsed.Scheme + "://" + host
	if port := parsed.Port(); port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fmt.Errorf("the origin %q has no valid port: write one up to 65535", text)
		}
		if port = strconv.FormatUint(number, 10); port != defaultPorts[parsed.Scheme] {
			canonical += ":" + port
		}
	}
	if text != canonical {
		return fmt.Errorf("no browser sends %q as an origin: write %s", text, canonical)
	}
	return nil
}

// canonicalHost returns a host name as browsers write it in an origin.
func canonicalHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		address, err := netip.ParseAddr(host)
		if err != nil || address.Zone() != "" {
			return "", errors.New("has no valid IPv6 address: write one such as [::1]")
		}
		return "[" + address.String() + "]", nil
	}
	host = strings.ToLower(host)
	domain := host
	if below, wildcard := strings.CutPrefix(host, "*."); wildcard {
		// Anyone can register a name directly below a top-level domain.
		if domain = below; !strings.Contains(domain, ".") && domain != "localhost" {
			return "", errors.New("allows a whole top-level domain: write the domain that is yours, such as https://*.example.com")
		}
	}
	if strings.Contains(domain, "*") {
		return "", errors.New("has a * that is not the whole leftmost label: write for example https://*.example.com")
	}
	for label := range strings.SplitSeq(domain, ".") {
		if !isLabel(label) {
			return "", errors.New("has no valid host name: write letters, digits and hyphens, and other scripts in their xn-- form")
		}
	}
	return host, nil
}

// isLabel reports whether s is a valid label of a host name.
func isLabel(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return s != ""
}
