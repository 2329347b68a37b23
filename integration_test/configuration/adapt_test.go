package configuration

import (
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestAdapt has Caddyfiles and the JSON they become, which has to load too.
func TestAdapt(t *testing.T) {
	for _, c := range readCases(t, "adapt") {
		t.Run(c.name, func(t *testing.T) {
			c.compare(t, adapt(t, c.caddyfile))
			if !strings.HasPrefix(c.caddyfile, "# not loaded\n") {
				harness.Start(t, c.caddyfile)
			}
		})
	}
}

// TestExample has the example that new users run.
func TestExample(t *testing.T) {
	const golden = "testdata/example.json"
	example := harness.ReadFile(t, "../../Caddyfile.example")
	got := adapt(t, example) + "\n"
	if *update {
		write(t, golden, got)
	}
	if want := harness.ReadFile(t, golden); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	harness.Start(t, example).Get("/me").Want(401, "missing_credentials", `Bearer realm="api"`)
}

// hs256 signs a token by another secret than the harness has.
func hs256(t *testing.T, key string, claims harness.Claims) string {
	t.Helper()
	return harness.Sign(t, jwa.HS256, []byte(key), nil, claims)
}

// TestDocumentOfGate has gates that guard everything, in all the ways to say
// so: the document of their resource is read without a token.
func TestDocumentOfGate(t *testing.T) {
	const path = "/.well-known/oauth-protected-resource/mcp"
	for _, matcher := range []string{"", "*", "/*", "@all", "@not_public", "@expression"} {
		t.Run("matcher "+matcher, func(t *testing.T) {
			s := harness.Start(t, `{
	auto_https off
	auth {
		bearer corp {`+harness.BearerLines+`}
	}
}
http://localhost:8080 {
	@all path /*
	@not_public not path /public/*
	@expression `+"`true`"+`
	require_auth `+matcher+` {
		protected_resource https://api.example.com/mcp
	}
	respond ok
}`)
			if r := s.Get("/mcp"); r.Status != 401 {
				t.Errorf("the resource: %d", r.Status)
			}
			if r := s.Get(path); r.Status != 200 || !strings.Contains(r.Body, `"https://api.example.com/mcp"`) {
				t.Errorf("the document: %d %q %s", r.Status, r.Challenges(), r.Body)
			}
		})
	}
}
