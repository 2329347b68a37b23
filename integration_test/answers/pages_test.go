package answers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const summary = "{err.status_code}|{http.auth.error}|{http.auth.error_description}|{http.auth.required_scopes}|{http.auth.trace_id}"

const gatesOfPages = `
	require_auth /me corp
	require_auth /admin corp {
		scope admin write
	}
	require_auth /basic ops
`

// TestErrorPages has a site with pages of its own.
func TestErrorPages(t *testing.T) {
	s := harness.Start(t, configure("", schemes, gatesOfPages+`
		handle_errors {
			header X-Page own
			respond "`+summary+`"
		}
		error /other 418
		respond "hello {http.auth.user.id}"
	`))
	trace := harness.Header("X-Trace-Id", "trace-1")
	for _, row := range []struct {
		name, path string
		options    []harness.Option
		status     int
		body       string
		challenges []string
	}{
		{"401", "/me", nil, 401, "401|missing_credentials|Not authenticated||trace-1", []string{bare}},
		{"401 for a bad token", "/me", with(harness.Bearer("x")), 401, "401|invalid_token|The access token is invalid||trace-1", []string{invalid}},
		{"401 of Basic", "/basic", nil, 401, "401|missing_credentials|Not authenticated||trace-1", []string{basic}},
		{"403", "/admin", with(tokenWithScope(t, "read")), 403, "403|insufficient_scope|Not enough permissions|admin write|trace-1",
			[]string{strings.Replace(noScope, `"admin"`, `"admin write"`, 1)}},
		{"400", "/me", with(harness.Bearer("x"), harness.Bearer("y")), 400,
			"400|invalid_request|The request is ambiguous or malformed||trace-1", []string{twice}},
	} {
		t.Run("GW-2 R9110-1: a page of the site keeps status and fields, "+row.name, func(t *testing.T) {
			r := s.Get(row.path, append(row.options, trace)...)
			want(t, r, row.status, "", row.challenges...)
			if r.Body != row.body {
				t.Errorf("body %q, want %q", r.Body, row.body)
			}
			field(t, r, "X-Page", "own")
			field(t, r, "Cache-Control", "no-store")
			field(t, r, "X-Content-Type-Options", "nosniff")
			field(t, r, "X-Trace-Id", "trace-1")
			field(t, r, "Content-Type", "text/plain; charset=utf-8")
		})
	}
	t.Run("GW-2: other errors and successes are as they were", func(t *testing.T) {
		r := s.Get("/other")
		want(t, r, 418, "")
		field(t, r, "X-Trace-Id")
		wantPassed(t, s.Get("/me", harness.Bearer(harness.Token(t))), "hello alice")
	})
	t.Run("GW-2: HEAD of a page", func(t *testing.T) {
		r := s.Do("HEAD", s.URL("/me"))
		want(t, r, 401, "", bare)
		field(t, r, "X-Page", "own")
	})
}

// TestPartialPages has error routes that do not match a denial.
func TestPartialPages(t *testing.T) {
	s := harness.Start(t, configure("", schemes, gatesOfPages+"handle_errors 404 {\nrespond \"page of 404\"\n}\nhandle_errors 403 {\nrespond \"page of 403\"\n}\nerror /none 404\nrespond ok"))
	t.Run("GW-2: without a page for its status a denial has the body of the gate", func(t *testing.T) {
		want(t, s.Get("/me"), 401, "missing_credentials", bare)
		if got := s.Get("/none"); got.Status != 404 || got.Body != "page of 404" {
			t.Errorf("%d %q", got.Status, got.Body)
		}
		if got := s.Get("/admin", tokenWithScope(t, "x")); got.Status != 403 || got.Body != "page of 403" {
			t.Errorf("%d %q", got.Status, got.Body)
		}
	})
	t.Run("GW-2: a redirect to a login page is a page", func(t *testing.T) {
		s := harness.Start(t, configure("", schemes, gatesOfPages+"handle_errors 401 {\nredir * /login 303\n}\nrespond ok"))
		r := s.Get("/me")
		if r.Status != 303 || r.Header.Get("Location") != "/login" {
			t.Errorf("%d %v", r.Status, r.Header)
		}
	})
	t.Run("GW-2: a page that fails leaves a denial", func(t *testing.T) {
		s := harness.Start(t, configure("", schemes, gatesOfPages+"handle_errors {\nerror 500\n}\nrespond ok"))
		want(t, s.Get("/me"), 401, "missing_credentials", bare)
	})
}

// TestTwoSites has two sites on one listener, one of them with pages.
func TestTwoSites(t *testing.T) {
	s := harness.Start(t, fmt.Sprintf("{\nauth {\n%s\n}\n}\nhttp://a.localhost:8080 {\n%s\nhandle_errors {\nrespond \"page of a\"\n}\nrespond ok\n}\nhttp://b.localhost:8080 {\n%s\nrespond ok\n}\n", schemes, gatesOfPages, gatesOfPages))
	a, b := harness.Host("a.localhost"), harness.Host("b.localhost")
	t.Run("GW-2: each site on a listener has its own answer", func(t *testing.T) {
		r := s.Get("/me", a)
		want(t, r, 401, "", bare)
		if r.Body != "page of a" {
			t.Errorf("body %q", r.Body)
		}
		want(t, s.Get("/me", b), 401, "missing_credentials", bare)
		want(t, s.Get("/admin", b, tokenWithScope(t, "x")), 403, "insufficient_scope", strings.Replace(noScope, `"admin"`, `"admin write"`, 1))
	})
}

// TestGateInPages has a gate among the error routes, which denies again.
func TestGateInPages(t *testing.T) {
	t.Run("GW-2 O-2: a gate in front of an error page does not go round in circles", func(t *testing.T) {
		s := harness.Start(t, configure("", "probe probe", "require_auth /me\nhandle_errors {\nrequire_auth\nrespond \"page\"\n}\nerror 404"))
		finds.Store(0)
		defer finds.Store(0)
		for _, path := range []string{"/me", "/open"} {
			r := s.Get(path)
			if r.Status != 401 || len(r.Challenges()) != 1 {
				t.Errorf("%s: %d %q", path, r.Status, r.Challenges())
			}
		}
		if lookups := finds.Load(); lookups > 10 {
			t.Errorf("the scheme was asked %d times", lookups)
		}
	})
}
