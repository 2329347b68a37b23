package schemes

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const insufficient = `Bearer realm="api", error="insufficient_scope", scope="read", error_description="The access token lacks a required scope"`

// mixedLines declare three schemes, in no order that matters.
func mixedLines(t *testing.T) string {
	t.Helper()
	return `
		api_key partners {
			key partner-a ` + digest("key-of-a") + `
		}
		basic ops {
			user alice ` + hash(t, "secret") + `
		}
		bearer corp {` + harness.BearerLines + `}
		busy later`
}

func mixedServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config("attempts off"+mixedLines(t), `
	require_auth /all* partners ops corp
	require_auth /read* partners corp ops {
		scope read
	}
	require_auth /token* corp
	require_auth /keys* partners
	require_auth /ops* ops
	require_auth /two* ops partners
	require_auth /later* later ops corp
	respond "hello {http.auth.user.id}"`))
}

func TestMixedChallenges(t *testing.T) {
	s := mixedServer(t)
	t.Run("R9110-10: one field line for each scheme, Bearer, Basic, ApiKey, every time", func(t *testing.T) {
		for range 50 {
			want(t, s.Get("/all"), 401, "missing_credentials", bearerChallenge, basicChallenge, keyChallenge)
		}
		want(t, s.Get("/read"), 401, "missing_credentials", `Bearer realm="api", scope="read"`, basicChallenge, keyChallenge)
	})
	t.Run("CLI-5: on the wire they are three lines", func(t *testing.T) {
		text := answer(t, s, "GET /all HTTP/1.1")
		if got := len(regexp.MustCompile(`(?mi)^WWW-Authenticate: [^\r\n]+\r$`).FindAllString(text, -1)); got != 3 {
			t.Errorf("%d lines in\n%s", got, text)
		}
	})
	t.Run("CLI-4: no scheme is offered that the gate does not take", func(t *testing.T) {
		want(t, s.Get("/token"), 401, "missing_credentials", bearerChallenge)
		want(t, s.Get("/keys"), 401, "missing_credentials", keyChallenge)
		want(t, s.Get("/ops"), 401, "missing_credentials", basicChallenge)
		want(t, s.Get("/two"), 401, "missing_credentials", basicChallenge, keyChallenge)
	})
	t.Run("R9110-11: a scheme of another plugin comes after the registered ones", func(t *testing.T) {
		want(t, s.Get("/later"), 401, "missing_credentials", bearerChallenge, basicChallenge, `Busy realm="api"`)
	})
	t.Run("R6750-6: a wrong password or key says nothing about the token", func(t *testing.T) {
		for _, option := range []harness.Option{encoded("alice:wrong"), key("wrong")} {
			want(t, s.Get("/read", option), 401, "invalid_credentials", `Bearer realm="api", scope="read"`, basicChallenge, keyChallenge)
		}
	})
	t.Run("R6750-8: a bad token is an error of Bearer alone", func(t *testing.T) {
		want(t, s.Get("/read", harness.Bearer("abc")), 401, "invalid_token",
			`Bearer realm="api", error="invalid_token", scope="read", error_description="The access token is invalid"`, basicChallenge, keyChallenge)
	})
	t.Run("R6750-9: a token with too little scope is a 403 of Bearer alone", func(t *testing.T) {
		want(t, s.Get("/read", harness.Bearer(harness.Token(t))), 403, "insufficient_scope", insufficient)
	})
	t.Run("R6750-12: a password or key with too little scope is a 403 without a challenge", func(t *testing.T) {
		want(t, s.Get("/read", encoded("alice:secret")), 403, "insufficient_scope")
		want(t, s.Get("/read", key("key-of-a")), 403, "insufficient_scope")
	})
	t.Run("R9110-2: any of the schemes lets in", func(t *testing.T) {
		wantOK(t, s.Get("/all", encoded("alice:secret")))
		wantOK(t, s.Get("/all", key("key-of-a")))
		wantOK(t, s.Get("/all", harness.Bearer(harness.Token(t))))
	})
	for name, value := range map[string]string{
		"R6750-6: BearerX and a good token":   "BearerX " + harness.Token(t),
		"R6750-6: a good token and no scheme": harness.Token(t),
		"R6750-6: Token and a good token":     "Token " + harness.Token(t),
		"R6750-6: JWT and a good token":       "JWT " + harness.Token(t),
		"R6750-6: Bearer and a colon":         "Bearer: " + harness.Token(t),
		"R6750-6: a scheme in quotes":         `"Bearer" ` + harness.Token(t),
		"R6750-6: Digest":                     `Digest username="alice", realm="api", nonce="x", uri="/", response="y"`,
		"R6750-6: Negotiate":                  "Negotiate YII=",
		"R6750-6: an empty field":             "",
	} {
		t.Run(name+" is a 401 without an error", func(t *testing.T) {
			want(t, s.Get("/all", authorization(value)), 401, "missing_credentials", bearerChallenge, basicChallenge, keyChallenge)
			want(t, s.Get("/token", authorization(value)), 401, "missing_credentials", bearerChallenge)
		})
	}
}

