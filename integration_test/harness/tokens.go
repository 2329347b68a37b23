package harness

import (
	"encoding/json"
	"maps"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// Values that tokens and configurations of the tests share.
const (
	Issuer   = "https://idp.example.com"
	Audience = "https://api.example.com"
	Secret   = "a-secret-for-tests-of-32-bytes-or-more!!"
)

// BearerLines are the lines of a bearer scheme that accepts [Token].
const BearerLines = `
	issuer ` + Issuer + `
	audience ` + Audience + `
	hmac_secret ` + Secret + `
`

// Claims are the members of a token; nil leaves out what is there by default.
type Claims map[string]any

// Token signs a token that is good for an hour, by HS256 with [Secret], for
// the user alice. Given claims are added or replace others.
func Token(t testing.TB, claims ...Claims) string {
	t.Helper()
	return Sign(t, jwa.HS256, []byte(Secret), nil, claims...)
}

// Sign is Token with another algorithm and key, and with header parameters.
func Sign(t testing.TB, algorithm jwa.SignatureAlgorithm, key any, header map[string]any, claims ...Claims) string {
	t.Helper()
	now := time.Now()
	all := Claims{"iss": Issuer, "aud": Audience, "sub": "alice", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	for _, more := range claims {
		maps.Copy(all, more)
	}
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	payload, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return SignBytes(t, algorithm, key, header, payload)
}

// SignBytes signs bytes that need not be claims.
func SignBytes(t testing.TB, algorithm jwa.SignatureAlgorithm, key any, header map[string]any, payload []byte) string {
	t.Helper()
	headers := jws.NewHeaders()
	for name, value := range header {
		if err := headers.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	token, err := jws.Sign(payload, jws.WithKey(algorithm, key, jws.WithProtectedHeaders(headers)))
	if err != nil {
		t.Fatal(err)
	}
	return string(token)
}
