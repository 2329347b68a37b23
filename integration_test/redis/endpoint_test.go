//go:build redis

package redis

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestRevocationPostedToOne has revocations that are posted to the admin API of
// one instance.
func TestRevocationPostedToOne(t *testing.T) {
	group := startGroup(t, startRedis(t).address()+patient)
	startLoad(t, group)
	for name, revoked := range map[string]struct {
		claims harness.Claims
		body   func(token string) map[string]any
	}{
		"by its jti": {harness.Claims{"jti": "by-jti"}, func(string) map[string]any { return map[string]any{"jti": "by-jti"} }},
		"by its subject": {harness.Claims{"sub": "bob", "iat": time.Now().Add(-time.Minute).Unix()}, func(string) map[string]any {
			return map[string]any{"sub": "bob", "before": time.Now().Format(time.RFC3339)}
		}},
		"whole": {harness.Claims{"jti": "whole"}, func(token string) map[string]any { return map[string]any{"token": token} }},
	} {
		t.Run(name, func(t *testing.T) {
			token := harness.Token(t, revoked.claims)
			for _, each := range group {
				each.becomes(200, harness.Bearer(token))
			}
			began := time.Now()
			group[0].post("/auth/revocations", revoked.body(token))
			for _, each := range group {
				each.becomes(401, harness.Bearer(token))
			}
			if elapsed := time.Since(began); elapsed > time.Second {
				t.Errorf("it took %s", elapsed)
			}
		})
	}
}

// post sends something to the admin API, which has to take it.
func (i *instance) post(path string, body any) {
	i.t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		i.t.Fatal(err)
	}
	response, err := i.client.Post("http://localhost:"+i.admin+path, "application/json", bytes.NewReader(content))
	if err != nil {
		i.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode/100 != 2 {
		i.t.Fatalf("%s answers %s", path, response.Status)
	}
}
