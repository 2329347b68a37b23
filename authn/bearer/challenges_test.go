package bearer

import (
	"slices"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

func TestChallenges(t *testing.T) {
	const invalid = `error="invalid_token", error_description="The access token is invalid"`
	scope := []string{"read", "admin"}
	for name, tc := range map[string]struct {
		scheme Bearer
		ask    authn.ChallengeParams
		want   []string
	}{
		"R6750-6: without a token no error":       {Bearer{}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api"}, []string{`Bearer realm="api"`}},
		"R6750-6 MCP-3: but what is asked for":    {Bearer{}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api", Scope: scope}, []string{`Bearer realm="api", scope="read admin"`}},
		"R6750-6: another scheme's failure":       {Bearer{}, authn.ChallengeParams{Code: authn.CodeInvalidCredentials, Realm: "api"}, nil},
		"R6750-7: realm off":                      {Bearer{Realm: "off"}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api"}, []string{`Bearer`}},
		"R6750-7: realm off in the app":           {Bearer{}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "off"}, []string{`Bearer`}},
		"R6750-7: its own realm":                  {Bearer{Realm: "own"}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api"}, []string{`Bearer realm="own"`}},
		"R6750-7: a service":                      {Bearer{Service: "registry"}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api", Scope: scope}, []string{`Bearer realm="api", service="registry", scope="read admin"`}},
		"R6750-8: a bad token":                    {Bearer{}, authn.ChallengeParams{Code: authn.CodeInvalidToken, Realm: "api", Presented: "Bearer"}, []string{`Bearer realm="api", ` + invalid}},
		"R6750-8: an expired token":               {Bearer{}, authn.ChallengeParams{Code: authn.CodeExpiredToken, Realm: "api", Presented: "Bearer"}, []string{`Bearer realm="api", error="invalid_token", error_description="The access token is expired"`}},
		"R6750-8: a revoked token":                {Bearer{}, authn.ChallengeParams{Code: authn.CodeRevokedToken, Realm: "api", Presented: "Bearer"}, []string{`Bearer realm="api", error="invalid_token", error_description="The access token is revoked"`}},
		"R6750-5: two tokens":                     {Bearer{}, authn.ChallengeParams{Code: authn.CodeInvalidRequest, Realm: "api"}, []string{`Bearer realm="api", error="invalid_request", error_description="The request is malformed"`}},
		"R6750-9: too little scope":               {Bearer{}, authn.ChallengeParams{Code: authn.CodeInsufficientScope, Realm: "api", Scope: scope, Presented: "Bearer"}, []string{`Bearer realm="api", error="insufficient_scope", scope="read admin", error_description="The access token lacks a required scope"`}},
		"R6750-9: of a caller by another scheme":  {Bearer{}, authn.ChallengeParams{Code: authn.CodeInsufficientScope, Realm: "api", Scope: scope}, nil},
		"R6750-12: no role cures nothing":         {Bearer{}, authn.ChallengeParams{Code: authn.CodeInsufficientRole, Realm: "api", Presented: "Bearer"}, nil},
		"R6750-12: nor does policy":               {Bearer{}, authn.ChallengeParams{Code: authn.CodeAccessDenied, Realm: "api", Presented: "Bearer"}, nil},
		"AVAIL-1: without keys no challenge":      {Bearer{}, authn.ChallengeParams{Code: authn.CodeUnavailable, Realm: "api", Presented: "Bearer"}, nil},
		"LEAK-6: too many attempts, no challenge": {Bearer{}, authn.ChallengeParams{Code: authn.CodeTooManyAttempts, Realm: "api", Presented: "Bearer"}, nil},
		"R9470-1: a stronger login":               {Bearer{}, authn.ChallengeParams{Code: authn.CodeInsufficientSession, Realm: "api", Presented: "Bearer", ACRValues: []string{"gold"}, MaxAge: time.Minute}, []string{`Bearer realm="api", error="insufficient_user_authentication", acr_values="gold", max_age="60", error_description="A more recent or a stronger login is required"`}},
		"R9728-6: where the metadata are":         {Bearer{}, authn.ChallengeParams{Code: authn.CodeMissing, Realm: "api", ResourceMetadata: "https://a.example/m"}, []string{`Bearer realm="api", resource_metadata="https://a.example/m"`}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			if all := tc.scheme.Challenges(tc.ask); len(all) > 0 {
				got = denial.ChallengeFields(all, "")
			}
			if !slices.Equal(got, tc.want) {
				t.Errorf("\n got %q\nwant %q", got, tc.want)
			}
		})
	}
}

// TestErrorNames asks for every code there is, of every mode.
func TestErrorNames(t *testing.T) {
	registered := []string{"", "invalid_request", "invalid_token", "insufficient_scope", "insufficient_user_authentication", "invalid_dpop_proof", "use_dpop_nonce"}
	codes := []authn.Code{
		authn.CodeMissing, authn.CodeInvalidRequest, authn.CodeInvalidToken, authn.CodeExpiredToken, authn.CodeRevokedToken,
		authn.CodeInvalidCredentials, authn.CodeInsufficientScope, authn.CodeInsufficientRole, authn.CodeAccessDenied,
		authn.CodeInsufficientSession, authn.CodeUnavailable, authn.CodeTooManyAttempts, authn.CodeTooEarly, authn.CodeInvalidProof,
		authn.CodeUseNonce, authn.CodeInternal, "", "token_expired",
	}
	t.Run("R6750-13 R6750-7: errors are registered ones, and no challenge is bare", func(t *testing.T) {
		for _, code := range codes {
			for _, presented := range []string{"", bearerScheme, dpopScheme} {
				for _, mode := range []string{"", bindingOff, bindingOptional, bindingRequired} {
					b := Bearer{DPoP: mode}
					for _, c := range b.Challenges(authn.ChallengeParams{Code: code, Realm: "api", Presented: presented}) {
						if !slices.Contains(registered, c.Error) || c.Realm == "" || (c.Error == "") != (c.ErrorDescription == "") {
							t.Errorf("%s, dpop %q, presented %q: %s", code, mode, presented, c)
						}
					}
				}
			}
		}
	})
	t.Run("R9110-1: every 401 has a challenge", func(t *testing.T) {
		for _, code := range codes {
			if code.Status() != 401 || code == authn.CodeInvalidCredentials {
				continue // the latter is not said about tokens
			}
			for _, mode := range []string{"", bindingOptional, bindingRequired} {
				b := Bearer{DPoP: mode}
				if len(b.Challenges(authn.ChallengeParams{Code: code, Realm: "api", Presented: bearerScheme})) == 0 {
					t.Errorf("%s, dpop %q: none", code, mode)
				}
			}
		}
	})
}
