package integration

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var (
	claimsOfDocs = regexp.MustCompile("(?s)```json\n(.*?)```")
	// accessOfDocs are the lines for keys and authorities that the demonstration secret
	// replaces.
	accessOfDocs = regexp.MustCompile(`(?m)^\t(jwks [^\n{]*(\{[^}]*\})?|ca_file .*|allow_http .*)\n`)
	givenByDocs  = regexp.MustCompile("Gives the user `([^`]+)`(?:, the scopes `([^`]+)` and the roles `([^`]+)`)?")
)

// TestProviders asks the gate of each provider with claims as it makes them.
func TestProviders(t *testing.T) {
	page, err := os.ReadFile("../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	providers := strings.Split(string(page), "\n## ")[1:]
	if len(providers) != 12 {
		t.Errorf("%d providers were found", len(providers))
	}
	for _, text := range providers {
		name, text, _ := strings.Cut(text, "\n")
		t.Run(name, func(t *testing.T) {
			given := givenByDocs.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
			s := harness.Start(t, runnable(t, "{\nauth {\n"+accessOfDocs.ReplaceAllString(caddyfileBlock.FindStringSubmatch(text)[1], "")+`}
}
http://localhost:8080 {
	require_auth
	respond "{http.auth.user.id};{http.auth.user.scope};{http.auth.user.roles}"
}
`))
			var claims harness.Claims
			if err := json.Unmarshal([]byte(claimsOfDocs.FindStringSubmatch(text)[1]), &claims); err != nil {
				t.Fatal(err)
			}
			if claims["aud"] == nil {
				claims["aud"] = nil // the harness leaves its own out
			}
			secret := []byte("demonstration-only-secret-of-32-bytes-or-more")
			token := harness.Sign(t, "HS256", secret, nil, claims)
			got := strings.Split(s.Get("/", harness.Bearer(token)).Want(200, "").Body, ";")
			if want := strings.ReplaceAll(given[3], " ", ","); got[0] != given[1] || got[1] != given[2] || got[2] != want {
				t.Errorf("got %q, the page says %q", got, given[1:])
			}
			s.Get("/", harness.Bearer(harness.Sign(t, "HS256", secret, nil, claims, harness.Claims{"iss": "https://other.example.com"}))).Want(401, "invalid_token",
				`Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		})
	}
}
