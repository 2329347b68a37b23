package schemes

import (
	"encoding/base64"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func basicServer(t *testing.T) *harness.Server {
	t.Helper()
	return harness.Start(t, config(`
		basic ops {
			user alice `+hash(t, "open:sesa:me")+` {
				scope read
				role  operator
			}
			user josé `+hash(t, "pässwörd")+`
			user Bob `+hash(t, "builder")+`
		}
		basic office {
			realm "the \"office\""
			user carol `+hash(t, "paper")+`
		}`, `
	require_auth /office* office
	require_auth /admin* ops {
		scope admin
	}
	require_auth /root* ops {
		role root
	}
	require_auth /operator* ops {
		scope read
		role  operator
	}
	require_auth /both* office ops
	@rest not path /office* /admin* /root* /operator* /both*
	require_auth @rest ops
	respond "{http.auth.user.id} {http.auth.scheme}"`))
}

func TestBasicAdmits(t *testing.T) {
	s := basicServer(t)
	for name, credential := range map[string]harness.Option{
		"R7617-2: the password begins after the first colon":      encoded("alice:open:sesa:me"),
		"R9110-5: the scheme is recognized in capitals":           authorization("BASIC YWxpY2U6b3BlbjpzZXNhOm1l"),
		"R9110-5: the scheme is recognized in mixed case":         authorization("bAsIc YWxpY2U6b3BlbjpzZXNhOm1l"),
		"R9110-6: several spaces may follow the scheme":           authorization("Basic    YWxpY2U6b3BlbjpzZXNhOm1l"),
		"R9110-6: spaces after the credential are not part of it": authorization("Basic YWxpY2U6b3BlbjpzZXNhOm1l  "),
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.Get("/", credential).Want(200, "").Body; got != "alice ops" {
				t.Errorf("body %q", got)
			}
		})
	}
	t.Run("R7617-4: composed and decomposed letters are the same", func(t *testing.T) {
		for _, pair := range []string{"josé:pässwörd", "jose\u0301:pa\u0308sswo\u0308rd", "josé:pa\u0308sswörd"} {
			if got := s.Get("/", encoded(pair)).Want(200, "").Body; got != "josé ops" {
				t.Errorf("%q: body %q", pair, got)
			}
		}
	})
	t.Run("R7617-4: the case of a user name counts", func(t *testing.T) {
		wantOK(t, s.Get("/", encoded("Bob:builder")))
		want(t, s.Get("/", encoded("bob:builder")), 401, "invalid_credentials", basicChallenge)
	})
	t.Run("R9110-2: scope and role of a user count", func(t *testing.T) {
		wantOK(t, s.Get("/operator", encoded("alice:open:sesa:me")))
		want(t, s.Get("/operator", encoded("Bob:builder")), 403, "")
	})
	t.Run("R6750-12: what another password would not cure is a 403 without a challenge", func(t *testing.T) {
		want(t, s.Get("/admin", encoded("alice:open:sesa:me")), 403, "insufficient_scope")
		want(t, s.Get("/root", encoded("alice:open:sesa:me")), 403, "insufficient_role")
	})
	t.Run("R7617-6: users of either of two Basic schemes come in", func(t *testing.T) {
		if got := s.Get("/both", encoded("alice:open:sesa:me")).Want(200, "").Body; got != "alice ops" {
			t.Errorf("body %q", got)
		}
		if got := s.Get("/both", encoded("carol:paper")).Want(200, "").Body; got != "carol office" {
			t.Errorf("body %q", got)
		}
	})
}

