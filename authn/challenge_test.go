package authn_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestChallenge(t *testing.T) {
	for name, tc := range map[string]struct {
		challenge authn.Challenge
		want      string
	}{
		"R6750-7: without a realm it is the bare name": {authn.Challenge{Scheme: "Bearer"}, `Bearer`},
		"R6750-7 R9110-8: a realm":                     {authn.Challenge{Scheme: "Bearer", Realm: "api"}, `Bearer realm="api"`},
		"R9110-7: the first parameter may be any":      {authn.Challenge{Scheme: "Bearer", Error: "invalid_token"}, `Bearer error="invalid_token"`},
		"R6750-8: a bad token": {
			authn.Challenge{Scheme: "Bearer", Realm: "api", Error: "invalid_token", ErrorDescription: "The access token is invalid"},
			`Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`,
		},
		"R6750-9 CLI-2: too little scope": {
			authn.Challenge{Scheme: "Bearer", Realm: "api", Error: "insufficient_scope", Scope: []string{"read", "admin"}, ErrorDescription: "More is needed"},
			`Bearer realm="api", error="insufficient_scope", scope="read admin", error_description="More is needed"`,
		},
		"R9470-1 R9110-8: a stronger login": {
			authn.Challenge{Scheme: "Bearer", Realm: "api", Error: "insufficient_user_authentication", ACRValues: []string{"gold", "silver"}, MaxAge: 5 * time.Minute},
			`Bearer realm="api", error="insufficient_user_authentication", acr_values="gold silver", max_age="300"`,
		},
		"R9110-8: algorithms of proofs": {
			authn.Challenge{Scheme: "DPoP", Realm: "api", Algorithms: []string{"ES256", "EdDSA"}},
			`DPoP realm="api", algs="ES256 EdDSA"`,
		},
		"R9728-6: where the metadata are": {
			authn.Challenge{Scheme: "Bearer", Realm: "api", ResourceMetadata: "https://api.example/.well-known/oauth-protected-resource"},
			`Bearer realm="api", resource_metadata="https://api.example/.well-known/oauth-protected-resource"`,
		},
		"R7617-1: Basic": {
			authn.Challenge{Scheme: "Basic", Realm: "api", Extra: []authn.Parameter{{Name: "charset", Value: "UTF-8"}}},
			`Basic realm="api", charset="UTF-8"`,
		},
		"KEY-2: an API key": {
			authn.Challenge{Scheme: "ApiKey", Realm: "api", Extra: []authn.Parameter{{Name: "in", Value: "header"}, {Name: "name", Value: "X-API-Key"}}},
			`ApiKey realm="api", in="header", name="X-API-Key"`,
		},
		"R9110-7: what is empty is not sent": {
			authn.Challenge{Scheme: "ApiKey", Scope: []string{}, ACRValues: []string{""}, Extra: []authn.Parameter{{Name: "in"}, {Name: "name", Value: "k"}}},
			`ApiKey name="k"`,
		},
		"R9110-7: nor what nothing is left of": {
			authn.Challenge{Scheme: "Bearer", Realm: "\x00", ErrorDescription: "\u00e9", Extra: []authn.Parameter{{Name: "in", Value: "\n"}}}, `Bearer`,
		},
		"R9110-9: quote and backslash in a realm": {authn.Challenge{Scheme: "Basic", Realm: `a "b" \c`}, `Basic realm="a \"b\" \\c"`},
		"R9110-9: control characters are left out": {
			authn.Challenge{Scheme: "Basic", Realm: "a\r\nSet-Cookie: x=1\x00\x1b\x7f\tb"}, `Basic realm="aSet-Cookie: x=1b"`,
		},
		"R9110-9: and so is what is not ASCII": {authn.Challenge{Scheme: "Basic", Realm: "caf\u00e9\u2028\xff"}, `Basic realm="caf"`},
		"R6750-10: what is not a scope is left out": {
			authn.Challenge{Scheme: "Bearer", Scope: []string{"a", "b c", `d"`, `e\`, "", "\u00e9", "f\n", "\x7f", "g"}}, `Bearer scope="a g"`,
		},
		"R6750-10: and if none is left, the parameter": {authn.Challenge{Scheme: "Bearer", Realm: "api", Scope: []string{`"`}}, `Bearer realm="api"`},
		"R6750-10: a scope may have any other sign": {
			authn.Challenge{Scheme: "Bearer", Scope: []string{"https://api.example/read:all?a=b&c[]=(d,e;f)#g!"}}, `Bearer scope="https://api.example/read:all?a=b&c[]=(d,e;f)#g!"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := tc.challenge.String()
			if got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
			if _, err := parse(got); err != nil {
				t.Errorf("%s: %v", got, err)
			}
		})
	}
}

// TestOrder writes every combination of parameters in the same order.
func TestChallengeOrder(t *testing.T) {
	all := []struct {
		set  func(*authn.Challenge)
		text string
	}{
		{func(c *authn.Challenge) { c.Realm = "api" }, `realm="api"`},
		{func(c *authn.Challenge) { c.Extra = []authn.Parameter{{Name: "charset", Value: "UTF-8"}} }, `charset="UTF-8"`},
		{func(c *authn.Challenge) { c.Error = "invalid_token" }, `error="invalid_token"`},
		{func(c *authn.Challenge) { c.Scope = []string{"read", "write"} }, `scope="read write"`},
		{func(c *authn.Challenge) { c.ACRValues = []string{"gold"} }, `acr_values="gold"`},
		{func(c *authn.Challenge) { c.MaxAge = time.Minute }, `max_age="60"`},
		{func(c *authn.Challenge) { c.Algorithms = []string{"ES256"} }, `algs="ES256"`},
		{func(c *authn.Challenge) { c.ResourceMetadata = "https://a.example/m" }, `resource_metadata="https://a.example/m"`},
		{func(c *authn.Challenge) { c.ErrorDescription = "It is bad" }, `error_description="It is bad"`},
	}
	t.Run("R9110-7 CLI-2: parameters stand in one order, whichever there are", func(t *testing.T) {
		for chosen := range 1 << len(all) {
			c := authn.Challenge{Scheme: "Bearer"}
			var texts []string
			for i, one := range all {
				if chosen&(1<<i) != 0 {
					one.set(&c)
					texts = append(texts, one.text)
				}
			}
			want := strings.TrimRight(fmt.Sprintf("Bearer %s", strings.Join(texts, ", ")), " ")
			if got := c.String(); got != want {
				t.Fatalf("\n got %s\nwant %s", got, want)
			}
		}
	})
}

// TestGrammar has texts that RFC 6750 §3 bans even as quoted pairs.
func TestChallengeGrammar(t *testing.T) {
	for name, c := range map[string]authn.Challenge{
		"error":             {Scheme: "Bearer", Error: `a"b\c`},
		"error_description": {Scheme: "Bearer", ErrorDescription: `a"b\c`},
		"resource_metadata": {Scheme: "Bearer", ResourceMetadata: `https://a.example/"b\c`},
	} {
		t.Run("R6750-10: no quote and no backslash in "+name, func(t *testing.T) {
			got, err := parse(c.String())
			if err != nil {
				t.Fatal(err)
			}
			if value, sent := got.get(name); !sent || strings.ContainsAny(value, `"\`) {
				t.Errorf("%s", c)
			}
		})
	}
}
