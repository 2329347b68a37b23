package idp

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/internal/block"
)

// errPlaintext refuses http to a host that must be reached by TLS.
var errPlaintext = errors.New("the URL must begin with https://, since http:// is for this machine only")

// CheckURL accepts https, or http if the host is this machine
// (localhost, 127.0.0.0/8, ::1) or one of httpHosts. User information is refused,
// because it would end up in logs, and so is a fragment, which is never sent. The
// error does not repeat the URL.
func CheckURL(raw string, httpHosts ...string) error {
	address, err := url.Parse(raw)
	switch {
	case err != nil:
		return fmt.Errorf("not a URL: %w", Plain(err))
	case address.Scheme != "https" && address.Scheme != "http":
		return errors.New("the URL must begin with https://")
	case address.Hostname() == "":
		return errors.New("the URL has no host")
	case address.User != nil:
		return errors.New("the URL must not contain a user name or password")
	case strings.Contains(raw, "#"):
		return errors.New("the URL must not have a fragment")
	case address.Scheme == "http" && !isLoopback(address.Hostname()) && !containsHost(httpHosts, address.Hostname()):
		return errPlaintext
	}
	return nil
}

// CheckIssuer accepts an issuer identifier: as CheckURL, and without a query
// (RFC 8414 §2).
func CheckIssuer(raw string, httpHosts ...string) error {
	if err := CheckURL(raw, httpHosts...); err != nil {
		return err
	}
	if strings.Contains(raw, "?") {
		return errors.New("an issuer has no query (RFC 8414 §2)")
	}
	return nil
}

// CheckSource checks where something is: at a URL, or where the metadata of an issuer
// say.
func CheckSource(what, address, issuer string, httpHosts []string) error {
	switch {
	case address != "":
		return InLine(what, CheckURL(address, httpHosts...))
	case issuer != "":
		return InLine("issuer", CheckIssuer(issuer, httpHosts...))
	}
	return fmt.Errorf("%s needs a URL, or an issuer whose metadata have it", what)
}

// CheckLine is [CheckURL] for a line of a configuration. It skips an empty value, and one
// with a placeholder, which is checked once it is replaced.
func CheckLine(line, raw string, httpHosts []string) error {
	if raw == "" || block.HasPlaceholder(raw) {
		return nil
	}
	return InLine(line, CheckURL(raw, httpHosts...))
}

// InLine adds the name of a line to an error, and the line that allows a host without TLS.
func InLine(line string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errPlaintext):
		return fmt.Errorf("%s: %w; `allow_http <host>` allows other hosts", line, err)
	}
	return fmt.Errorf("%s: %w", line, err)
}

// CheckHTTPHosts checks the hosts of a line `allow_http`: each must be a host of one
// of the addresses, which may have placeholders.
func CheckHTTPHosts(hosts []string, addresses ...string) error {
	for _, host := range hosts {
		if !hostName.MatchString(host) {
			return fmt.Errorf("allow_http: %q is not a host: write its name without scheme, port and path", host)
		}
		if !slices.ContainsFunc(addresses, func(address string) bool { return usesHTTP(address, host) }) {
			return fmt.Errorf("allow_http: no http:// URL of this scheme has the host %s", host)
		}
	}
	return nil
}

// hostName is a name or an IP address, that of IPv6 without brackets.
var hostName = regexp.MustCompile(`^([A-Za-z0-9._-]+|[0-9A-Fa-f:.]+)$`)

// usesHTTP reports whether an address is, or may become, an http:// URL of the host.
func usesHTTP(address, host string) bool {
	if block.HasPlaceholder(address) {
		return true
	}
	parsed, err := url.Parse(address)
	return err == nil && parsed.Scheme == "http" && strings.EqualFold(parsed.Hostname(), host)
}

func containsHost(hosts []string, host string) bool {
	return slices.ContainsFunc(hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) })
}

// IsPlaintext reports whether a URL is reached without TLS and leaves this machine.
func IsPlaintext(raw string) bool {
	address, err := url.Parse(raw)
	return err == nil && address.Scheme == "http" && !isLoopback(address.Hostname())
}

// isLoopback does not ask the resolver: what a name resolves to may change.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// origin is what the same-origin rule compares (RFC 6454 §4).
func origin(address *url.URL) string {
	port := address.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[address.Scheme]
	}
	return address.Scheme + "://" + strings.ToLower(address.Hostname()) + ":" + port
}

// Loggable drops the query, where some providers want a key of their own.
func Loggable(raw string) string {
	address, _, _ := strings.Cut(raw, "?")
	return address
}
