package answers

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestEndsWithEither has an operation that requires two credentials at once.
func TestEndsWithEither(t *testing.T) {
	document := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(document, []byte(`
openapi: 3.1.0
paths:
  /events: {get: {security: [{token: [], key: []}]}}
components:
  securitySchemes:
    token: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: x-api-key}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	s := harness.StartWithAdmin(t, `{
		auth {
			bearer token {`+harness.BearerLines+`}
			api_key key {
				key a sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
			}
		}
	}
	:8080 {
		require_auth token key {
			openapi `+document+`
			end_streams
		}
		reverse_proxy `+upstream(t)+`
	}`)
	key := harness.Header("X-Api-Key", "test")
	unaffected := open(t, s, "/events", key, harness.Bearer(harness.Token(t, harness.Claims{"jti": "kept"})))
	first := open(t, s, "/events", key, harness.Bearer(harness.Token(t, harness.Claims{"jti": "first"})))
	revoke(t, s, `{"jti": "first"}`)
	first.ends()
	unaffected.goesOn()
	revoke(t, s, `{"sub": "a", "scheme": "key"}`)
	unaffected.ends()
}
