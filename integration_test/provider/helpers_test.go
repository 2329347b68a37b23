package provider

import (
	"slices"
	"strconv"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// What clients are told.
const (
	bare    = `Bearer realm="api"`
	invalid = `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
)

// configure is a Caddyfile with schemes and a site on :8080.
func configure(schemes, site string) string {
	return "{\nauth {\nrealm api\n" + schemes + "}\n}\nhttp://localhost:8080 {\n" + site + "\n}\n"
}

// scheme declares a bearer scheme.
func scheme(name, lines string) string {
	return "bearer " + name + " {\naudience " + harness.Audience + "\n" + lines + "\n}\n"
}

// guarded has one gate with one scheme.
func guarded(lines string) string {
	return configure(scheme("corp", lines), "require_auth corp\nrespond \"hello {http.auth.user.id}\"")
}

// discovered has one gate, whose keys are found by the issuer's metadata.
func discovered(p *provider) string { return guarded("issuer " + p.issuer()) }

// want checks the status, the code and the challenges of an answer.
func want(t *testing.T, r *harness.Response, status int, code string, challenges ...string) {
	t.Helper()
	if r.Status != status {
		t.Errorf("status %d, want %d\n%s", r.Status, status, r.Body)
	}
	if !slices.Equal(r.Challenges(), challenges) {
		t.Errorf("challenges\n got %q\nwant %q", r.Challenges(), challenges)
	}
	if code != "" && r.Status == status {
		if got := r.Problem().Code; got != code {
			t.Errorf("code %q, want %q", got, code)
		}
	}
}

// unavailable checks everything that AVAIL-1 asks for.
func unavailable(t *testing.T, r *harness.Response) {
	t.Helper()
	want(t, r, 503, "temporarily_unavailable")
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err != nil || seconds < 1 || seconds > 120 {
		t.Errorf("Retry-After %q", r.Header.Get("Retry-After"))
	}
	if got := r.Header.Values("Cache-Control"); !slices.Equal(got, []string{"no-store"}) {
		t.Errorf("Cache-Control %q", got)
	}
}

// passes waits until a token lets in.
func passes(t *testing.T, s *harness.Server, token harness.Option) {
	t.Helper()
	harness.Eventually(t, "the token lets in", func() bool { return s.Get("/", token).Status == 200 })
}

// subject tells tokens apart, so that none is one that was remembered.
func subject(name string) harness.Claims { return harness.Claims{"sub": name} }