func TestBasicRefuses(t *testing.T) {
	s := basicServer(t)
	t.Run("R7617-1: the challenge has a realm and a charset and nothing else", func(t *testing.T) {
		want(t, s.Get("/"), 401, "missing_credentials", basicChallenge)
		want(t, s.Get("/operator"), 401, "missing_credentials", basicChallenge)
		want(t, s.Get("/office"), 401, "missing_credentials", `Basic realm="the \"office\"", charset="UTF-8"`)
	})
	t.Run("R7617-6: the credentials of another realm get the plain challenge", func(t *testing.T) {
		for range 3 {
			want(t, s.Get("/office", encoded("alice:open:sesa:me")), 401, "invalid_credentials", `Basic realm="the \"office\"", charset="UTF-8"`)
		}
		wantOK(t, s.Get("/office", encoded("carol:paper")))
	})
	good := base64.StdEncoding.EncodeToString([]byte("alice:open:sesa:me"))
	unpadded := base64.RawStdEncoding.EncodeToString([]byte("Bob:builder"))
	for name, value := range map[string]string{
		"R7617-3: a wrong password":                       "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:wrong")),
		"R7617-3: an unknown user":                        "Basic " + base64.StdEncoding.EncodeToString([]byte("mallory:wrong")),
		"R7617-3: an empty name and password":             "Basic Og==",
		"R7617-3: a user name without a colon":            "Basic YWxpY2U=",
		"R7617-3: a bare Basic":                           "Basic",
		"R7617-3: Basic and a space":                      "Basic ",
		"R7617-3: what is not base64":                     "Basic !!!!",
		"R7617-3: the URL alphabet":                       "Basic YWxpY2U6_-__",
		"R7617-3: base64 with a bit too much":             "Basic YWxpY2V=",
		"R7617-3: what is not UTF-8":                      "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:\xff\xfe")),
		"R7617-3: text behind the credential":             "Basic " + good + " more",
		"R7617-3: a parameter behind the credential":      "Basic " + good + ", realm=\"api\"",
		"R7617-3: the pair in the clear":                  "Basic alice:open:sesa:me",
		"R7617-2: base64 without its padding":             "Basic " + unpadded,
		"R7617-2: a control character in the password":    "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:open:sesa:me\x00")),
		"R7617-2: a DEL in the password":                  "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:open:sesa:me\x7f")),
		"R7617-2: a line break in the name":               "Basic " + base64.StdEncoding.EncodeToString([]byte("alice\r\n:open:sesa:me")),
		"R9110-6: a tab between scheme and credential":    "Basic\t" + good,
		"R9110-6: a tab after the space":                  "Basic \t" + good,
		"R7617-3: a hundred bytes of a password too many": "Basic " + base64.StdEncoding.EncodeToString([]byte("alice:open:sesa:me"+string(make([]byte, 100)))),
	} {
		t.Run(name+" is a 401 with the challenge", func(t *testing.T) {
			want(t, s.Get("/", authorization(value)), 401, "invalid_credentials", basicChallenge)
		})
	}
	t.Run("R9110-15: two fields are a 400 and no challenge could help", func(t *testing.T) {
		want(t, s.Get("/", authorization("Basic "+good), authorization("Basic "+good)), 400, "invalid_request")
	})
	t.Run("R9110-15: two pairs joined in one field are a 400", func(t *testing.T) {
		want(t, s.Get("/", authorization("Basic "+good+", Basic "+good)), 400, "invalid_request")
	})
	t.Run("R9110-5: a scheme whose name only begins like Basic is another one", func(t *testing.T) {
		for _, name := range []string{"BasicX ", "Basics ", "xBasic ", "Basic:"} {
			want(t, s.Get("/", authorization(name+good)), 401, "missing_credentials", basicChallenge)
		}
	})
	t.Run("R9110-4: Proxy-Authorization is not read", func(t *testing.T) {
		want(t, s.Get("/", harness.Header("Proxy-Authorization", "Basic "+good)), 401, "missing_credentials", basicChallenge)
	})
}

func TestBasicRealm(t *testing.T) {
	s := harness.Start(t, config("realm off\nbasic ops {\n user alice "+hash(t, "x")+"\n}", "require_auth\nrespond hello"))
	t.Run("R7617-1: a realm is sent even where the others send none", func(t *testing.T) {
		want(t, s.Get("/"), 401, "missing_credentials", basicChallenge)
	})
}
