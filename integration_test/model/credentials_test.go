package model

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// prepare returns the fields of each credential by scheme, and makes true what
// the words say: that a token is revoked, and that somebody is guessing.
func (g *gates) prepare(t *testing.T) map[string]map[string][]string {
	t.Helper()
	good := harness.Claims{"scope": "read", "roles": []string{"operator"}}
	token := harness.Token(t, good)
	revoked := harness.Token(t, good, harness.Claims{"jti": "revoked"})
	answer := g.Do(http.MethodPost, g.AdminURL("/auth/revocations"), harness.Body("application/json", `{"jti":"revoked"}`))
	if answer.Status != http.StatusOK {
		t.Fatal(answer.Status, answer.Body)
	}
	for range 11 {
		g.Get("/ops/nothing/plain", harness.Basic("alice", "guess"), harness.Header("X-Forwarded-For", guesser))
		g.Get("/partners/nothing/plain", harness.Header("X-API-Key", "guess again"), harness.Header("X-Forwarded-For", guesser))
	}
	const field, keyField = "Authorization", "X-API-Key"
	return map[string]map[string][]string{
		"bearer": {
			"unreadable": {field, "Bearer nonsense"},
			"wrong":      {field, "Bearer " + harness.Sign(t, jwa.HS256, []byte(strings.Repeat("x", 40)), nil)},
			"expired":    {field, "Bearer " + harness.Token(t, good, harness.Claims{"exp": time.Now().Add(-time.Hour).Unix()})},
			"revoked":    {field, "Bearer " + revoked}, "unavailable": {field, "Bearer " + token},
			"good": {field, "Bearer " + token}, "twice": {field, "Bearer " + token, field, "Bearer " + token},
		},
		"basic": {
			"unreadable": {field, "Basic ?"}, "wrong": {field, basic("alice", "wrong")}, "guessing": {field, basic("alice", password)},
			"good": {field, basic("alice", password)}, "twice": {field, basic("alice", password), field, basic("alice", password)},
		},
		"api_key": {
			"wrong": {keyField, "wrong"}, "expired": {keyField, oldKey}, "guessing": {keyField, "guess again"},
			"good": {keyField, apiKey}, "twice": {keyField, apiKey, field, "Digest a", field, "Digest a"},
		},
	}
}

// guesser is the address of somebody who has failed too often.
const guesser = "192.0.2.1"

// fields are what a request for a point carries besides its method.
func (g *gates) fields(p point) []string {
	all := []string{"X-User", "admin", "X_User", "admin"} // what nobody may say
	switch p.request {
	case "script":
		all = append(all, "X-Requested-With", "XMLHttpRequest")
	case "preflight":
		all = append(all, "Origin", "https://web.example", "Access-Control-Request-Method", http.MethodPost)
	}
	if p.credential == "guessing" {
		all = append(all, "X-Forwarded-For", guesser)
	}
	switch p.credential {
	case "none":
		return all
	case "foreign":
		return append(all, "Authorization", `Digest username="alice"`)
	default:
		scheme, _, _ := strings.Cut(p.scheme, " of ")
		return append(all, g.credentials[scheme][p.credential]...)
	}
}
