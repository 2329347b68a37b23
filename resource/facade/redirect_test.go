package facade

import (
	"slices"
	"strings"
	"testing"
)

// badURIs are redirect URIs that no client may use.
var badURIs = map[string]string{
	"empty":                     "",
	"another host":              "https://evil.example/cb",
	"http":                      "http://app.example/cb",
	"user info":                 "http://127.0.0.1@evil.example/cb",
	"user info on loopback":     "http://user@127.0.0.1/cb",
	"user and password":         "http://127.0.0.1:80@evil.example/",
	"a fragment":                "http://127.0.0.1/cb#x",
	"an empty fragment":         "http://127.0.0.1/cb#",
	"a trailing dot":            "http://localhost./cb",
	"a trailing dot of an IP":   "http://127.0.0.1./cb",
	"an encoded slash":          "http://127.0.0.1/a%2fb",
	"an encoded backslash":      "http://127.0.0.1/a%5cb",
	"an encoded host":           "http://127.0.0.1%2eevil.example/",
	"a backslash":               `http://127.0.0.1\@evil.example/`,
	"a backslash in the path":   `http://127.0.0.1/\evil`,
	"a wildcard port":           "http://127.0.0.1:*/cb",
	"a wildcard host":           "https://*.example/cb",
	"a wildcard path":           "http://127.0.0.1/*",
	"a dot segment":             "http://127.0.0.1/a/../b",
	"a dot segment at the end":  "http://127.0.0.1/..",
	"port 0":                    "http://127.0.0.1:0/cb",
	"a port over 65535":         "http://127.0.0.1:65536/cb",
	"a port of no number":       "http://127.0.0.1:a/cb",
	"a colon without a port":    "http://127.0.0.1:/cb",
	"another loopback address":  "http://127.0.0.2/cb",
	"a short loopback address":  "http://127.1/cb",
	"a number as an address":    "http://2130706433/cb",
	"octal":                     "http://0177.0.0.1/cb",
	"a longer loopback address": "http://[0:0:0:0:0:0:0:1]/cb",
	"mapped":                    "http://[::ffff:127.0.0.1]/cb",
	"a zone":                    "http://[::1%25lo]/cb",
	"https on loopback":         "https://127.0.0.1/cb",
	"https on localhost":        "https://localhost/cb",
	"capitals of the scheme":    "HTTP://127.0.0.1/cb",
	"capitals of the host":      "http://LOCALHOST/cb",
	"a subdomain of localhost":  "http://a.localhost/cb",
	"localhost as a prefix":     "http://localhost.evil.example/cb",
	"javascript":                "javascript:alert(1)",
	"data":                      "data:text/html,x",
	"an app":                    "evil://callback",
	"no scheme":                 "127.0.0.1/cb",
	"no host":                   "http:///cb",
	"one slash":                 "http:/127.0.0.1/cb",
	"a space before":            " http://127.0.0.1/cb",
	"a line break":              "http://127.0.0.1/cb\r\nX: y",
	"a NUL":                     "http://127.0.0.1/\x00",
	"letters beyond ASCII":      "http://127.0.0.1/é",
	"a code":                    "http://127.0.0.1/cb?code=x",
	"a state":                   "http://127.0.0.1/cb?a=b&state=x",
	"an issuer":                 "http://127.0.0.1/cb?%69ss=x",
	"a listed one and more":     "https://app.example/cb/",
	"a listed one with a query": "https://app.example/cb?a=b",
	"a listed one with a port":  "https://app.example:443/cb",
	"a listed one in capitals":  "https://APP.example/cb",
	"too long":                  "http://127.0.0.1/" + strings.Repeat("a", maxURI),
}

