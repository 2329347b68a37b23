package model

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// prepare returns the fields of each credential by scheme. It also revokes the revoked
// token and throttles the client.
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
		g.exhaustAttempts("/ops/nothing/plain", "Authorization", basic("alice", "guess"))
		g.exhaustAttempts("/partners/nothing/plain", "X-API-Key", "guess again")
	}
	bound := g.holder.binding(t)
	proven := harness.Token(t, good, bound)
	const field, keyField = "Authorization", "X-API-Key"
	all := map[string]map[string][]string{
		"bearer": {
			"unreadable": {field, "Bearer nonsense"},
			"wrong":      {field, "Bearer " + harness.Sign(t, jwa.HS256, []byte(strings.Repeat("x", 40)), nil)},
			"expired":    {field, "Bearer " + harness.Token(t, good, harness.Claims{"exp": time.Now().Add(-time.Hour).Unix()})},
			"revoked":    {field, "Bearer " + revoked}, "unavailable": {field, "Bearer " + token},
			"stolen": {field, "Bearer " + proven},
			"good":   {field, "Bearer " + token}, "twice": {field, "Bearer " + token, field, "Bearer " + token},
		},
		"basic": {
			"unreadable": {field, "Basic ?"}, "wrong": {field, basic("alice", "wrong")}, "throttled": {field, basic("alice", password)},
			"good": {field, basic("alice", password)}, "twice": {field, basic("alice", password), field, basic("alice", password)},
		},
		"api_key": {
			"wrong": {keyField, "wrong"}, "expired": {keyField, oldKey}, "throttled": {keyField, "guess again"},
			"good": {keyField, apiKey}, "twice": {keyField, apiKey, field, "Digest a", field, "Digest a"},
		},
		"dpop": {
			"unreadable": {field, "DPoP nonsense"},
			"wrong":      {field, "DPoP " + harness.Sign(t, jwa.HS256, []byte(strings.Repeat("x", 40)), nil, bound)},
			"expired":    {field, "DPoP " + harness.Token(t, good, bound, harness.Claims{"exp": time.Now().Add(-time.Hour).Unix()})},
			"revoked":    {field, "DPoP " + harness.Token(t, good, bound, harness.Claims{"jti": "revoked"})},
			"unproven":   {field, "DPoP " + proven}, "replayed": {field, "DPoP " + proven},
			"stolen":      {field, "DPoP " + harness.Token(t, good, newHolder(t).binding(t))},
			"unavailable": {field, "DPoP " + proven}, "good": {field, "DPoP " + proven},
			"twice": {field, "DPoP " + proven, field, "DPoP " + proven},
		},
		"client_cert": {"twice": {field, "Digest a", field, "Digest a"}},
	}
	for scheme, ofScheme := range all {
		name := map[string]string{"bearer": "Bearer ", "basic": "Basic ", "dpop": "DPoP ", "client_cert": "Digest "}[scheme]
		ofScheme["oversized"] = []string{field, name + oversized}
	}
	all["api_key"]["oversized"][0] = keyField
	g.secrets = secretsOf(all)
	return all
}

// oversized is a credential of one byte more than there may be.
var oversized = strings.Repeat("y", authn.MaxCredential-20) + "Zm9yIHRoZSBtb2RlbC45o"

// secretsOf are the ends of the credentials, which no output may contain.
func secretsOf(credentials map[string]map[string][]string) []string {
	var all []string
	for _, ofScheme := range credentials {
		for _, fields := range ofScheme {
			if secret := fields[1]; len(secret) > 20 {
				all = append(all, secret[len(secret)-20:])
			}
		}
	}
	return all
}

// throttledAddress is the address of a client that failed too often.
const throttledAddress = "192.0.2.1"

// exhaustAttempts fails once from that address.
func (g *gates) exhaustAttempts(path, field, value string) {
	r, err := http.NewRequest(http.MethodGet, secure(g.URL(path)), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header[field] = []string{value}
	r.Header["X-Forwarded-For"] = []string{throttledAddress}
	response, err := g.clients[""].Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil {
		g.t.Error(err)
	}
}

// fields are what a request for a point carries, besides a proof.
func (g *gates) fields(p point) []string {
	all := []string{"X-User", "admin", "X_User", "admin"} // what nobody may say
	switch p.request {
	case "script":
		all = append(all, "X-Requested-With", "XMLHttpRequest")
	case "preflight":
		all = append(all, "Origin", "https://web.example", "Access-Control-Request-Method", http.MethodPost)
	}
	if p.credential == "throttled" {
		all = append(all, "X-Forwarded-For", throttledAddress)
	}
	return append(append(all, operation(p)...), g.credential(p)...)
}

// operation is the operation of a request at an MCP server. It deletes a file, in the
// fields or, in some revisions, only in the body.
func operation(p point) []string {
	revision := map[string]string{"tool met": "2026-07-28", "tool": "2026-07-28", "tool unclear": "2025-11-25"}[p.required]
	if revision == "" {
		return nil
	}
	return []string{"Mcp-Protocol-Version", revision, "Mcp-Method", "tools/call", "Mcp-Name", "delete_file"}
}

func (g *gates) credential(p point) []string {
	switch p.credential {
	case "none":
		return nil
	case "foreign":
		return []string{"Authorization", `Digest username="alice"`}
	default:
		scheme, _, _ := strings.Cut(p.scheme, " of ")
		return g.credentials[scheme][p.credential]
	}
}

// certificate is the one of the connection: the credential itself, or a good
// one that has nothing to say where there is a token.
func certificate(p point) string {
	switch {
	case p.scheme == "bearer of two" || strings.HasPrefix(p.scheme, "client_cert") && slices.Contains([]string{"oversized", "twice"}, p.credential):
		return "good"
	case strings.HasPrefix(p.scheme, "client_cert") && p.credential != "none" && p.credential != "foreign":
		return p.credential
	default:
		return ""
	}
}
