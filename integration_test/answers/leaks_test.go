package answers

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// badTokens are tokens that are bad in every way but one: that they expired.
func badTokens(t *testing.T) map[string]string {
	t.Helper()
	good := harness.Token(t)
	parts := strings.Split(good, ".")
	soon := time.Now().Add(time.Hour).Unix()
	algNone := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`))
	token := func(claims harness.Claims) string { return harness.Token(t, claims) }
	sign := func(header map[string]any) string { return harness.Sign(t, jwa.HS256, []byte(harness.Secret), header) }
	return map[string]string{
		"garbage": "garbage", "empty": "", "two parts": parts[0] + "." + parts[1], "four parts": good + ".x", "empty signature": parts[0] + "." + parts[1] + ".",
		"bad signature": harness.Sign(t, jwa.HS256, []byte(strings.Repeat("k", 40)), nil), "cut signature": good[:len(good)-4],
		"other algorithm": harness.Sign(t, jwa.HS512, []byte(strings.Repeat("k", 64)), nil),
		"alg none":        algNone + "." + parts[1] + ".", "alg none, signed": algNone + "." + parts[1] + "." + parts[2],
		"wrong iss": token(harness.Claims{"iss": "https://other"}), "no iss": token(harness.Claims{"iss": nil}),
		"wrong aud": token(harness.Claims{"aud": "other"}), "no aud": token(harness.Claims{"aud": nil}), "aud a number": token(harness.Claims{"aud": 7}),
		"nbf": token(harness.Claims{"nbf": soon}), "iat": token(harness.Claims{"iat": soon}), "no exp": token(harness.Claims{"exp": nil}),
		"exp a string": token(harness.Claims{"exp": "soon"}), "sub a number": token(harness.Claims{"sub": 7}), "nonce": token(harness.Claims{"nonce": "x"}),
		"cnf": token(harness.Claims{"cnf": map[string]any{"jkt": "x"}}), "typ": sign(map[string]any{"typ": "logout+jwt"}), "unknown kid": harness.Sign(t, jwa.HS256, []byte("x"), map[string]any{"kid": "elsewhere"}),
		"several": token(harness.Claims{"iss": "x", "aud": "x", "exp": 1, "nbf": soon}), "expired elsewhere": token(harness.Claims{"aud": "x", "exp": 1}),
		"not JSON": harness.SignBytes(t, jwa.HS256, []byte(harness.Secret), nil, []byte("not JSON")), "too large": strings.Repeat("A", 7000) + ".A.A",
		"twice a member": harness.SignBytes(t, jwa.HS256, []byte(harness.Secret), nil, []byte(`{"iss":"a","iss":"b"}`)),
	}
}

func TestIndistinguishable(t *testing.T) {
	s := harness.Start(t, bearerSite("require_auth\nrespond ok"))
	trace := harness.Header("X-Trace-Id", "same")
	for _, accept := range []string{"application/problem+json", "text/html", "text/plain"} {
		answer := func(token string) string {
			r := s.Get("/", harness.Bearer(token), trace, harness.Header("Accept", accept))
			r.Header.Del("Date")
			return fmt.Sprint(r.Status, r.Header, r.Body)
		}
		first := answer("garbage")
		t.Run("LEAK-1: all bad tokens are answered alike, "+strings.ReplaceAll(accept, "/", " "), func(t *testing.T) {
			for name, token := range badTokens(t) {
				if got := answer(token); got != first {
					t.Errorf("%s\n got %s\nwant %s", name, got, first)
				}
			}
		})
		t.Run("LEAK-1: an expired token differs by contract, "+strings.ReplaceAll(accept, "/", " "), func(t *testing.T) {
			if got := answer(harness.Token(t, harness.Claims{"exp": 1})); got == first || !strings.Contains(got, "The access token is expired") {
				t.Errorf("got %s", got)
			}
		})
	}
	t.Run("LEAK-1: the causes are in the log, and differ", func(t *testing.T) {
		reasons := make(map[any]bool)
		for _, record := range s.Decisions() {
			reasons[record["reason"]] = true
		}
		if len(reasons) < 12 || reasons[nil] || reasons[""] {
			t.Errorf("the reasons are %v", reasons)
		}
	})
}

func TestProbing(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"api/there", "api/folder/index.html"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, file)), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, file), []byte("secret"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := harness.Start(t, bearerSite("require_auth /api/* {\nscope admin\n}\nrequire_auth /other/* {\nscope catalogue:read\n}\nroot "+root+"\nfile_server"))
	send := func(method, path string, options ...harness.Option) string {
		r := s.Do(method, s.URL(path), append(options, harness.Header("X-Trace-Id", "same"))...)
		r.Header.Del("Date")
		return fmt.Sprint(r.Status, r.Header, r.Body)
	}
	t.Run("LEAK-3: what is there and what is not are answered alike", func(t *testing.T) {
		first := send("GET", "/api/there")
		if !strings.HasPrefix(first, "401 ") {
			t.Error(first)
		}
		for _, path := range []string{"/api/missing", "/api/folder", "/api/folder/", "/api/there/", "/api/../api/there", "/api/there?x=y"} {
			for _, method := range []string{"GET", "POST", "DELETE", "BREW"} {
				if got := send(method, path); got != first {
					t.Errorf("%s %s\n got %s\nwant %s", method, path, got, first)
				}
			}
		}
		admin := tokenWithScope(t, "admin")
		for path, status := range map[string]string{"/api/missing": "404", "/api/folder": "308", "/api/there": "200"} {
			if got := send("GET", path, admin); !strings.HasPrefix(got, status) {
				t.Errorf("known caller, %s: %s", path, got)
			}
		}
	})
	t.Run("LEAK-4: a challenge names the scopes of this operation only", func(t *testing.T) {
		want(t, s.Get("/api/there"), 401, "missing_credentials", bare+`, scope="admin"`)
		want(t, s.Get("/api/there", tokenWithScope(t, "x")), 403, "insufficient_scope", noScope)
		if got := send("GET", "/api/there", tokenWithScope(t, "x catalogue:read")); strings.Contains(got, "catalogue") {
			t.Errorf("got %s", got)
		}
	})
}

// TestSecrecy looks for credentials in the log and in every answer.
func TestSecrecy(t *testing.T) {
	auth := strings.Replace(schemes, "bearer corp {", "bearer corp {\ntoken_from header\ntoken_from query\ntoken_from cookie\ntoken_from form\n", 1)
	gates := "require_auth /me corp ops partners\nrequire_auth /admin corp ops partners {\nscope admin\n}\n"
	bad := harness.Sign(t, jwa.HS256, []byte(strings.Repeat("k", 40)), nil, harness.Claims{"jti": "secret-id-of-a-bad-token"})
	secrets := []string{harness.Token(t), bad, harness.Token(t, harness.Claims{"exp": 1}), apiKey, "wrong-" + apiKey[8:], password, "wrong-" + password}
	send := func(s *harness.Server, path string) []*harness.Response {
		var all []*harness.Response
		for i, secret := range secrets {
			options := [][]harness.Option{with(key(secret)), with(harness.Header("Cookie", "api_key="+secret)), with(harness.Basic("alice", secret))}
			if i < 3 {
				options = [][]harness.Option{with(harness.Bearer(secret)), with(harness.Header("Cookie", "access_token="+secret)), with(harness.Bearer(secret), harness.Bearer(secret))}
				all = append(all, s.Get(path+"?access_token="+secret), s.Do("POST", s.URL(path), harness.Body(form, "access_token="+secret)))
			}
			for _, o := range options {
				all = append(all, s.Get(path, o...))
			}
			all = append(all, s.Get(path+"?api_key="+secret))
		}
		return all
	}
	parts := func() map[string]bool {
		all := make(map[string]bool)
		for _, secret := range secrets {
			all[secret] = true
			all[base64.StdEncoding.EncodeToString([]byte("alice:"+secret))] = true
			if pieces := strings.Split(secret, "."); len(pieces) == 3 {
				all[pieces[1]], all[pieces[2]], all[pieces[2][:16]] = true, true, true
			}
		}
		return all
	}()
	check := func(t *testing.T, s *harness.Server, answers []*harness.Response, statuses string) {
		t.Helper()
		records := ""
		for _, r := range answers {
			if status := fmt.Sprint(r.Status); !strings.Contains(records, status) {
				records += status + " "
			}
			for part := range parts {
				if strings.Contains(fmt.Sprint(r.Header, r.Body), part) {
					t.Errorf("an answer holds %.16s…: %v %s", part, r.Header, r.Body)
				}
			}
		}
		for status := range strings.FieldsSeq(statuses) {
			if !strings.Contains(records, status) {
				t.Errorf("no answer was %s: %s", status, records)
			}
		}
		log := s.LogText()
		if len(s.Decisions()) < len(answers) {
			t.Errorf("%d records for %d answers", len(s.Decisions()), len(answers))
		}
		for part := range parts {
			if before, after, found := strings.Cut(log, part); found {
				line := before[strings.LastIndex(before, "\n")+1:] + part + after
				t.Errorf("the log holds %.8s…: %.120s", part, line)
			}
		}
	}
	t.Run("LEAK-5: neither the log nor an answer holds a credential or a part of one", func(t *testing.T) {
		s := harness.Start(t, configure("", auth, gates+"respond ok"))
		check(t, s, append(send(s, "/me"), send(s, "/admin")...), "200 400 401 403")
	})
	t.Run("LEAK-5: the same with error pages", func(t *testing.T) {
		s := harness.Start(t, configure("", auth, "handle_errors {\nrespond \"{err.status_code} {err.message} {http.auth.error} {http.auth.error_description} {http.request.uri.path}\"\n}\n"+gates+"respond ok"))
		check(t, s, append(send(s, "/me"), send(s, "/admin")...), "200 400 401 403")
	})
	t.Run("LEAK-5: the same where denials are hidden", func(t *testing.T) {
		s := harness.Start(t, configure("", auth, strings.ReplaceAll(gates, "{\nscope", "{\nhide all\nscope")+"respond ok"))
		check(t, s, send(s, "/admin"), "404")
	})
	t.Run("LEAK-5: the same with a key that the hidden gate does not judge", func(t *testing.T) {
		s := harness.Start(t, configure("", auth, "require_auth /tokens corp {\nhide all\n}\nrequire_auth /all corp partners {\nhide all\n}\nrespond ok"))
		check(t, s, []*harness.Response{
			s.Get("/tokens", key(apiKey)),
			s.Get("/tokens", key(apiKey), harness.Bearer(bad)),
			s.Get("/all", key(apiKey), harness.Bearer(bad)),
			s.Get("/all", key(apiKey), harness.Bearer(bad), harness.Bearer(bad)),
			s.Get("/all?access_token="+bad, harness.Bearer(bad)),
		}, "404")
	})
}