func TestRedirectURIs(t *testing.T) {
	f := &Facade{RedirectURIs: []string{"https://app.example/cb", "cursor://anysphere.cursor-mcp/oauth/callback"}}
	for name, uri := range badURIs {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			if f.checkRedirect(uri) == nil {
				t.Errorf("%q passes", uri)
			}
			document := &clientDocument{ClientID: "https://client.example/c.json", RedirectURIs: []string{uri}}
			if f.checkDocumented(uri, document) == nil {
				t.Errorf("%q passes with a document", uri)
			}
		})
	}
	for name, uri := range map[string]string{
		"loopback IPv4":      "http://127.0.0.1:1/cb",
		"loopback IPv6":      "http://[::1]:65535/cb",
		"localhost":          "http://localhost:33418/callback",
		"no port":            "http://127.0.0.1/",
		"no path":            "http://127.0.0.1:8080",
		"a query":            "http://127.0.0.1:8080/cb?a=b%2Fc",
		"listed":             "https://app.example/cb",
		"an app in the list": "cursor://anysphere.cursor-mcp/oauth/callback",
	} {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			if err := f.checkRedirect(uri); err != nil {
				t.Errorf("%q: %v", uri, err)
			}
		})
	}
}

func TestDocumentedRedirectURIs(t *testing.T) {
	f := &Facade{RedirectURIs: []string{"https://app.example/cb"}}
	document := &clientDocument{ClientID: "https://client.example/oauth/c.json", RedirectURIs: []string{
		"http://127.0.0.1/cb", "http://localhost:1234/x", "https://client.example/cb", "https://app.example/cb", "https://evil.example/cb", "evil://cb",
	}}
	for uri, want := range map[string]bool{
		"http://127.0.0.1/cb": true, "http://127.0.0.1:4711/cb": true, "http://localhost:99/x": true,
		"http://[::1]/cb": false, "http://127.0.0.1/other": false, "http://localhost/cb": false,
		"https://client.example/cb": true, "https://client.example/other": false, "https://client.example:444/cb": false,
		"https://app.example/cb": true, "https://evil.example/cb": false, "evil://cb": false,
	} {
		t.Run("FACADE-9: "+uri, func(t *testing.T) {
			if err := f.checkDocumented(uri, document); (err == nil) != want {
				t.Errorf("%v, want %t", err, want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	good := func() *Facade { return &Facade{Provider: "entra", ClientID: "id"} }
	if err := good().Check("https://mcp.example/mcp"); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Facade){
		"no provider":             func(f *Facade) { f.Provider = "" },
		"no client":               func(f *Facade) { f.ClientID = "" },
		"a URL as the client":     func(f *Facade) { f.ClientID = "https://a.example/b" },
		"a short secret":          func(f *Facade) { f.StateSecret = "short" },
		"an invalid scope":        func(f *Facade) { f.Scopes = []string{"a b"} },
		"PKCE dropped":            func(f *Facade) { f.Drop = []string{"code_challenge"} },
		"loopback in the list":    func(f *Facade) { f.RedirectURIs = []string{"http://127.0.0.1/cb"} },
		"plaintext in the list":   func(f *Facade) { f.RedirectURIs = []string{"http://app.example/cb"} },
		"a wildcard in the list":  func(f *Facade) { f.RedirectURIs = []string{"https://app.example/*"} },
		"a script in the list":    func(f *Facade) { f.RedirectURIs = []string{"javascript://x"} },
		"user info in the list":   func(f *Facade) { f.RedirectURIs = []string{"https://u@app.example/"} },
		"a number as a host":      func(f *Facade) { f.RedirectURIs = []string{"https://10.0.0.1/"} },
		"a placeholder in a list": func(f *Facade) { f.RedirectURIs = []string{"{env.URI}"} },
	} {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			f := good()
			change(f)
			if f.Check("https://mcp.example/mcp") == nil {
				t.Error("it passes")
			}
		})
	}
	if good().Check("https://mcp.example/mcp?a=b") == nil {
		t.Error("an issuer with a query passes")
	}
	if slices.Contains(essential, "resource") || slices.Contains(essential, "scope") {
		t.Error("resource and scope can be dropped")
	}
}
