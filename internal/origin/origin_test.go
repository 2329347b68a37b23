package origin

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzMatches checks accepted patterns. A matching origin is the pattern itself, or has
// one label below its domain, with the same scheme and port.
func FuzzMatches(f *testing.F) {
	for _, pattern := range []string{"https://web.example", "https://*.example.com", "http://*.localhost:8080", "https://*.example.com:8443", "https://[::1]:9000"} {
		for _, origin := range []string{
			"https://web.example", "https://a.example.com", "https://a.b.example.com", "https://example.com", "https://.example.com",
			"https://evil.test/.example.com", "https://evil.test#.example.com", "https://evil.test:443.example.com", "https://a@b.example.com",
			"https://A.example.com", "https://a.example.com.evil.test", "https://a.example.com:8443", "http://a.localhost:8080", "null", "", "*",
		} {
			f.Add(pattern, origin)
		}
	}
	f.Fuzz(func(t *testing.T, pattern, origin string) {
		if Check(pattern) != nil || !Matches(pattern, origin) {
			return
		}
		if origin == pattern && !strings.Contains(pattern, "*") {
			return
		}
		one, err := url.Parse(origin)
		if err != nil {
			t.Fatalf("%q matches %q: %v", pattern, origin, err)
		}
		other, err := url.Parse(strings.Replace(pattern, "*", "wildcard", 1))
		if err != nil {
			t.Fatalf("%q was accepted: %v", pattern, err)
		}
		label, domain, _ := strings.Cut(one.Hostname(), ".")
		_, below, _ := strings.Cut(other.Hostname(), ".")
		if label == "" || domain != below || one.Port() != other.Port() || one.Scheme != other.Scheme || origin != one.Scheme+"://"+one.Host {
			t.Fatalf("%q matches %q", pattern, origin)
		}
	})
}
