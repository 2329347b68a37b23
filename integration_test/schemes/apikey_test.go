package schemes

import (
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func keyServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config(`
		api_key partners {
			from header X-API-Key
			from header X-Other-Key
			from query  api_key
			from cookie key
			key partner-a `+digest("key-of-a")+` {
				scope read write
				role  partner
			}
			key partner-b `+digest("key-of-b")+`
			key partner-c `+digest("key-of-c")+` {
				expires 2001-01-01T00:00:00Z
			}
			key partner-d `+digest("key-of-d")+` {
				expires 2999-01-01T00:00:00Z
			}
		}
		api_key plain {
			realm off
			key partner-a `+digest("key-of-a")+`
		}
		api_key query {
			from query key
			key partner-a `+digest("key-of-a")+`
		}`, `
	require_auth /plain* plain
	require_auth /query* query
	require_auth /write* partners {
		scope read write
	}
	require_auth /admin* partners {
		scope read admin
	}
	require_auth /partner* partners {
		role partner
	}
	@rest not path /plain* /query* /write* /admin* /partner*
	require_auth @rest partners
	respond "{http.auth.user.id} {http.auth.user.scope}"`))
}

func TestKeyAdmits(t *testing.T) {
	s := keyServer(t)
	for name, options := range map[string][]harness.Option{
		"KEY-1: a key in the first field":                {key("key-of-a")},
		"KEY-1: a field name in lower case":              {harness.Header("x-api-key", "key-of-a")},
		"KEY-1: a key in another configured field":       {harness.Header("X-Other-Key", "key-of-a")},
		"KEY-1: a key in a cookie":                       {cookie("a=b; key=key-of-a; c=d")},
		"KEY-1: an empty second place is nothing":        {key("key-of-a"), cookie("key=")},
		"KEY-1: Authorization means nothing to this one": {key("key-of-a"), authorization("Basic !!")},
	} {
		t.Run(name+" lets in", func(t *testing.T) {
			if got := s.Get("/", options...).Want(200, "").Body; got != "partner-a read write" {
				t.Errorf("body %q", got)
			}
		})
	}
	t.Run("KEY-1: a key in the query lets in", func(t *testing.T) {
		wantOK(t, s.Get("/?x=1&api_key=key-of-a"))
		wantOK(t, s.Get("/?api%5Fkey=key%2Dof%2Da"))
	})
	t.Run("KEY-5: a key that ends in the future lets in", func(t *testing.T) {
		wantOK(t, s.Get("/", key("key-of-d")))
	})
	t.Run("R9110-2: scopes and roles of a key count", func(t *testing.T) {
		wantOK(t, s.Get("/write", key("key-of-a")))
		wantOK(t, s.Get("/partner", key("key-of-a")))
	})
	t.Run("R6750-12: a key with too little gets a 403 without any challenge", func(t *testing.T) {
		problem := s.Get("/admin", key("key-of-a")).Want(403, "insufficient_scope").Problem()
		if strings.Join(problem.RequiredScopes, " ") != "read admin" {
			t.Errorf("required scopes %q", problem.RequiredScopes)
		}
		want(t, s.Get("/write", key("key-of-b")), 403, "insufficient_scope")
		problem = s.Get("/partner", key("key-of-b")).Want(403, "insufficient_role").Problem()
		if strings.Join(problem.RequiredRoles, " ") != "partner" {
			t.Errorf("required roles %q", problem.RequiredRoles)
		}
	})
}

