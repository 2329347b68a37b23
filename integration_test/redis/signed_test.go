//go:build redis

package redis

import (
	"encoding/json"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestSignedAtEach has three instances, each of which signs with its own key.
func TestSignedAtEach(t *testing.T) {
	server := startRedis(t)
	group := startGroup(t, server.address()+patient)
	verifies := func(publisher, signer *instance) bool {
		var set jose.JSONWebKeySet
		_, identity := signer.get("/identity", harness.Bearer(harness.Token(t)))
		_, document := publisher.get("/.well-known/auth/jwks.json")
		signed, err := jose.ParseSigned(identity, []jose.SignatureAlgorithm{jose.ES256})
		if err != nil || json.Unmarshal([]byte(document), &set) != nil {
			return false
		}
		_, err = signed.Verify(set)
		return err == nil
	}
	everywhere := func(t *testing.T, publishers, signers []*instance) {
		t.Helper()
		for _, publisher := range publishers {
			for _, signer := range signers {
				harness.Eventually(t, "each instance publishes the keys of all", func() bool { return verifies(publisher, signer) })
			}
		}
	}
	t.Run("ID-1: each instance publishes the keys of all", func(t *testing.T) { everywhere(t, group, group) })
	t.Run("ID-1: without Redis, known keys stay published", func(t *testing.T) {
		server.stop()
		everywhere(t, group, group)
	})
	t.Run("ID-1: an instance that starts later", func(t *testing.T) {
		server.start()
		group = append(group, startCaddy(t, server.address()+patient))
		everywhere(t, group, group)
	})
}
