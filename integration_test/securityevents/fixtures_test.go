package securityevents

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// fixtures are security event tokens of the specifications' examples, and of the
// transmitter of Keycloak 26.x. Its guide "Shared Signals Framework (SSF)" names the
// formats, and SecurityEventTokenMapper has the members. Issuer, audience and times are
// those of the test.
var fixtures = map[string]struct {
	claims   string
	revokes  harness.Claims // of a token; nil for none
	result   string
	userName bool // the scheme has user_claim email
}{
	"RFC 8417 §2.1.4, RISC before the framework": {
		`{"iss": "ISS", "jti": "756E69717565206964656E746966696572", "iat": IAT, "aud": "AUD",
		"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {
			"subject": {"subject_type": "iss-sub", "iss": "ISS", "sub": "7375626A656374"}, "reason": "hijacking"}}}`,
		harness.Claims{"sub": "7375626A656374"}, "accepted", false,
	},
	"CAEP 1.0 §3.1, session-revoked of an opaque session": {
		`{"iss": "ISS", "jti": "24c63fb56e5a2d77a6b512616ca9fa24", "iat": IAT, "aud": "AUD", "txn": 8675309,
		"sub_id": {"format": "opaque", "id": "dMTlD|1600802906337.16|16008.16"},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {"event_timestamp": TIME}}}`,
		harness.Claims{"sid": "dMTlD|1600802906337.16|16008.16"}, "accepted", false,
	},
	"CAEP 1.0 §3.1, session-revoked of a user, device and tenant": {
		`{"iss": "ISS", "jti": "24c63fb56e5a2d77a6b512616ca9fa24", "iat": IAT, "aud": "AUD", "txn": 8675309,
		"sub_id": {"format": "complex",
			"user": {"format": "iss_sub", "iss": "ISS", "sub": "jane.smith@example.com"},
			"device": {"format": "iss_sub", "iss": "ISS", "sub": "e9297990-14d2-42ec-a4a9-4036db86509a"},
			"tenant": {"format": "opaque", "id": "123456789"}},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
			"initiating_entity": "policy", "reason_admin": {"en": "Policy Violation: C076E82F"},
			"reason_user": {"en": "Access attempt from multiple regions."}, "event_timestamp": TIME}}}`,
		harness.Claims{"sub": "jane.smith@example.com"}, "accepted", false,
	},
	"CAEP 1.0 §3.2, token-claims-change": {
		`{"iss": "ISS", "jti": "756E69717565206964656E746966696572", "iat": IAT, "aud": "AUD", "txn": 8675309,
		"sub_id": {"format": "jwt_id", "iss": "ISS", "jti": "f61t6e20zdo3px56gepu8rzlsp4c1dpc0fx7"},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/token-claims-change": {
			"event_timestamp": TIME, "claims": {"role": "ro-admin"}}}}`,
		harness.Claims{"jti": "f61t6e20zdo3px56gepu8rzlsp4c1dpc0fx7"}, "accepted", false,
	},
	"CAEP 1.0 §3.3, credential-change": {
		`{"iss": "ISS", "jti": "07efd930f0977e4fcc1149a733ce7f78", "iat": IAT, "aud": "AUD", "txn": 8675309,
		"sub_id": {"format": "iss_sub", "iss": "ISS", "sub": "jane.smith@example.com"},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/credential-change": {
			"credential_type": "fido2-roaming", "change_type": "create", "fido2_aaguid": "accced6a-63f5-490a-9eea-e59bc1896cfc",
			"friendly_name": "Jane's USB authenticator", "initiating_entity": "user", "event_timestamp": TIME}}}`,
		harness.Claims{"sub": "jane.smith@example.com"}, "accepted", false,
	},
	"CAEP 1.0 §3.4, assurance-level-change": {
		`{"iss": "ISS", "jti": "07efd930f0977e4fcc1149a733ce7f78", "iat": IAT, "aud": "AUD",
		"sub_id": {"format": "iss_sub", "iss": "ISS", "sub": "jane.smith@example.com"},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/assurance-level-change": {
			"namespace": "NIST-AAL", "current_level": "nist-aal2", "previous_level": "nist-aal1", "change_direction": "increase", "event_timestamp": TIME}}}`,
		nil, "ignored", false,
	},
	"SSF 1.0 §8.1.4, verification that the transmitter starts": {
		`{"iss": "ISS", "jti": "123456", "iat": IAT, "aud": "AUD", "sub_id": {"format": "opaque", "id": "f67e39a0a4d34d56b3aa1bc4cff0069f"},
		"events": {"https://schemas.openid.net/secevent/ssf/event-type/verification": {}}}`,
		nil, "accepted", false,
	},
	"SSF 1.0 §8.1.5, stream-updated": {
		`{"iss": "ISS", "jti": "123456", "iat": IAT, "aud": "AUD", "sub_id": {"format": "opaque", "id": "f67e39a0a4d34d56b3aa1bc4cff0069f"},
		"events": {"https://schemas.openid.net/secevent/ssf/event-type/stream-updated": {"status": "paused", "reason": "Internal error"}}}`,
		nil, "accepted", false,
	},
	"Keycloak, session-revoked with the format iss_sub": {
		`{"iss": "ISS", "jti": "b4d9", "iat": IAT, "aud": ["AUD"], "txn": "5bb5",
		"sub_id": {"format": "complex", "user": {"format": "iss_sub", "iss": "ISS", "sub": "0c1f"}, "session": {"format": "opaque", "id": "9f3a"}},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {
			"event_timestamp": TIME, "initiating_entity": "admin", "reason_admin": {"en": "logout"}}}}`,
		harness.Claims{"sub": "0c1f", "sid": "9f3a"}, "accepted", false,
	},
	"Keycloak, credential-change with the format complex.email+tenant": {
		`{"iss": "ISS", "jti": "b4da", "iat": IAT, "aud": ["AUD"], "txn": "5bb6",
		"sub_id": {"format": "complex", "user": {"format": "email", "email": "jane@example.com"}, "tenant": {"format": "opaque", "id": "org-1"}},
		"events": {"https://schemas.openid.net/secevent/caep/event-type/credential-change": {
			"event_timestamp": TIME, "change_type": "update", "credential_type": "password", "initiating_entity": "user"}}}`,
		harness.Claims{"email": "jane@example.com"}, "accepted", true,
	},
	"Keycloak, account-disabled": {
		`{"iss": "ISS", "jti": "b4db", "iat": IAT, "aud": ["AUD"], "txn": "5bb7", "sub_id": {"format": "iss_sub", "iss": "ISS", "sub": "0c20"},
		"events": {"https://schemas.openid.net/secevent/risc/event-type/account-disabled": {"event_timestamp": TIME, "reason": "hijacking", "initiating_entity": "policy"}}}`,
		harness.Claims{"sub": "0c20"}, "accepted", false,
	},
}