func TestKeyRefuses(t *testing.T) {
	s := keyServer(t)
	t.Run("KEY-2: the challenge names the first place and is the only one", func(t *testing.T) {
		want(t, s.Get("/"), 401, "missing_credentials", keyChallenge)
		want(t, s.Get("/write"), 401, "missing_credentials", keyChallenge)
		want(t, s.Get("/query"), 401, "missing_credentials", `ApiKey realm="api", in="query", name="key"`)
	})
	t.Run("KEY-2: without a realm the place is still named", func(t *testing.T) {
		want(t, s.Get("/plain"), 401, "missing_credentials", `ApiKey in="header", name="X-API-Key"`)
	})
	t.Run("KEY-2: a wrong key gets the same challenge", func(t *testing.T) {
		want(t, s.Get("/", key("nonsense")), 401, "invalid_credentials", keyChallenge)
	})
	t.Run("KEY-3: a key behind Bearer is not a key", func(t *testing.T) {
		want(t, s.Get("/", authorization("Bearer key-of-a")), 401, "missing_credentials", keyChallenge)
	})
	t.Run("KEY-5: malformed, unknown and expired keys are answered byte for byte alike", func(t *testing.T) {
		send := func(value string) string {
			return answer(t, s, "GET /data HTTP/1.1", "X-Trace-Id: the-same", "X-API-Key: "+value)
		}
		want := send("key-of-z")
		if !strings.HasPrefix(want, "HTTP/1.1 401 ") {
			t.Fatalf("no 401:\n%s", want)
		}
		for _, value := range []string{"key-of-c", "KEY-OF-A", "key of a", "key-of-a, key-of-a", "\xff\xfe", digest("key-of-a"), "partner-a", strings.Repeat("k", 4096)} {
			if got := send(value); got != want {
				t.Errorf("%q\n got %s\nwant %s", value, got, want)
			}
		}
	})
	t.Run("LEAK-1: the log knows the expired key by its id", func(t *testing.T) {
		s.Get("/", key("key-of-c"), harness.Header("X-Trace-Id", "look-here"))
		last := s.Decisions()[len(s.Decisions())-1]
		if last["trace_id"] != "look-here" || !strings.Contains(last["reason"].(string), `"partner-c"`) {
			t.Errorf("record %v", last)
		}
	})
	t.Run("LEAK-5: no key reaches the log of the gate", func(t *testing.T) {
		s.Get("/?api_key=key-of-a")
		s.Get("/?api_key=key-of-z")
		for _, record := range s.Decisions() {
			for field, value := range record {
				if text, ok := value.(string); ok && strings.Contains(text, "key-of-") {
					t.Errorf("%s is %q", field, text)
				}
			}
		}
	})
}

func TestKeyAmbiguous(t *testing.T) {
	s := keyServer(t)
	for name, request := range map[string]struct {
		path    string
		options []harness.Option
	}{
		"the field twice":                         {"/", []harness.Option{key("key-of-a"), key("key-of-a")}},
		"the field twice, once empty":             {"/", []harness.Option{key("key-of-a"), key("")}},
		"the field in two spellings":              {"/", []harness.Option{key("key-of-a"), harness.Header("x-api-key", "key-of-b")}},
		"two fields":                              {"/", []harness.Option{key("key-of-a"), harness.Header("X-Other-Key", "key-of-b")}},
		"field and query":                         {"/?api_key=key-of-a", []harness.Option{key("key-of-b")}},
		"field and cookie":                        {"/", []harness.Option{key("key-of-a"), cookie("key=key-of-b")}},
		"query and cookie":                        {"/?api_key=key-of-a", []harness.Option{cookie("key=key-of-b")}},
		"the parameter twice":                     {"/?api_key=key-of-a&api_key=key-of-a", nil},
		"the parameter twice, once empty":         {"/?api_key=key-of-a&api_key", nil},
		"the parameter in two spellings":          {"/?api_key=key-of-a&api%5fkey=key-of-b", nil},
		"the parameter twice, once undecodable":   {"/?api_key=key-of-a&api_key=%zz", nil},
		"the parameter twice, once with ;":        {"/?api_key=key-of-a&api_key=key-of-b;x=1", nil},
		"the cookie twice":                        {"/", []harness.Option{cookie("key=key-of-a; key=key-of-b")}},
		"the cookie twice, once empty":            {"/", []harness.Option{cookie("key=; key=key-of-a")}},
		"the cookie in two fields":                {"/", []harness.Option{cookie("key=key-of-a"), cookie("key=key-of-b")}},
		"the cookie twice, once with a bad value": {"/", []harness.Option{cookie(`key=key-of-a; key=key"of\b`)}},
	} {
		t.Run("KEY-5: "+name+" is a 400 without a challenge", func(t *testing.T) {
			want(t, s.Get(request.path, request.options...), 400, "invalid_request")
		})
	}
}
