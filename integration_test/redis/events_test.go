//go:build redis

package redis

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// transmitterKey signs the security events of all instances.
var transmitterKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// transmitterKeys is the key set of the transmitter.
func transmitterKeys(t *testing.T) []byte {
	t.Helper()
	public, err := jwk.FromRaw(transmitterKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSecurityEventReachesAll pushes events to one instance after the other.
func TestSecurityEventReachesAll(t *testing.T) {
	group := startGroup(t, startRedis(t).address()+patient)
	startLoad(t, group)
	const event = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	var delays []time.Duration
	var set string
	for round := range 100 {
		user := fmt.Sprint("user-", round)
		token := harness.Token(t, harness.Claims{"sub": user, "iat": time.Now().Add(-time.Minute).Unix()})
		for _, each := range group {
			each.becomes(200, harness.Bearer(token))
		}
		set = harness.Sign(t, jwa.ES256, transmitterKey(), map[string]any{"typ": "secevent+jwt"}, harness.Claims{
			"aud": harness.Audience + "/events", "jti": user, "sub": nil, "exp": nil,
			"sub_id": map[string]any{"format": "iss_sub", "iss": harness.Issuer, "sub": user}, "events": map[string]any{event: map[string]any{}},
		})
		began := time.Now()
		group[round%len(group)].push(set)
		for _, each := range group {
			each.becomes(401, harness.Bearer(token))
		}
		delays = append(delays, time.Since(began))
		if status, code := group[0].try("/", harness.Bearer(token)); code != "revoked_token" {
			t.Fatalf("%d %s", status, code)
		}
	}
	for _, each := range group {
		each.push(set)
		harness.Eventually(t, "every instance knows the event", func() bool { return strings.Contains(each.log.String(), `"result":"duplicate"`) })
	}
	slices.Sort(delays)
	t.Logf("half of the events were honored by all after %s, 99 in 100 after %s", delays[49], delays[98])
	if delays[98] > time.Second {
		t.Error("99 in 100 take longer than a second")
	}
}

// push sends a security event, which has to be accepted.
func (i *instance) push(set string) {
	i.t.Helper()
	response, err := i.client.Post("http://127.0.0.1:"+i.port+"/auth/events", "application/secevent+jwt", strings.NewReader(set))
	if err != nil {
		i.t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusAccepted {
		i.t.Fatal(response.Status)
	}
}
