package attacks

import (
	"strings"
	"testing"
	"time"
)

// profileGate takes access tokens of RFC 9068 and nothing else.
const profileGate = "/profile"

// TestKinds has tokens that the issuer has signed for something else, as they
// look where their type does not say so.
func TestKinds(t *testing.T) {
	s := &target{keys: issuerKeys()}
	scheme := "key_file " + s.pem(t, t.TempDir(), "rs", &s.rsa.PublicKey)
	s.guard(t, map[string]gate{rsGate: {scheme: scheme}, profileGate: {scheme: scheme + "\nprofile at+jwt"}})
	const header, typed = `{"alg":"RS256"}`, `{"alg":"RS256","typ":"at+jwt"}`
	s.accepts(t, rsGate, forge(header, claims(), s.rs256))
	for name, members := range map[string]string{
		"ID token with the hash of a token": `"at_hash":"77QmUPtjPfzWtF2AnpK9RQ"`,
		"ID token with the hash of a code":  `"c_hash":"77QmUPtjPfzWtF2AnpK9RQ"`,
		"ID token with the hash of a state": `"s_hash":"77QmUPtjPfzWtF2AnpK9RQ"`,
		"ID token of Keycloak":              `"typ":"ID"`,
		"refresh token of Keycloak":         `"typ":"Refresh"`,
		"offline token of Keycloak":         `"typ":"Offline"`,
		"logout token of Keycloak":          `"typ":"Logout"`,
		"registration token of Keycloak":    `"typ":"RegistrationAccessToken"`,
		"token of an unknown kind":          `"typ":"x"`,
		"token of a kind in lower case":     `"typ":"id"`,
		"ID token of Cognito":               `"token_use":"id"`,
		"refresh token of Cognito":          `"token_use":"refresh"`,
		"logout token":                      `"events":{"http://schemas.openid.net/event/backchannel-logout":{}}`,
		"security event":                    `"events":{"https://schemas.openid.net/secevent/caep/event-type/session-revoked":{}}`,
		"answer of an introspection":        `"token_introspection":{"active":true}`,
		"ID token that says access, too":    `"token_use":"access","typ":"ID"`,
		"DPoP token of Keycloak, no key":    `"typ":"DPoP"`,
		"ID token that says JWT inside":     `"typ":"JWT","nonce":"n","at_hash":"77QmUPtjPfzWtF2AnpK9RQ"`,
		"logout token that says JWT inside": `"typ":"JWT","events":{"http://schemas.openid.net/event/backchannel-logout":{}}`,
	} {
		t.Run("JWT-13 R9068-1: "+name, func(t *testing.T) {
			s.refuses(t, rsGate, forge(header, claims(members), s.rs256))
			s.refuses(t, rsGate, forge(`{"alg":"RS256","typ":"JWT"}`, claims(members), s.rs256))
		})
	}
	for name, nonce := range map[string]string{"a nonce": `"n"`, "an empty nonce": `""`, "no nonce in it": `null`} {
		t.Run("JWT-13 R9068-1: ID token with "+name, func(t *testing.T) {
			idToken := strings.Replace(claims(), `"scope":"read"`, `"nonce":`+nonce, 1)
			s.refuses(t, rsGate, forge(header, idToken, s.rs256))
			s.accepts(t, rsGate, forge(header, claims(`"nonce":`+nonce), s.rs256)) // of the login, in an access token
		})
	}
	issued := `"iat":` + unix(time.Now())
	full := claims(issued, `"jti":"1"`, `"client_id":"app"`)
	s.accepts(t, profileGate, forge(typed, full, s.rs256))
	s.accepts(t, profileGate, forge(`{"alg":"RS256","typ":"application/AT+JWT"}`, full, s.rs256))
	for _, kind := range []string{
		`"JWT"`, `"jwt"`, `"dpop+jwt"`, `"logout+jwt"`, `"secevent+jwt"`, `"id+jwt"`, `"rt+jwt"`, `"at"`, `"at+jwt+jwt"`, `"x-at+jwt"`, `"text/at+jwt"`,
		`"application/application/at+jwt"`, `"at-jwt"`, `"at jwt"`, `" at+jwt"`, `"at+jwt\u0000"`, `"at+jwt;v=1"`, `""`, `null`, `["at+jwt"]`, `true`, `0`,
	} {
		t.Run("R9068-1: under the profile typ is "+kind, func(t *testing.T) {
			s.refuses(t, profileGate, forge(`{"alg":"RS256","typ":`+kind+`}`, full, s.rs256))
		})
	}
	t.Run("R9068-1: under the profile no typ", func(t *testing.T) { s.refuses(t, profileGate, forge(header, full, s.rs256)) })
	t.Run("R9068-1: under the profile typ among the claims", func(t *testing.T) {
		s.refuses(t, profileGate, forge(header, claims(issued, `"jti":"1"`, `"client_id":"app"`, `"typ":"at+jwt"`), s.rs256))
	})
	for name, change := range map[string][2]string{
		"no jti":              {`"jti":"1",`, ``},
		"an empty jti":        {`"jti":"1"`, `"jti":""`},
		"jti is a number":     {`"jti":"1"`, `"jti":1`},
		"no iat":              {issued + `,`, ``},
		"iat is a text":       {issued, `"iat":"1"`},
		"no client":           {`,"client_id":"app"`, ``},
		"an empty client":     {`"client_id":"app"`, `"client_id":""`},
		"client is a list":    {`"client_id":"app"`, `"client_id":["app"]`},
		"client as azp":       {`"client_id":"app"`, `"azp":"app"`},
		"client in capitals":  {`"client_id":"app"`, `"CLIENT_ID":"app"`},
		"no sub":              {`"sub":"alice",`, ``},
		"an empty sub":        {`"sub":"alice"`, `"sub":""`},
		"jti in other case":   {`"jti":"1"`, `"Jti":"1"`},
		"jti beside in other": {`"jti":"1"`, `"jti":"1","JTI":"2"`},
	} {
		t.Run("R9068-3: under the profile "+name, func(t *testing.T) {
			changed := strings.Replace(full, change[0], change[1], 1)
			if changed == full {
				t.Fatal("nothing is changed")
			}
			s.refuses(t, profileGate, forge(typed, changed, s.rs256))
		})
	}
}