func TestFixtures(t *testing.T) {
	for name, fixture := range fixtures {
		t.Run(name, func(t *testing.T) {
			x := startTransmitter(t)
			config := x.config()
			if fixture.userName {
				config = strings.Replace(config, "audience "+harness.Audience, "audience "+harness.Audience+"\nuser_claim email", 1)
			}
			s := harness.StartWithAdmin(t, config)
			now := time.Now()
			claims := strings.NewReplacer("ISS", x.Issuer(), "AUD", receiver, "IAT", strconv.FormatInt(now.Unix(), 10), "TIME", strconv.FormatInt(now.Add(-time.Minute).Unix(), 10)).Replace(fixture.claims)
			header := map[string]any{"typ": "secevent+jwt", "kid": harness.DefaultKeyID}
			set := harness.SignBytes(t, jwa.ES256, x.Key(harness.DefaultKeyID), header, []byte(claims))
			mine := x.Token(old(), harness.Claims{"email": "mine@example.com"}, fixture.revokes)
			other := x.Token(old(), harness.Claims{"sub": "other", "email": "other@example.com", "sid": "other"})
			wantAccepted(t, push(s, set, harness.Header("Accept", "application/json")))
			if got := resultsOf(s); len(got) != 1 || got[0] != fixture.result {
				t.Errorf("%v, want %s", got, fixture.result)
			}
			wantRevoked(t, s, mine, fixture.revokes != nil)
			wantRevoked(t, s, other, false)
		})
	}
	t.Run("RFC 8417 §2.1.1, an event of SCIM names its subject in sub", func(t *testing.T) {
		x := startTransmitter(t)
		s := harness.StartWithAdmin(t, x.config())
		wantRefused(t, push(s, x.set(x.claims("urn:ietf:params:scim:event:create", nil, harness.Claims{"sub": "https://scim.example.com/Users/44f6142df96bd6ab61e7521d9"}))), "invalid_request")
	})
	t.Run("RFC 8935 §2.1, the example is signed with a secret", func(t *testing.T) {
		x := startTransmitter(t)
		s := harness.StartWithAdmin(t, x.config())
		header := map[string]any{"typ": "secevent+jwt"}
		wantRefused(t, push(s, harness.Sign(t, jwa.HS256, []byte(harness.Secret), header, x.claims(caep+"session-revoked", x.user("alice")))), "invalid_key")
	})
}

// TestStreamEnds has a response that ends with the session of its token.
func TestStreamEnds(t *testing.T) {
	x := startTransmitter(t)
	upstream := harness.NewProvider(t)
	upstream.Answer(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	upstream.Up()
	config := strings.Replace(x.config(), "require_auth\n", "require_auth {\n\t\tend_streams\n\t}\n", 1)
	s := harness.StartWithAdmin(t, strings.Replace(config, "respond ok", "reverse_proxy "+strings.TrimPrefix(upstream.URL(""), "http://"), 1))
	r, err := http.NewRequest(http.MethodGet, s.URL("/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	harness.Bearer(x.Token(old(), harness.Claims{"sid": "session-1"}))(r)
	response, err := http.DefaultClient.Do(r)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatal(response, err)
	}
	defer response.Body.Close()
	wantAccepted(t, push(s, x.set(x.claims(caep+"session-revoked", map[string]any{
		"format": "complex", "user": x.user("alice"), "session": map[string]any{"format": "opaque", "id": "session-1"},
	}))))
	if _, err := response.Body.Read(make([]byte, 1)); err == nil {
		t.Error("the stream goes on")
	}
}
