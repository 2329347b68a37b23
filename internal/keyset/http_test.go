package keyset

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// newSite serves documents by path over HTTP on the loopback interface. In a
// document, {{host}} stands for its own origin.
func newSite(t *testing.T, contentType string, documents map[string]string) *httptest.Server {
	t.Helper()
	var site *httptest.Server
	site = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		document, found := documents[request.URL.Path]
		if !found {
			http.NotFound(w, request)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(strings.ReplaceAll(document, "{{host}}", site.URL)))
	}))
	t.Cleanup(site.Close)
	return site
}

func TestRemoteOverHTTP(t *testing.T) {
	site := newSite(t, "text/plain", map[string]string{"/keys": string(publish(t, "a"))})
	remote, err := NewRemote(t.Context(), RemoteConfig{URL: site.URL + "/keys"})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, remote, "a", 1)
	site.Close()
	if err := remote.Refresh(t.Context()); err == nil {
		t.Error("refreshed from a server that is gone")
	}
	expect(t, remote, "a", 1)
	expectUnavailable(t, remote, "new")
}

func TestRemoteDiscovers(t *testing.T) {
	// R8414-2: an issuer with a terminating slash, which its document repeats.
	site := newSite(t, "application/json", map[string]string{
		"/.well-known/oauth-authorization-server/t": `{"issuer":"{{host}}/t/","jwks_uri":"{{host}}/keys"}`,
		"/keys": string(publish(t, "a")),
	})
	remote, err := NewRemote(t.Context(), RemoteConfig{Issuer: site.URL + "/t/"})
	if err != nil {
		t.Fatal(err)
	}
	expect(t, remote, "a", 1)
	for issuer, reason := range map[string]string{site.URL + "/t": "another issuer", site.URL: "status 404"} {
		other, err := NewRemote(t.Context(), RemoteConfig{Issuer: issuer})
		if err != nil {
			t.Fatal(err)
		}
		if err := other.Refresh(t.Context()); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v", issuer, err)
		}
	}
}

// TestTokenFile has a key set that wants a token, which changes.
func TestTokenFile(t *testing.T) {
	document := publish(t, "a")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "Bearer second" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write(document)
	}))
	t.Cleanup(server.Close)
	path := filepath.Join(t.TempDir(), "token")
	remote, err := NewRemote(t.Context(), RemoteConfig{URL: server.URL, TokenFile: path})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ content, fail string }{{"", "no such file"}, {"first\n", "status 401"}, {"sec\nond", "invalid header"}, {"second\n", ""}} {
		if test.content != "" {
			if err := os.WriteFile(path, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		err := remote.Refresh(t.Context())
		if (err == nil) != (test.fail == "") || err != nil && (!strings.Contains(err.Error(), test.fail) || strings.Contains(err.Error(), "sec\n")) {
			t.Errorf("%q: got %v, want %q", test.content, err, test.fail)
		}
	}
}
