package lint

import (
	"fmt"
	"slices"
	"time"

	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/sourcepos"
)

// maxSkew is how far clocks can usually differ unnoticed.
const maxSkew = time.Minute

// schemeRules check single schemes.
var schemeRules = []*Rule{
	{
		ID: "credential-in-query", Level: Warning,
		Danger: "URLs, and the credentials in them, get into histories, referrers and the logs of every server on the way",
		Remedy: "Take it from a header field; where a client cannot set one, give it credentials that end soon and filter the access log.",
		find:   eachScheme(credentialInQuery),
	},
	{
		ID: "any-audience", Level: Warning,
		Danger: "a token for any other service is valid here, and the operator of that service can use it",
		Remedy: "Write the identifier of this API: `audience <id>`.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if !slices.Contains(one.Audiences, "*") {
				return nil
			}
			return []Finding{one.at("tokens for any audience", "audiences", sourcepos.Line{Names: []string{"audience"}, Words: []string{"*"}})}
		}),
	},
	{
		ID: "any-tenant", Level: Warning,
		Danger: "the scheme accepts tokens of any tenant, and anyone can create a tenant",
		Remedy: "Write the tenants: `tenants <id>`; or let the gate require a role, a user or `claim tid`.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if !slices.Contains(one.Tenants, "*") {
				return nil
			}
			return []Finding{one.at("tokens of any tenant", "tenants", sourcepos.Line{Names: []string{"tenants"}, Words: []string{"*"}})}
		}),
	},
	{
		ID: "provider-without-tls", Level: Warning,
		Danger: "an attacker who can change the traffic to that host can replace the keys, and make tokens for any user",
		Remedy: "Serve the provider by TLS, with `ca_file` for an authority of your own.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if len(one.AllowHTTP) == 0 {
				return nil
			}
			return []Finding{one.at("a provider that is called by http, without TLS", "allow_http", sourcepos.Line{Names: []string{"allow_http"}})}
		}),
	},
	{
		ID: "hmac-shared", Level: Warning,
		Danger: "every holder of the secret can make tokens for any user",
		Remedy: "Have the issuer sign with a private key, and give the public one here: `jwks`, `key_file` or discovery.",
		find:   eachScheme(hmacShared),
	},
	{
		ID: "hmac-literal", Level: Warning,
		Danger: "the secret is in the configuration, and so in its backups, in the admin API and in what Caddy saves of it",
		Remedy: "Keep it out of the file: `hmac_secret {env.JWT_SECRET}` or `{file.…}`. `{$JWT_SECRET}` does not help: it is replaced before.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if !slices.ContainsFunc(one.HMACSecret, func(secret string) bool { return !block.HasPlaceholder(secret) }) {
				return nil
			}
			return []Finding{one.at("an HMAC secret in clear text", "hmac_secret", sourcepos.Line{Names: []string{"hmac_secret"}})}
		}),
	},
	{
		ID: "hmac", Level: Note,
		Danger: "every service that verifies such tokens can make them",
		Remedy: "Share the secret only between the issuer and this server, or have tokens signed with a private key.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if len(one.HMACSecret) == 0 {
				return nil
			}
			return []Finding{one.at("tokens signed with a shared secret", "hmac_secret", sourcepos.Line{Names: []string{"hmac_secret"}})}
		}),
	},
	{
		ID: "id-tokens", Level: Note,
		Danger: "an ID token identifies the user of a client, and does not say what the client may do here",
		Remedy: "Where the provider issues access tokens for this API, use those and leave `accept_id_tokens` out.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if !one.AcceptIDTokens {
				return nil
			}
			return []Finding{one.at("ID tokens count as access tokens", "accept_id_tokens", sourcepos.Line{Names: []string{"accept_id_tokens"}})}
		}),
	},
	{
		ID: "clock-skew", Level: Warning,
		Danger: "expired tokens stay valid for that time",
		Remedy: "Keep the clocks right and leave the line out: the default is 30s.",
		find: eachScheme(func(s *subject, one scheme) []Finding {
			if time.Duration(one.ClockSkew) <= maxSkew {
				return nil
			}
			message := fmt.Sprintf("a clock skew of %s", time.Duration(one.ClockSkew))
			return []Finding{one.at(message, "clock_skew", sourcepos.Line{Names: []string{"clock_skew"}})}
		}),
	},
}

func eachScheme(find func(*subject, scheme) []Finding) func(*subject) []Finding {
	return func(s *subject) (found []Finding) {
		for _, one := range s.schemes {
			found = append(found, find(s, one)...)
		}
		return found
	}
}

func credentialInQuery(_ *subject, one scheme) (found []Finding) {
	for _, kind := range []struct {
		line, member, message string
		locations             []location
	}{
		{"token_from", "token_from", "a token in the query", one.TokenFrom}, {"from", "from", "a key in the query", one.From},
	} {
		for _, each := range kind.locations {
			if each.In == "query" {
				found = append(found, one.at(kind.message, kind.member, sourcepos.Line{Names: []string{kind.line}, Words: []string{"query", each.Name}}))
			}
		}
	}
	return found
}

// hmacShared finds secrets that others must know, too: the service of a second
// audience, the users of another scheme, or an OAuth client.
func hmacShared(s *subject, one scheme) (found []Finding) {
	if len(one.HMACSecret) == 0 {
		return nil
	}
	line := sourcepos.Line{Names: []string{"hmac_secret"}}
	if len(one.Audiences) > 1 {
		found = append(found, one.at("the services of several audiences share one HMAC secret", "hmac_secret", line))
	}
	for _, other := range s.schemes {
		switch {
		case slices.Contains(one.HMACSecret, other.Introspection.ClientSecret):
			found = append(found, one.at("the HMAC secret is the client secret of scheme "+other.name, "hmac_secret", line))
		case slices.ContainsFunc(other.HMACSecret, func(secret string) bool { return slices.Contains(one.HMACSecret, secret) }) && other.where != one.where && other.Issuer != one.Issuer:
			found = append(found, one.at("the HMAC secret is that of scheme "+other.name+" too", "hmac_secret", line))
		}
	}
	return found
}
