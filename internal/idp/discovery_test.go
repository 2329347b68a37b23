package idp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestWellKnownLocations(t *testing.T) {
	const host = "https://id.example"
	inserted := []string{
		host + "/.well-known/oauth-authorization-server/t",
		host + "/.well-known/openid-configuration/t",
		host + "/t/.well-known/openid-configuration",
	}
	atRoot := []string{
		host + "/.well-known/oauth-authorization-server",
		host + "/.well-known/openid-configuration",
	}
	for issuer, want := range map[string][]string{
		host: atRoot, host + "/": atRoot, host + "/t": inserted, host + "/t/": inserted,
		host + "/a%2Fb": {
			host + "/.well-known/oauth-authorization-server/a%2Fb",
			host + "/.well-known/openid-configuration/a%2Fb",
			host + "/a%2Fb/.well-known/openid-configuration",
		},
	} {
		t.Run("R8414-2, R8414-3: "+issuer, func(t *testing.T) {
			address, err := url.Parse(issuer)
			if err != nil {
				t.Fatal(err)
			}
			if got := wellKnownLocations(address); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// site serves documents by path over HTTP on the loopback interface, and notes
// what was asked for. In a document, {{host}} stands for its own origin.
type site struct {
	*httptest.Server
	mutex    sync.Mutex
	requests []string
}

func newSite(t *testing.T, contentType string, documents map[string]string) *site {
	t.Helper()
	s := new(site)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		s.requests = append(s.requests, request.URL.Path)
		s.mutex.Unlock()
		document, found := documents[request.URL.Path]
		if !found {
			http.NotFound(w, request)
			return
		}
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write([]byte(strings.ReplaceAll(document, "{{host}}", s.URL)))
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) paths() []string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return slices.Clone(s.requests)
}

const (
	oauthPath  = "/.well-known/oauth-authorization-server/t"
	openIDPath = "/.well-known/openid-configuration/t"
	appended   = "/t/.well-known/openid-configuration"
)

func TestDiscover(t *testing.T) {
	const good = `{"issuer":"{{host}}/t","jwks_uri":"{{host}}/keys?v=1","introspection_endpoint":"{{host}}/i"}`
	tests := []struct {
		name, contentType string
		documents         map[string]string
		requests          int
		fail              string
	}{
		{"R8414-3: first place", "application/json", map[string]string{oauthPath: good, openIDPath: `{}`}, 1, ""},
		{"R8414-3: second place", "application/json; charset=utf-8", map[string]string{openIDPath: good}, 2, ""},
		{"R8414-3: third place", "application/vnd.id+json", map[string]string{appended: good}, 3, ""},
		{"R8414-4: the document of another issuer is passed over", "application/json",
			map[string]string{oauthPath: `{"issuer":"{{host}}/other","jwks_uri":"{{host}}/evil"}`, appended: good}, 3, ""},
		{"R8414-4: a slash more", "application/json", map[string]string{oauthPath: `{"issuer":"{{host}}/t/"}`}, 3, "another issuer"},
		{"R8414-4: another case", "application/json", map[string]string{oauthPath: `{"issuer":"{{host}}/T"}`}, 3, "another issuer"},
		{"R8414-4: percent encoding", "application/json", map[string]string{oauthPath: `{"issuer":"{{host}}/%74"}`}, 3, "another issuer"},
		{"R8414-4: another member name", "application/json", map[string]string{oauthPath: `{"Issuer":"{{host}}/t"}`}, 3, "another issuer"},
		{"R8414-4: no issuer", "application/json", map[string]string{oauthPath: `{}`}, 3, "another issuer"},
		{"R8414-1: content type", "text/html", map[string]string{oauthPath: good}, 3, "content type"},
		{"not found", "application/json", nil, 3, "status 404"},
		{"garbage", "application/json", map[string]string{oauthPath: `[]`}, 3, "not a JSON object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			site := newSite(t, test.contentType, test.documents)
			metadata, err := Discover(t.Context(), site.Client(), site.URL+"/t")
			if requested := site.paths(); len(requested) != test.requests {
				t.Errorf("asked at %q", requested)
			}
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) || metadata != nil {
					t.Errorf("got %+v and error %v, want %q", metadata, err, test.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for member, want := range map[string]string{"jwks_uri": site.URL + "/keys?v=1", "introspection_endpoint": site.URL + "/i"} {
				if got, err := metadata.Endpoint(member); got != want || err != nil {
					t.Errorf("%s: got %q and error %v", member, got, err)
				}
			}
		})
	}
}

// TestEndpoint has members of which one cannot be used, which concerns only its user.
func TestEndpoint(t *testing.T) {
	for name, test := range map[string]struct{ issuer, member, fail string }{
		"R8414-1: without https":                         {"http://127.0.0.1", `"http://id.example/i"`, "https://"},
		"R8414-1: an issuer on https has no URL of http": {"https://id.example", `"http://127.0.0.1:2019/"`, "as the issuer does"},
		"R8414-1: nor to a host that may be asked so":    {"https://id.example", `"http://keycloak:2019/"`, "as the issuer does"},
		"an issuer on http may":                          {"http://keycloak", `"http://KEYCLOAK:8080/i"`, ""},
		"no string":                                      {"https://id.example", `7`, "not a string"},
		"null":                                           {"https://id.example", `null`, "have no introspection_endpoint"},
		"empty":                                          {"https://id.example", `""`, "have no introspection_endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			body := fmt.Sprintf(`{"issuer":%q,"jwks_uri":"https://id.example/keys","introspection_endpoint":%s}`, test.issuer, test.member)
			members, err := readMetadata(&Document{mediaType: "application/json", Body: []byte(body)}, test.issuer)
			if err != nil {
				t.Fatal(err)
			}
			metadata := &Metadata{test.issuer, members, []string{"keycloak"}}
			if _, err := metadata.Endpoint("jwks_uri"); err != nil {
				t.Errorf("the keys: %v", err)
			}
			_, err = metadata.Endpoint("introspection_endpoint")
			if test.fail == "" && err != nil || test.fail != "" && (err == nil || !strings.Contains(err.Error(), test.fail)) {
				t.Errorf("got %v, want %q", err, test.fail)
			}
		})
	}
}

// TestDiscoverTenants has the metadata of an issuer with many tenants.
func TestDiscoverTenants(t *testing.T) {
	for named, want := range map[string]bool{"{tenantid}": true, "common": false, "11111111": false} {
		t.Run("R8414-4: the issuer of "+named, func(t *testing.T) {
			site := newSite(t, "application/json", map[string]string{
				"/common/v2.0/.well-known/openid-configuration": `{"issuer":"{{host}}/` + named + `/v2.0","jwks_uri":"{{host}}/common/keys"}`,
			})
			metadata, err := Discover(t.Context(), site.Client(), site.URL+"/{tenantid}/v2.0")
			if (err == nil) != want {
				t.Fatalf("got %+v and error %v", metadata, err)
			}
		})
	}
}

// TestDiscoverLocationsThatHang has places that never answer, and one that is slow.
func TestDiscoverLocationsThatHang(t *testing.T) {
	for name, test := range map[string]struct {
		hang     []string
		good     string
		complete bool // whether the places that hang answer in the end
	}{
		"R8414-3: the first place hangs":       {[]string{oauthPath}, openIDPath, false},
		"R8414-3: the first two places hang":   {[]string{oauthPath, openIDPath}, appended, false},
		"R8414-3: the last place is slow":      {[]string{appended}, appended, true},
		"R8414-3: every place hangs":           {[]string{oauthPath, openIDPath, appended}, "", false},
		"R8414-3: one hangs, and no other has": {[]string{openIDPath}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests, release := make(chan string, 3), make(chan struct{})
			var host string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests <- r.URL.Path
				if slices.Contains(test.hang, r.URL.Path) {
					select {
					case <-release:
					case <-r.Context().Done():
						return
					}
				}
				if r.URL.Path != test.good {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(`{"issuer":"` + host + `/t","jwks_uri":"` + host + `/keys"}`))
			}))
			defer server.Close()
			host = server.URL
			limit := time.Minute
			if test.good == "" {
				limit = 200 * time.Millisecond
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if test.complete {
				go func() {
					for range 3 {
						<-requests
					}
					close(release)
				}()
			}
			metadata, err := Discover(ctx, server.Client(), host+"/t")
			if (err == nil) != (test.good != "") {
				t.Fatalf("got %+v and error %v", metadata, err)
			}
			if err != nil {
				return
			}
			if keys, err := metadata.Endpoint("jwks_uri"); err != nil || keys != host+"/keys" {
				t.Errorf("got %q and error %v", keys, err)
			}
		})
	}
}

