package keyset

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestWellKnownPlaces(t *testing.T) {
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
			if got := wellKnownPlaces(address); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// site serves documents by path over HTTP on the loopback interface, and notes
// what was asked for. In a document, {{host}} stands for its own origin.
type site struct {
	*httptest.Server
	mutex sync.Mutex
	asked []string
}

func newSite(t *testing.T, contentType string, documents map[string]string) *site {
	t.Helper()
	s := new(site)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		s.mutex.Lock()
		s.asked = append(s.asked, request.URL.Path)
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
	return slices.Clone(s.asked)
}

const (
	oauthPlace  = "/.well-known/oauth-authorization-server/t"
	openIDPlace = "/.well-known/openid-configuration/t"
	appended    = "/t/.well-known/openid-configuration"
)

func TestDiscover(t *testing.T) {
	const good = `{"issuer":"{{host}}/t","jwks_uri":"{{host}}/keys?v=1","introspection_endpoint":"{{host}}/i"}`
	tests := []struct {
		name, contentType string
		documents         map[string]string
		asked             int
		fail              string
	}{
		{"R8414-3: first place", "application/json", map[string]string{oauthPlace: good, openIDPlace: `{}`}, 1, ""},
		{"R8414-3: second place", "application/json; charset=utf-8", map[string]string{openIDPlace: good}, 2, ""},
		{"R8414-3: third place", "application/vnd.id+json", map[string]string{appended: good}, 3, ""},
		{"R8414-4: the document of another issuer is passed over", "application/json",
			map[string]string{oauthPlace: `{"issuer":"{{host}}/other","jwks_uri":"{{host}}/evil"}`, appended: good}, 3, ""},
		{"R8414-4: a slash more", "application/json", map[string]string{oauthPlace: `{"issuer":"{{host}}/t/"}`}, 3, "another issuer"},
		{"R8414-4: another case", "application/json", map[string]string{oauthPlace: `{"issuer":"{{host}}/T"}`}, 3, "another issuer"},
		{"R8414-4: percent encoding", "application/json", map[string]string{oauthPlace: `{"issuer":"{{host}}/%74"}`}, 3, "another issuer"},
		{"R8414-4: another member name", "application/json", map[string]string{oauthPlace: `{"Issuer":"{{host}}/t"}`}, 3, "another issuer"},
		{"R8414-4: no issuer", "application/json", map[string]string{oauthPlace: `{}`}, 3, "another issuer"},
		{"R8414-1: content type", "text/html", map[string]string{oauthPlace: good}, 3, "content type"},
		{"R8414-1: jwks_uri without https", "application/json",
			map[string]string{oauthPlace: `{"issuer":"{{host}}/t","jwks_uri":"http://id.example/keys"}`}, 3, "jwks_uri"},
		{"not found", "application/json", nil, 3, "status 404"},
		{"garbage", "application/json", map[string]string{oauthPlace: `[]`}, 3, "not a JSON object"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			site := newSite(t, test.contentType, test.documents)
			metadata, err := Discover(t.Context(), site.Client(), site.URL+"/t")
			if asked := site.paths(); len(asked) != test.asked {
				t.Errorf("asked at %q", asked)
			}
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) || metadata != (Metadata{}) {
					t.Errorf("got %+v and error %v, want %q", metadata, err, test.fail)
				}
				return
			}
			want := Metadata{Issuer: site.URL + "/t", JWKSURI: site.URL + "/keys?v=1", IntrospectionEndpoint: site.URL + "/i"}
			if err != nil || metadata != want {
				t.Errorf("got %+v and error %v", metadata, err)
			}
		})
	}
	t.Run("R8414-1: introspection without https concerns only who uses it", func(t *testing.T) {
		site := newSite(t, "application/json", map[string]string{
			oauthPlace: `{"issuer":"{{host}}/t","jwks_uri":"{{host}}/keys","introspection_endpoint":"http://id.example/i"}`,
		})
		metadata, err := Discover(t.Context(), site.Client(), site.URL+"/t")
		if err != nil || metadata.JWKSURI != site.URL+"/keys" || metadata.IntrospectionEndpoint != "" {
			t.Errorf("got %+v and error %v", metadata, err)
		}
		if problem := metadata.IntrospectionError; problem == nil || !strings.Contains(problem.Error(), "introspection_endpoint") {
			t.Errorf("the endpoint is refused with %v", problem)
		}
	})
	t.Run("R8414-1: an issuer on https does not send us to http here", func(t *testing.T) {
		found := &answer{mediaType: "application/json", body: []byte(`{"issuer":"https://id.example","jwks_uri":"http://127.0.0.1:2019/"}`)}
		if metadata, err := readMetadata(found, "https://id.example"); err == nil {
			t.Errorf("got %+v", metadata)
		}
	})
}

// TestDiscoverPlacesThatHang has places that never answer, and one that is slow.
func TestDiscoverPlacesThatHang(t *testing.T) {
	for name, test := range map[string]struct {
		hang     []string
		good     string
		complete bool // whether the places that hang answer in the end
	}{
		"R8414-3: the first place hangs":       {[]string{oauthPlace}, openIDPlace, false},
		"R8414-3: the first two places hang":   {[]string{oauthPlace, openIDPlace}, appended, false},
		"R8414-3: the last place is slow":      {[]string{appended}, appended, true},
		"R8414-3: every place hangs":           {[]string{oauthPlace, openIDPlace, appended}, "", false},
		"R8414-3: one hangs, and no other has": {[]string{openIDPlace}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			asked, release := make(chan string, 3), make(chan struct{})
			var host string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.URL.Path
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
						<-asked
					}
					close(release)
				}()
			}
			metadata, err := Discover(ctx, server.Client(), host+"/t")
			if (err == nil) != (test.good != "") || err == nil && metadata.JWKSURI != host+"/keys" {
				t.Errorf("got %+v and error %v", metadata, err)
			}
		})
	}
}

func TestRemoteDiscovers(t *testing.T) {
	// R8414-2: an issuer with a terminating slash, which its document repeats.
	site := newSite(t, "application/json", map[string]string{
		oauthPlace: `{"issuer":"{{host}}/t/","jwks_uri":"{{host}}/keys"}`,
		"/keys":    string(publish(t, "a")),
	})
	remote, err := NewRemote(t.Context(), RemoteConfig{Issuer: site.URL + "/t/", FirstWait: time.Minute})
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

// FuzzMetadata has a document either refused or read as anybody else would read
// it, and never has anything asked for but by https.
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
		metadata, err := readMetadata(&answer{body: body, mediaType: "application/json"}, issuer)
		if err != nil {
			return
		}
		var plain map[string]any
		if err := json.Unmarshal(body, &plain); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]string{"issuer": metadata.Issuer, "jwks_uri": metadata.JWKSURI, "introspection_endpoint": metadata.IntrospectionEndpoint} {
			if said, _ := plain[name].(string); said != got {
				t.Fatalf("%s is %q and was read as %q", name, said, got)
			}
			if address, err := url.Parse(got); got != "" && (err != nil || address.Scheme != "https" || address.Host == "" || address.User != nil) {
				t.Fatalf("%s: %q was taken", name, got)
			}
		}
		if metadata.Issuer != issuer {
			t.Fatalf("the issuer is %q", metadata.Issuer)
		}
	})
}
