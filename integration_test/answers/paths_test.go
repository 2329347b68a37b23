package answers

import (
	"net/url"
	"path"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestPaths asks which spellings of a path are guarded, and what the upstream
// sees of those that are not.
func TestPaths(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, bearerSite("require_auth /admin/*\nreverse_proxy "+b.addr))
	guarded := []string{
		"/admin/", "/admin/x", "//admin/x", "///admin//x", "/admin//", "/./admin/x", "/x/../admin/x", "/x/%2e%2e/admin/x", "/%2e/admin/x",
		"/x/..%2fadmin/x", "/admin%2fx", "/admin%2Fx", "%2fadmin/x", "/%61dmin/x", "/%41dmin/x", "/ADMIN/x", "/aDmIn/X", "/admin/..%2fadmin/x",
		"/admin/x/../y", "/admin/;x", "/admin/%00", "/admin/x;y", "/admin/?a=b",
	}
	open := []string{
		"/", "/admin", "/admins/x", "/public", "/admin/../public", "/admin/%2e%2e/public", "/admin%2f..%2fpublic", "/xadmin/x", "/admin%252fx",
		"/admin;x/y", "/admin%5cx", "/?/admin/x", "/public/..", "/x/admin/y",
	}
	for _, spelling := range guarded {
		t.Run("GW-4: guarded: "+strings.ReplaceAll(spelling, "/", "∕"), func(t *testing.T) {
			before := b.count()
			if !strings.HasPrefix(spelling, "/") {
				spelling = "/" + spelling
			}
			want(t, s.Get(spelling), 401, "missing_credentials", bare)
			if b.count() != before {
				t.Error("it was forwarded")
			}
			want(t, s.Get(spelling, harness.Bearer(harness.Token(t))), 200, "")
			if got := b.last(t).RequestURI; got != spelling {
				t.Errorf("the upstream was asked for %s", got)
			}
		})
	}
	for _, spelling := range open {
		t.Run("GW-4: open, and no guarded path to the upstream: "+strings.ReplaceAll(spelling, "/", "∕"), func(t *testing.T) {
			want(t, s.Get(spelling), 200, "")
			target := b.last(t).RequestURI
			raw, _, _ := strings.Cut(target, "?")
			plain, err := url.PathUnescape(raw)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(strings.ToLower(path.Clean(plain)), "/admin/") {
				t.Errorf("the upstream was asked for %s", target)
			}
		})
	}
}

// TestRewrites has requests that were changed before they met the gate.
func TestRewrites(t *testing.T) {
	s := harness.Start(t, bearerSite(`
		handle_path /api/* {
			require_auth /me
			respond "{http.request.method} {http.request.uri.path}"
		}
		@old path /old
		method @old PUT
		rewrite @old /new?x=y
		require_auth /new
		respond "{http.request.method} {http.request.uri.path}"
	`))
	t.Run("GW-3: the gate matches what the upstream will see", func(t *testing.T) {
		want(t, s.Get("/api/me"), 401, "missing_credentials", bare)
		wantPassed(t, s.Get("/api/me", harness.Bearer(harness.Token(t))), "GET /me")
		want(t, s.Get("/old"), 401, "missing_credentials", bare)
		wantPassed(t, s.Get("/old", harness.Bearer(harness.Token(t))), "PUT /new")
	})
	t.Run("GW-3: the log has the request as the client sent it", func(t *testing.T) {
		s.Get("/api/me?a=b")
		if record := decisionsByPath(t, s); record["uri"] != "/api/me" || record["method"] != "GET" {
			t.Errorf("%v %v", record["method"], record["uri"])
		}
		s.Get("/old?a=b")
		if record := decisionsByPath(t, s); record["uri"] != "/old" || record["method"] != "GET" {
			t.Errorf("%v %v", record["method"], record["uri"])
		}
	})
}

// decisionsByPath returns the record of the last decision.
func decisionsByPath(t *testing.T, s *harness.Server) map[string]any {
	t.Helper()
	records := s.Decisions()
	if len(records) == 0 {
		t.Fatal("no decision was recorded")
	}
	return records[len(records)-1]
}
