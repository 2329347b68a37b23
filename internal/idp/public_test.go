package idp

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestCheckPublic(t *testing.T) {
	for _, address := range []string{
		"127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
		"192.0.0.8", "192.0.2.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "255.255.255.255", "240.0.0.1",
		"::1", "::", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::",
		"2001::1", "2001:db8::1", "fc00::1", "fd12::1", "fe80::1", "fe80::1%eth0", "ff02::1", "fec0::1",
	} {
		if err := checkPublic(netip.MustParseAddr(address)); err == nil {
			t.Errorf("%s passes", address)
		}
	}
	for _, address := range []string{"1.1.1.1", "93.184.215.14", "::ffff:8.8.8.8", "2606:4700::1111", "2a00:1450::1"} {
		if err := checkPublic(netip.MustParseAddr(address)); err != nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}

func TestPublicClient(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/moved" {
			http.Redirect(w, r, "/there", http.StatusFound)
		}
	}))
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	trusting := func() *tls.Config { return &tls.Config{RootCAs: roots} }
	t.Run("a loopback address is refused however it is written", func(t *testing.T) {
		client := newPublicClient(checkPublic, trusting())
		_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
		for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]"} {
			_, err := client.Get("https://" + host + ":" + port + "/")
			if err == nil || !strings.Contains(err.Error(), "is not a public address") {
				t.Errorf("%s: %v", host, err)
			}
		}
	})
	t.Run("a redirect is not followed", func(t *testing.T) {
		client := newPublicClient(func(netip.Addr) error { return nil }, trusting())
		if response, err := client.Get(server.URL + "/"); err != nil || response.StatusCode != http.StatusOK {
			t.Errorf("without one: %v", err)
		}
		if _, err := client.Get(server.URL + "/moved"); err == nil || !strings.Contains(err.Error(), "redirects are not followed") {
			t.Error(err)
		}
	})
}
