package schemes

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// members splits a list field into its members, in lower case and sorted.
func members(fields []string) []string {
	var all []string
	for _, field := range fields {
		for member := range strings.SplitSeq(field, ",") {
			if member = strings.ToLower(strings.TrimSpace(member)); member != "" {
				all = append(all, member)
			}
		}
	}
	slices.Sort(all)
	return all
}

func cacheServer(t *testing.T) *harness.Server {
	t.Helper()
	address := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		for name, field := range map[string]string{"cc": "Cache-Control", "vary": "Vary"} {
			if values := r.URL.Query()[name]; len(values) > 0 {
				w.Header()[field] = values
			}
		}
		switch r.URL.Path {
		case "/hints":
			w.WriteHeader(http.StatusEarlyHints)
		case "/missing":
			w.WriteHeader(http.StatusNotFound)
		case "/stream":
			_ = http.NewResponseController(w).Flush() // the client would see it
		case "/challenged":
			w.Header()["Www-Authenticate"] = []string{`Custom realm="x"`, "Bearer"}
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, "data") // the client would see it
	})
	return harness.Start(t, config(`
		api_key partners {
			from header X-API-Key
			from header X-Other-Key
			from query  api_key
			from cookie key
			from authorization Token
			from authorization Bearer
			key partner-a `+digest("key-of-a")+`
		}
		basic ops {
			user alice `+hash(t, "secret")+`
		}
		bearer corp {`+harness.BearerLines+`}`, `
	require_auth partners ops corp {
		optional
	}
	reverse_proxy `+address))
}

func TestSharedCaches(t *testing.T) {
	s := cacheServer(t)
	for name, test := range map[string]struct{ directive, want string }{
		"nothing becomes private":                     {"", "private"},
		"public becomes private":                      {"?cc=public,max-age=60", "max-age=60,private"},
		"public in capitals becomes private":          {"?cc=PUBLIC", "private"},
		"s-maxage becomes private":                    {"?cc=s-maxage=600,must-revalidate", "must-revalidate,private"},
		"two fields become one that is private":       {"?cc=public&cc=max-age=5", "max-age=5,private"},
		"no-store stays":                              {"?cc=no-store", "no-store"},
		"private stays":                               {"?cc=private,max-age=5", "max-age=5,private"},
		"no-cache alone is not enough":                {"?cc=no-cache", "no-cache,private"},
		"private for single fields is not enough":     {"?cc=private=%22set-cookie%22", "private"},
		"what only looks like a directive is not one": {"?cc=x-private,no-storey", "no-storey,private,x-private"},
	} {
		for credential, option := range map[string]harness.Option{
			"a key": key("key-of-a"), "Basic": encoded("alice:secret"),
			"a key after Token": harness.Header("Authorization", "Token key-of-a"), "a key after Bearer": harness.Bearer("key-of-a"),
		} {
			t.Run("KEY-4: with "+credential+" "+name, func(t *testing.T) {
				response := s.Get("/"+test.directive, option)
				wantOK(t, response)
				if got := strings.Join(members(response.Header["Cache-Control"]), ","); got != test.want {
					t.Errorf("Cache-Control %s, want %s", got, test.want)
				}
			})
		}
	}
	for name, test := range map[string]struct {
		path   string
		option harness.Option
		want   string
	}{
		"the first field":                         {"/", key("key-of-a"), "x-api-key"},
		"another field":                           {"/", harness.Header("X-Other-Key", "key-of-a"), "x-other-key"},
		"the cookies":                             {"/", cookie("key=key-of-a"), "cookie"},
		"Authorization for Basic":                 {"/", encoded("alice:secret"), "authorization"},
		"Authorization for a key":                 {"/", harness.Bearer("key-of-a"), "authorization"},
		"the field beside others":                 {"/?vary=Accept&vary=Origin", key("key-of-a"), "accept,origin,x-api-key"},
		"the field that is there already":         {"/?vary=x-api-KEY,Accept", key("key-of-a"), "accept,x-api-key"},
		"nothing more than *":                     {"/?vary=*", key("key-of-a"), "*"},
		"nothing for a key in the query":          {"/?api_key=key-of-a", key(""), ""},
		"nothing for a token":                     {"/", harness.Bearer(harness.Token(t)), ""},
		"nothing for nobody":                      {"/", key(""), ""},
		"the field on a 404 of the other":         {"/missing", key("key-of-a"), "x-api-key"},
		"the field on a stream":                   {"/stream", key("key-of-a"), "x-api-key"},
		"the field after an informational answer": {"/hints", key("key-of-a"), "x-api-key"},
	} {
		t.Run("KEY-4: Vary names "+name, func(t *testing.T) {
			response := s.Get(test.path, test.option)
			if got := strings.Join(members(response.Header["Vary"]), ","); got != test.want {
				t.Errorf("status %d, Vary %q, want %q", response.Status, got, test.want)
			}
		})
	}
	t.Run("KEY-4: a comma between quotes separates nothing", func(t *testing.T) {
		for _, directive := range []string{`private="set-cookie, x-seen"`, `no-cache="set-cookie, x-seen"`, `community="a, public, b"`} {
			response := s.Get("/?cc="+url.QueryEscape(directive), key("key-of-a"))
			wantOK(t, response)
			got := strings.Join(response.Header["Cache-Control"], ", ")
			rest := regexp.MustCompile(`"[^"]*"`).ReplaceAllString(got, "")
			if strings.Contains(rest, `"`) || !slices.Contains(members([]string{rest}), "private") {
				t.Errorf("%s became %s", directive, got)
			}
			if strings.HasPrefix(directive, "community") && !strings.Contains(got, directive) {
				t.Errorf("%s became %s", directive, got)
			}
		}
	})
	t.Run("KEY-4: an answer to a key in the query is private too", func(t *testing.T) {
		if got := s.Get("/?api_key=key-of-a&cc=public").Header["Cache-Control"]; !slices.Equal(got, []string{"private"}) {
			t.Errorf("Cache-Control %q", got)
		}
	})
	t.Run("KEY-4: every kind of answer is private, also without a body", func(t *testing.T) {
		for _, path := range []string{"/missing", "/stream", "/hints", "/challenged"} {
			for _, method := range []string{"GET", "HEAD", "POST"} {
				if got := s.Do(method, s.URL(path), key("key-of-a")).Header["Cache-Control"]; !slices.Equal(got, []string{"private"}) {
					t.Errorf("%s %s: Cache-Control %q", method, path, got)
				}
			}
		}
	})
	t.Run("KEY-4: what RFC 9111 protects itself, and what is for everybody, stays as it is", func(t *testing.T) {
		for _, option := range []harness.Option{harness.Bearer(harness.Token(t)), key("")} {
			if got := s.Get("/?cc=public,+max-age=60", option).Header["Cache-Control"]; !slices.Equal(got, []string{"public, max-age=60"}) {
				t.Errorf("Cache-Control %q", got)
			}
		}
	})
	t.Run("R9110-14: the challenges of the upstream pass untouched", func(t *testing.T) {
		want(t, s.Get("/challenged", key("key-of-a")), 401, "", `Custom realm="x"`, "Bearer")
	})
}
