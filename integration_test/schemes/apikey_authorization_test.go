package schemes

import (
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestKeyInAuthorization(t *testing.T) {
	const aKey = "key-of-a"
	line := "\n\tkey partner-a " + digest(aKey) + "\n}\n"
	s := harness.Start(t, config(`
		api_key bearer_keys {
			from authorization`+line+`
		api_key token_keys {
			from authorization Token`+line+`
		api_key basic_keys {
			realm off
			from authorization Basic`+line+`
		api_key both {
			from header X-API-Key
			from authorization bearer`+line+`
		api_key jws_keys {
			from authorization
			key partner-j `+digest("a.b.c")+`
		}
		basic users {
			user alice `+hash(t, "secret")+`
		}
		attempts 3 {
			per_client 3
		}
		bearer corp {`+harness.BearerLines+`}`, `
	require_auth /bearer* bearer_keys
	require_auth /token* token_keys
	require_auth /basic* basic_keys
	require_auth /both* both
	require_auth /jws* jws_keys
	require_auth /users* users basic_keys
	require_auth /mixed* corp bearer_keys
	require_auth /turned* bearer_keys corp
	respond "{http.auth.user.id} {http.auth.scheme}"`))
	admits := func(name, path, body string, options ...harness.Option) {
		t.Run(name+" lets in", func(t *testing.T) {
			r := s.Get(path, options...)
			want(t, r, 200, "")
			if r.Body != body {
				t.Errorf("body %q", r.Body)
			}
		})
	}
	admits("KEY-3: a key after Bearer", "/bearer", "partner-a bearer_keys", authorization("Bearer "+aKey))
	admits("KEY-3: the name of the scheme in another case", "/bearer", "partner-a bearer_keys", authorization("bEARER "+aKey))
	admits("KEY-3: a key after another name", "/token", "partner-a token_keys", authorization("token "+aKey))
	admits("KEY-3: a key as a password", "/basic", "partner-a basic_keys", encoded("__token__:"+aKey))
	admits("KEY-3: a key as a password without a name", "/basic", "partner-a basic_keys", encoded(":"+aKey))
	admits("KEY-3: a key beside passwords", "/users", "partner-a basic_keys", encoded("x:"+aKey))
	admits("KEY-3: a password beside keys", "/users", "alice users", encoded("alice:secret"))
	admits("KEY-3: a key beside tokens", "/mixed", "partner-a bearer_keys", authorization("Bearer "+aKey))
	admits("KEY-3: a token beside keys", "/mixed", "alice corp", authorization("Bearer "+harness.Token(t)))
	admits("KEY-3: a token after keys", "/turned", "alice corp", authorization("Bearer "+harness.Token(t)))
	admits("KEY-3: a key in the form of a token, without a scheme of tokens", "/jws", "partner-j jws_keys", authorization("Bearer a.b.c"))
	admits("KEY-5: a key in another location", "/both", "partner-a both", key(aKey))

	refuses := func(name, path string, status int, code, challenge string, options ...harness.Option) {
		t.Run(name+" is refused", func(t *testing.T) {
			if challenge == "" {
				want(t, s.Get(path, options...), status, code)
				return
			}
			want(t, s.Get(path, options...), status, code, challenge)
		})
	}
	refuses("KEY-3: no key", "/bearer", 401, "missing_credentials", `Bearer realm="api"`)
	refuses("KEY-3: no password", "/basic", 401, "missing_credentials", `Basic realm="api", charset="UTF-8"`)
	refuses("KEY-3: a key after the name of another scheme", "/token", 401, "missing_credentials", `Token realm="api"`, authorization("Bearer "+aKey))
	refuses("KEY-3: a key without a scheme", "/bearer", 401, "missing_credentials", `Bearer realm="api"`, authorization(aKey))
	refuses("KEY-3: a key as the name of a user", "/basic", 401, "invalid_credentials", `Basic realm="api", charset="UTF-8"`, encoded(aKey+":"))
	refuses("KEY-5: a key in two locations", "/both", 400, "invalid_request", "", key(aKey), authorization("Bearer other"))
	refuses("KEY-5: two Authorization fields", "/bearer", 400, "invalid_request", "", authorization("Bearer "+aKey), authorization("Bearer "+aKey))

	t.Run("LEAK-6: a bad token beside keys is no failed attempt", func(t *testing.T) {
		for range 10 {
			want(t, s.Get("/mixed", authorization("Bearer x.y.z")), 401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		}
	})
	t.Run("LEAK-6: wrong keys are counted", func(t *testing.T) {
		for range 2 { // after the key as the name of a user
			want(t, s.Get("/mixed", authorization("Bearer wrong")), 401, "invalid_credentials", `Bearer realm="api"`)
		}
		if got := s.Get("/mixed", authorization("Bearer wrong")).Status; got != 429 {
			t.Errorf("status %d", got)
		}
	})
}