// FuzzMetadata has a document either refused or read as other readers would read it.
// All its URLs use https.
func FuzzMetadata(f *testing.F) {
	const issuer = "https://id.example"
	for _, seed := range []string{
		`{"issuer":"https://id.example","jwks_uri":"https://id.example/keys","introspection_endpoint":"https://id.example/introspect"}`,
		`{"issuer":"https://id.example","jwks_uri":null,"introspection_endpoint":""}`,
		`{"issuer":"https://id.example/"}`, `{"Issuer":"https://id.example"}`, `{"issuer":"https://id.example","issuer":"https://evil.example"}`,
		`{"issuer":"https:\/\/id.example","jwks_uri":"http://127.0.0.1/keys"}`, `{"issuer":"https://id.example","jwks_uri":"file:///etc/passwd"}`,
		`{"issuer":"https://id.example","jwks_uri":"https://user:pass@id.example/keys"}`, `{"issuer":"https://id.example","jwks_uri":["https://id.example"]}`,
		`{"issuer":"https://id.example","jwks_uri":"HTTPS://id.example:0443/a b"}`, `[]`, `null`, `{`, "{\"issuer\":\"https://id.example\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		members, err := readMetadata(&Document{Body: body, mediaType: "application/json"}, issuer)
		if err != nil {
			return
		}
		metadata := Metadata{issuer: issuer, members: members}
		var plain map[string]any
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"jwks_uri", "introspection_endpoint"} {
			got, err := metadata.Endpoint(name)
			if err != nil {
				continue
			}
			if value, _ := plain[name].(string); value != got {
				t.Fatalf("%s is %q and was read as %q", name, value, got)
			}
			if address, err := url.Parse(got); err != nil || address.Scheme != "https" || address.Host == "" || address.User != nil {
				t.Fatalf("%s: %q was taken", name, got)
			}
		}
		if plain["issuer"] != issuer {
			t.Fatalf("the issuer is %q", plain["issuer"])
		}
	})
}

func TestDiscoverTransmitter(t *testing.T) {
	const good = `{"issuer":"{{host}}/t","jwks_uri":"{{host}}/keys"}`
	for name, location := range map[string]string{
		"at the inserted place (SSF 1.0 §7.2.1)": "/.well-known/ssf-configuration/t",
		"at the appended place of Keycloak":      "/t/.well-known/ssf-configuration",
		"at the place of RISC before SSF":        "/.well-known/risc-configuration/t",
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, "application/json", map[string]string{location: good, oauthPath: `{"issuer":"{{host}}/t","jwks_uri":"{{host}}/others"}`})
			metadata, err := DiscoverTransmitter(t.Context(), site.Client(), site.URL+"/t")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := metadata.Endpoint("jwks_uri"); got != site.URL+"/keys" || err != nil {
				t.Errorf("got %q and error %v", got, err)
			}
		})
	}
}
