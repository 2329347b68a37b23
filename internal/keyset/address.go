package keyset

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// CheckURL accepts what keys may be fetched from: https, or http if the host is
// this machine (localhost, 127.0.0.0/8, ::1). User information is refused,
// because it would end up in logs, and so is a fragment, which is never sent.
// The error does not repeat the URL.
func CheckURL(raw string) error {
	_, err := parseAddress(raw)
	return err
}

// CheckIssuer accepts an issuer identifier: as CheckURL, and without a query
// (RFC 8414 §2).
func CheckIssuer(raw string) error {
	if err := CheckURL(raw); err != nil {
		return err
	}
	if strings.Contains(raw, "?") {
		return errors.New("an issuer has no query (RFC 8414 §2)")
	}
	return nil
}

func parseAddress(raw string) (*url.URL, error) {
	address, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("not a URL: %w", plain(err))
	case address.Scheme != "https" && address.Scheme != "http":
		return nil, errors.New("the URL must begin with https://")
	case address.Hostname() == "":
		return nil, errors.New("the URL has no host")
	case address.User != nil:
		return nil, errors.New("the URL must not contain a user name or password")
	case strings.Contains(raw, "#"):
		return nil, errors.New("the URL must not have a fragment")
	case address.Scheme == "http" && !isLoopback(address.Hostname()):
		return nil, errors.New("the URL must begin with https://, since http:// is for this machine only")
	}
	return address, nil
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

// loggable drops the query, where some providers want a key of their own.
func loggable(raw string) string {
	address, _, _ := strings.Cut(raw, "?")
	return address
}