func TestMixedAmbiguous(t *testing.T) {
	s := mixedServer(t)
	const invalid = `Bearer realm="api", error="invalid_request", error_description=`
	token := harness.Token(t)
	pair := "Basic YWxpY2U6c2VjcmV0"
	for name, options := range map[string][]harness.Option{
		"KEY-5: a password and a key":               {authorization(pair), key("key-of-a")},
		"R6750-5: a token and a key":                {authorization("Bearer " + token), key("key-of-a")},
		"R6750-5: a bad token and a good key":       {authorization("Bearer x"), key("key-of-a")},
		"R9110-15: a token and a password":          {authorization("Bearer " + token), authorization(pair)},
		"R9110-15: the same token twice":            {authorization("Bearer " + token), authorization("Bearer " + token)},
		"R9110-15: a token and an empty field":      {authorization("Bearer " + token), authorization("")},
		"R9110-15: token and password in one field": {authorization("Bearer " + token + ", " + pair)},
		"R9110-15: joined without a space":          {authorization(pair + ",Bearer " + token)},
	} {
		t.Run(name+" are a 400", func(t *testing.T) {
			response := s.Get("/all", options...)
			if got := response.Challenges(); response.Status != 400 || len(got) != 1 || !strings.HasPrefix(got[0], invalid) {
				t.Errorf("status %d, challenges %q", response.Status, got)
			}
		})
	}
	t.Run("AMB-13: a 400 where no token is taken has no challenge", func(t *testing.T) {
		want(t, s.Get("/two", authorization(pair), key("key-of-a")), 400, "invalid_request")
		want(t, s.Get("/ops", authorization(pair), authorization(pair)), 400, "invalid_request")
	})
	t.Run("R9110-15: a credential of another scheme admits no caller", func(t *testing.T) {
		want(t, s.Get("/token", key("key-of-a")), 401, "missing_credentials", bearerChallenge)
		want(t, s.Get("/ops", authorization("Bearer "+token)), 401, "missing_credentials", basicChallenge)
		want(t, s.Get("/keys", authorization(pair)), 401, "missing_credentials", keyChallenge)
	})
}

func TestUnavailable(t *testing.T) {
	s := mixedServer(t)
	t.Run("O-1: a credential that cannot be judged is a 503 without a challenge", func(t *testing.T) {
		response := s.Get("/later", harness.Header("X-Busy", "x"))
		want(t, response, 503, "temporarily_unavailable")
		if got := response.Header["Retry-After"]; !slices.Equal(got, []string{"2"}) { // 1.5 s, rounded up
			t.Errorf("Retry-After %q", got)
		}
	})
	t.Run("O-1: those that can be judged are", func(t *testing.T) {
		wantOK(t, s.Get("/later", encoded("alice:secret")))
	})
}

// field reads a parameter as the MCP SDKs for TypeScript and Python do: the
// first hit of an expression over the joined field lines.
func field(response *harness.Response, name string) string {
	hit := regexp.MustCompile(name + `=(?:"([^"]+)"|([^\s,]+))`).FindStringSubmatch(strings.Join(response.Challenges(), ", "))
	if hit == nil {
		return ""
	}
	return hit[1] + hit[2]
}

func TestClientsWithExpressions(t *testing.T) {
	s := mixedServer(t)
	for name, test := range map[string]struct {
		options      []harness.Option
		scope, error string
	}{
		"without a token":           {nil, "read", ""},
		"with a wrong password":     {[]harness.Option{encoded("alice:wrong")}, "read", ""},
		"with a bad token":          {[]harness.Option{harness.Bearer("abc")}, "read", "invalid_token"},
		"with a token of one scope": {[]harness.Option{harness.Bearer(harness.Token(t, harness.Claims{"scope": "write"}))}, "read", "insufficient_scope"},
	} {
		t.Run("CLI-2: "+name+" expressions find the scope and the error", func(t *testing.T) {
			response := s.Get("/read", test.options...)
			if got := field(response, "scope"); got != test.scope {
				t.Errorf("scope %q, want %q", got, test.scope)
			}
			if got := field(response, "error"); got != test.error {
				t.Errorf("error %q, want %q", got, test.error)
			}
			if joined := strings.Join(response.Challenges(), ", "); strings.Contains(joined, `\"`) {
				t.Errorf("a quoted quote in %s", joined)
			}
		})
		t.Run("CLI-1: "+name+" the first word is Bearer and a parameter follows", func(t *testing.T) {
			words := strings.Fields(strings.Join(s.Get("/read", test.options...).Challenges(), ", "))
			if len(words) < 2 || words[0] != "Bearer" || !strings.Contains(words[1], "=") {
				t.Errorf("words %q", words)
			}
		})
	}
}
