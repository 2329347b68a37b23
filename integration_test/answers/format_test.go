package answers

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestFormats asks for bodies by Accept and by error_format.
func TestFormats(t *testing.T) {
	s := harness.Start(t, bearerSite(`
		require_auth /me {
			login_url https://login.example.com/?a=1&b=2
		}
		require_auth /admin {
			scope admin other
			login_url /login
		}
		require_auth /problem {
			error_format problem
		}
		require_auth /json {
			error_format json
		}
		require_auth /html {
			error_format html
		}
		require_auth /text {
			error_format text
		}
		require_auth /auto {
			error_format auto
		}
		respond ok
	`))
	const asProblem, asJSON, html, text = "application/problem+json", "application/json", "text/html; charset=utf-8", "text/plain; charset=utf-8"
	browser := "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
	for accept, media := range map[string]string{
		"":                                  asProblem,
		"*/*":                               asProblem,
		"application/*":                     asProblem,
		"text/*":                            html,
		"application/problem+json":          asProblem,
		"application/json":                  asJSON,
		"APPLICATION/JSON":                  asJSON,
		"text/html":                         html,
		"text/plain":                        text,
		browser:                             html,
		"application/json, text/plain, */*": asJSON, // axios
		"text/plain, application/json, */*": text,
		"application/json, application/problem+json":              asJSON,
		"application/problem+json, application/json":              asProblem,
		"application/json;q=0.5, text/html;q=0.9":                 html,
		"application/json;q=0.9, text/html;q=0.5":                 asJSON,
		"text/html;q=0.1, text/plain;Q=0.2":                       text,
		"application/json;q=0, */*":                               asProblem,
		"application/problem+json;q=0, */*":                       asJSON,
		"application/problem+json;q=0, application/json;q=0, */*": html,
		"text/html;q=0":   asProblem,
		"*/*;q=0":         asProblem,
		"image/png":       asProblem,
		"application/xml": asProblem,
		"nonsense":        asProblem,
		",;q=,,/;=":       asProblem,
		"text/html;q=abc": asProblem,
		"text/html;q=NaN, text/plain;q=2, application/json;q=0.1": asJSON,
		"text/html;level=1;q=0.3, application/json;q=0.2":         html,
		"text/plain, */*;q=0.1":                                   text,
		strings.Repeat("a/b,", 2000) + "text/html":                asProblem,
	} {
		t.Run(fmt.Sprintf("R9457-4: %.60s", strings.ReplaceAll(accept, "/", "∕")), func(t *testing.T) {
			options := with(harness.Header("Accept", accept))
			if accept == "" {
				options = nil
			}
			r := s.Get("/me", options...)
			want(t, r, 401, "", bare)
			field(t, r, "Content-Type", media)
			field(t, s.Get("/auto", options...), "Content-Type", media)
		})
	}
	t.Run("R9457-4: several Accept lines are one list", func(t *testing.T) {
		field(t, s.Get("/me", harness.Header("Accept", "image/png"), harness.Header("Accept", "text/plain")), "Content-Type", text)
	})
	for path, media := range map[string]string{"/problem": asProblem, "/json": asJSON, "/html": html, "/text": text} {
		t.Run("R9457-4: error_format "+path[1:]+" is not negotiated", func(t *testing.T) {
			for _, accept := range []string{"application/json", "text/html", "text/plain", "image/png"} {
				field(t, s.Get(path, harness.Header("Accept", accept)), "Content-Type", media)
			}
		})
	}
	t.Run("R9457-1 R9457-2: members, status and title of the problem document", func(t *testing.T) {
		want(t, s.Get("/me"), 401, "missing_credentials", bare)
		r := s.Get("/admin", tokenWithScope(t, "other"))
		p := problem(t, r)
		expected := fmt.Sprintf(`{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not enough permissions",`+
			`"code":"insufficient_scope","required_scopes":["admin","other"],"trace_id":%q}`+"\n", p.TraceID)
		if r.Body != expected {
			t.Errorf("body %s", r.Body)
		}
	})
	t.Run("R9457-1: application json has the same members", func(t *testing.T) {
		trace := harness.Header("X-Trace-Id", "same")
		if a, b := s.Get("/me", trace), s.Get("/me", trace, harness.Header("Accept", "application/json")); a.Body != b.Body {
			t.Errorf("%s and %s", a.Body, b.Body)
		}
	})
	t.Run("R9457-3: the text says what is required and the trace id", func(t *testing.T) {
		r := s.Get("/admin", tokenWithScope(t, "x"), harness.Header("Accept", "text/plain"))
		expected := "403 Forbidden: Not enough permissions; required scopes: admin other (trace id " + r.Header.Get("X-Trace-Id") + ")\n"
		if r.Body != expected {
			t.Errorf("body %q", r.Body)
		}
	})
	page := harness.Header("Accept", browser)
	t.Run("R9457-4: the page has no script and nothing from elsewhere", func(t *testing.T) {
		r := s.Get("/admin", tokenWithScope(t, "x"), page)
		want(t, r, 403, "", `Bearer realm="api", error="insufficient_scope", scope="admin other", error_description="The access token lacks a required scope"`)
		if regexp.MustCompile(`(?i)<script|<link|<img|<iframe|javascript:|@import|url\(|\bon[a-z]+=|src=|https?:`).MatchString(r.Body) {
			t.Errorf("body %s", r.Body)
		}
		for _, part := range []string{"<!DOCTYPE html>", "<title>403 Forbidden</title>", "<code>admin</code>, <code>other</code>", r.Header.Get("X-Trace-Id")} {
			if !strings.Contains(r.Body, part) {
				t.Errorf("there is no %s in %s", part, r.Body)
			}
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") {
			t.Errorf("Content-Security-Policy %q", policy)
		}
	})
	t.Run("R9457-4: the login link stands on the 401 page alone", func(t *testing.T) {
		if body := s.Get("/me", page).Body; !strings.Contains(body, `href="https://login.example.com/?a=1&amp;b=2"`) {
			t.Errorf("no link in %s", body)
		}
		if body := s.Get("/admin", tokenWithScope(t, "x"), page).Body; strings.Contains(body, "href=") {
			t.Errorf("a link in %s", body)
		}
	})
	for _, path := range []string{"/problem", "/json", "/html", "/text"} {
		t.Run("R9110-12: HEAD has the fields of GET and no body, "+path[1:], func(t *testing.T) {
			trace := harness.Header("X-Trace-Id", "same")
			head, get := s.Do("HEAD", s.URL(path), trace), s.Get(path, trace)
			head.Header.Del("Date")
			get.Header.Del("Date")
			if head.Status != get.Status || head.Body != "" || get.Body == "" || fmt.Sprint(head.Header) != fmt.Sprint(get.Header) {
				t.Errorf("HEAD\n%v\nGET\n%v", head.Header, get.Header)
			}
		})
	}
}
