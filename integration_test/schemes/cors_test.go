package schemes

import (
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func corsServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config(mixedLines(t), `
	@all path /all*
	@web not path /all*
	auth_cors @web `+web+` https://*.apps.example {
		credentials
		expose X-Request-Id
	}
	auth_cors @all *
	require_auth later ops partners corp {
		scope read
	}
	respond hello`))
}

// denials are requests that are denied each in a way of its own.
func denials(t *testing.T) map[string]struct {
	status  int
	options []harness.Option
} {
	t.Helper()
	return map[string]struct {
		status  int
		options []harness.Option
	}{
		"400":             {400, []harness.Option{key("key-of-a"), encoded("alice:secret")}},
		"401":             {401, nil},
		"401 of a token":  {401, []harness.Option{harness.Bearer("x")}},
		"403 of a token":  {403, []harness.Option{harness.Bearer(harness.Token(t))}},
		"403 of a key":    {403, []harness.Option{key("key-of-a")}},
		"503 of a scheme": {503, []harness.Option{harness.Header("X-Busy", "x")}},
	}
}

func TestDenialsAndCORS(t *testing.T) {
	s := corsServer(t)
	for name, test := range denials(t) {
		t.Run("CORS-5: a "+name+" can be read by an allowed origin", func(t *testing.T) {
			for _, from := range []string{web, "https://one.apps.example"} {
				response := s.Get("/", append(test.options, origin(from))...)
				if response.Status != test.status {
					t.Fatalf("status %d\n%s", response.Status, response.Body)
				}
				if got := response.Header["Access-Control-Allow-Origin"]; !slices.Equal(got, []string{from}) {
					t.Errorf("Access-Control-Allow-Origin: %q", got)
				}
				if got := response.Header["Access-Control-Allow-Credentials"]; !slices.Equal(got, []string{"true"}) {
					t.Errorf("Access-Control-Allow-Credentials: %q", got)
				}
			}
		})
		t.Run("CORS-6: a "+name+" exposes what a script needs", func(t *testing.T) {
			response := s.Get("/", append(test.options, origin(web))...)
			exposed := members(response.Header["Access-Control-Expose-Headers"])
			for _, needed := range []string{"www-authenticate", "retry-after", "dpop-nonce", "x-trace-id", "x-request-id"} {
				if !slices.Contains(exposed, needed) {
					t.Errorf("%s is not among %q", needed, exposed)
				}
			}
			if response.Header.Get("X-Trace-Id") == "" || response.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("header %v", response.Header)
			}
		})
		t.Run("CORS-8: a "+name+" varies by origin, whoever asks", func(t *testing.T) {
			for _, from := range []string{web, "https://evil.example", "null", ""} {
				response := s.Get("/", append(test.options, origin(from))...)
				if got := members(response.Header["Vary"]); !slices.Contains(got, "origin") {
					t.Errorf("from %q: Vary %q", from, got)
				}
			}
			if got := members(s.Get("/", test.options...).Header["Vary"]); !slices.Contains(got, "origin") {
				t.Errorf("without Origin: Vary %q", got)
			}
		})
		t.Run("CORS-8: a "+name+" cannot be read by another origin", func(t *testing.T) {
			for _, from := range []string{"https://evil.example", "null", "http://web.example", web + ".evil.example", "https://a.b.apps.example", "https://apps.example"} {
				response := s.Get("/", append(test.options, origin(from))...)
				if got := response.Header["Access-Control-Allow-Origin"]; response.Status != test.status || got != nil {
					t.Errorf("from %q: status %d, Access-Control-Allow-Origin %q", from, response.Status, got)
				}
			}
		})
		t.Run("CORS-8: a "+name+" for all does not vary", func(t *testing.T) {
			response := s.Get("/all", append(test.options, origin("https://evil.example"))...)
			if got := response.Header["Access-Control-Allow-Origin"]; response.Status != test.status || !slices.Equal(got, []string{"*"}) {
				t.Errorf("status %d, Access-Control-Allow-Origin %q", response.Status, got)
			}
			if got := response.Header["Access-Control-Allow-Credentials"]; got != nil {
				t.Errorf("Access-Control-Allow-Credentials: %q", got)
			}
			if got := members(response.Header["Vary"]); slices.Contains(got, "origin") {
				t.Errorf("Vary %q", got)
			}
		})
	}
	t.Run("CORS-7: with credentials nothing is allowed by *", func(t *testing.T) {
		for _, response := range []*harness.Response{preflight(s, s.URL("/")), s.Get("/", origin(web))} {
			for name, values := range response.Header {
				if strings.HasPrefix(name, "Access-Control-") && slices.Contains(values, "*") {
					t.Errorf("%s: %q", name, values)
				}
			}
		}
	})
	t.Run("CORS-6: a 503 says when to ask again", func(t *testing.T) {
		if got := s.Get("/", origin(web), harness.Header("X-Busy", "x")).Header["Retry-After"]; !slices.Equal(got, []string{"2"}) {
			t.Errorf("Retry-After %q", got)
		}
	})
	t.Run("CORS-5: a success says the same as a denial", func(t *testing.T) {
		admitted := s.Get("/", origin(web), harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"})))
		denied := s.Get("/", origin(web))
		wantOK(t, admitted)
		for _, name := range []string{"Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Access-Control-Expose-Headers"} {
			if got, want := denied.Header[name], admitted.Header[name]; len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("%s: %q, but %q on success", name, got, want)
			}
		}
	})
}

func TestVaryOfTwo(t *testing.T) {
	s := harness.Start(t, config(mixedLines(t), "auth_cors "+web+"\nrequire_auth partners\nrespond hello"))
	t.Run("KEY-4: Vary of a success names the origin and the key", func(t *testing.T) {
		got := members(s.Get("/", origin(web), key("key-of-a")).Header["Vary"])
		if !slices.Equal(got, []string{"origin", "x-api-key"}) {
			t.Errorf("Vary %q", got)
		}
	})
}
