package answers

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const form = "application/x-www-form-urlencoded"

func from(locations ...string) string {
	return "bearer corp {" + harness.BearerLines + "token_from " + strings.Join(locations, "\ntoken_from ") + "\n}"
}

// TestQuery has tokens in the query, RFC 6750 §2.3.
func TestQuery(t *testing.T) {
	b := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if control := r.Header.Get("X-Say"); control != "" {
			w.Header().Set("Cache-Control", control)
		}
		_, _ = io.WriteString(w, "ok")
	})
	token := harness.Token(t)
	t.Run("R6750-3: by default a query token neither authenticates nor is an error", func(t *testing.T) {
		s := harness.Start(t, bearerSite("require_auth\nreverse_proxy "+b.addr))
		want(t, s.Get("/me?access_token="+token), 401, "missing_credentials", bare)
		wantPassed(t, s.Get("/me?access_token="+token, harness.Bearer(token)), "ok")
		wantPassed(t, s.Get("/me?access_token=a&access_token=b", harness.Bearer(token)), "ok")
		want(t, s.Do("POST", s.URL("/me"), harness.Body(form, "access_token="+token)), 401, "missing_credentials", bare)
		want(t, s.Get("/me", harness.Header("Cookie", "access_token="+token)), 401, "missing_credentials", bare)
	})
	s := harness.Start(t, configure("", from("header", "query"), "require_auth\nreverse_proxy "+b.addr))
	t.Run("R6750-4: a query token does not go on, and the answer is private", func(t *testing.T) {
		for query, rest := range map[string]string{
			"?access_token=" + token:                    "/me",
			"?a=1&access_token=" + token + "&b=%20":     "/me?a=1&b=%20",
			"?a=1&acces%73%5Ftoken=" + token:            "/me?a=1",
			"?x=access_token&access_token=" + token:     "/me?x=access_token",
			"?access_tokens=kept&access_token=" + token: "/me?access_tokens=kept",
		} {
			r := s.Get("/me" + query)
			wantPassed(t, r, "ok")
			field(t, r, "Cache-Control", "private")
			if got := b.last(t).RequestURI; got != rest {
				t.Errorf("the upstream was asked for %s, want %s", got, rest)
			}
		}
	})
	t.Run("R6750-4: what shares is made private, what is stricter stays", func(t *testing.T) {
		for name, sent := range map[string]string{
			"public, max-age=60": "max-age=60, private", "s-maxage=9": "private", "no-store": "no-store", "private, max-age=1": "private, max-age=1",
		} {
			field(t, s.Get("/me?access_token="+token, harness.Header("X-Say", name)), "Cache-Control", sent)
		}
	})
	t.Run("R6750-5: two places and a repeated parameter are 400", func(t *testing.T) {
		before := b.count()
		want(t, s.Get("/me?access_token=x"+token, harness.Bearer(token)), 400, "invalid_request", twice)
		want(t, s.Get("/me?access_token="+token+"&access_token="+token), 400, "invalid_request", twice)
		want(t, s.Get("/me?access_token="+token+"&access_token="), 400, "invalid_request", twice)
		if b.count() != before {
			t.Error("something was forwarded")
		}
	})
	t.Run("R6750-5: the same token in two locations is one, and the query does not go on", func(t *testing.T) {
		wantPassed(t, s.Get("/me?a=1&access_token="+token, harness.Bearer(token)), "ok")
		if got := b.last(t).RequestURI; got != "/me?a=1" {
			t.Errorf("the upstream was asked for %s", got)
		}
	})
	t.Run("R6750-8: a bad query token is invalid_token", func(t *testing.T) {
		want(t, s.Get("/me?access_token=nonsense"), 401, "invalid_token", invalid)
		want(t, s.Get("/me?access_token="), 401, "missing_credentials", bare)
	})
}

// TestForm has tokens in the body, RFC 6750 §2.2.
func TestForm(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", from("header", "form"), "require_auth /strip* {\nstrip_credentials\n}\nrequire_auth /form*\nreverse_proxy "+b.addr))
	token := harness.Token(t)
	body := "a=1&access_token=" + token + "&b=%C3%A9+x"
	t.Run("R6750-2: the token is read and the body goes on as it was", func(t *testing.T) {
		for _, method := range []string{"POST", "PUT", "PATCH"} {
			for _, media := range []string{form, form + "; charset=UTF-8", "Application/X-WWW-Form-Urlencoded"} {
				want(t, s.Do(method, s.URL("/form"), harness.Body(media, body)), 200, "")
				if got := b.last(t); got.body != body || got.ContentLength != int64(len(body)) {
					t.Errorf("the upstream got %d bytes of %d", len(got.body), got.ContentLength)
				}
			}
		}
	})
	t.Run("R6750-2: strip_credentials takes the token out and leaves the rest", func(t *testing.T) {
		want(t, s.Do("POST", s.URL("/strip"), harness.Body(form, body)), 200, "")
		got := b.last(t)
		values, err := url.ParseQuery(got.body)
		if err != nil || len(values) != 2 || values.Get("a") != "1" || values.Get("b") != "é x" || got.ContentLength != int64(len(got.body)) {
			t.Errorf("the upstream got %q", got.body)
		}
	})
	t.Run("R6750-2: other bodies and methods are no place for a token", func(t *testing.T) {
		long := "access_token=" + token + "&x=" + strings.Repeat("x", 70<<10)
		before := b.count()
		for name, r := range map[string]*harness.Response{
			"GET":       s.Do("GET", s.URL("/form"), harness.Body(form, body)),
			"HEAD":      s.Do("HEAD", s.URL("/form"), harness.Body(form, body)),
			"JSON":      s.Do("POST", s.URL("/form"), harness.Body("application/json", body)),
			"no type":   s.Do("POST", s.URL("/form"), harness.Body("", body)),
			"multipart": s.Do("POST", s.URL("/form"), harness.Body("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"access_token\"\r\n\r\n"+token+"\r\n--x--\r\n")),
			"not ASCII": s.Do("POST", s.URL("/form"), harness.Body(form, body+"&c=é")),
			"too long":  s.Do("POST", s.URL("/form"), harness.Body(form, long)),
		} {
			if r.Status != 401 || len(r.Challenges()) != 1 || r.Challenges()[0] != bare {
				t.Errorf("%s: %d %q", name, r.Status, r.Challenges())
			}
		}
		if b.count() != before {
			t.Error("something was forwarded")
		}
	})
	t.Run("R6750-2: a long body goes on whole", func(t *testing.T) {
		long := strings.Repeat("0123456789abcdef", 20<<10)
		want(t, s.Do("POST", s.URL("/form"), harness.Body(form, long), harness.Bearer(token)), 200, "")
		if got := b.last(t).body; got != long {
			t.Errorf("%d of %d bytes came", len(got), len(long))
		}
	})
	t.Run("R6750-5: header and form, and the parameter twice, are 400", func(t *testing.T) {
		want(t, s.Do("POST", s.URL("/form"), harness.Body(form, body), harness.Bearer(token+"x")), 400, "invalid_request", twice)
		want(t, s.Do("POST", s.URL("/form"), harness.Body(form, body+"&access_token=x")), 400, "invalid_request", twice)
	})
}

// TestCookie has tokens in a cookie.
func TestCookie(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", from("header", "cookie session"), `
		auth_cors https://web.example {
			credentials
		}
		require_auth /strip* {
			strip_credentials
		}
		require_auth
		reverse_proxy `+b.addr))
	token := harness.Token(t)
	cookie := harness.Header("Cookie", "a=1; session="+token+"; b=2")
	t.Run("R6750-15: a cookie is a place where that is configured", func(t *testing.T) {
		r := s.Get("/", cookie)
		want(t, r, 200, "")
		field(t, r, "Cache-Control", "private")
		if vary := strings.Join(r.Header.Values("Vary"), ", "); !strings.Contains(vary, "Cookie") {
			t.Errorf("Vary %q", vary)
		}
		want(t, s.Get("/", harness.Header("Cookie", "access_token="+token)), 401, "missing_credentials", bare)
		want(t, s.Get("/", harness.Header("Cookie", "session=nonsense")), 401, "invalid_token", invalid)
	})
	site, other := harness.Header("Sec-Fetch-Site", "same-origin"), harness.Header("Sec-Fetch-Site", "cross-site")
	t.Run("R6750-15: another site cannot make a browser change something", func(t *testing.T) {
		before := b.count()
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for _, sign := range with(other, harness.Header("Sec-Fetch-Site", "same-site"), harness.Header("Origin", "https://evil.example"), harness.Header("Origin", "null")) {
				want(t, s.Do(method, s.URL("/"), cookie, sign), 403, "access_denied")
			}
		}
		if b.count() != before {
			t.Error("something was forwarded")
		}
		want(t, s.Get("/", cookie, other, harness.Header("Connection", "Upgrade"), harness.Header("Upgrade", "websocket")), 403, "access_denied")
	})
	t.Run("R6750-15: the site itself, a trusted origin, safe methods and headers may", func(t *testing.T) {
		want(t, s.Do("POST", s.URL("/"), cookie, site), 200, "")
		want(t, s.Do("POST", s.URL("/"), cookie), 200, "") // no browser
		want(t, s.Do("POST", s.URL("/"), cookie, other, harness.Header("Origin", "https://web.example")), 200, "")
		want(t, s.Get("/", cookie, other), 200, "")
		want(t, s.Do("POST", s.URL("/"), harness.Bearer(token), other), 200, "")
	})
	t.Run("R6750-5: a repeated cookie, and header and cookie, are 400", func(t *testing.T) {
		want(t, s.Get("/", cookie, harness.Bearer(token+"x")), 400, "invalid_request", twice)
		want(t, s.Get("/", harness.Header("Cookie", "session="+token+"; session=x")), 400, "invalid_request", twice)
		want(t, s.Get("/", cookie, cookie), 400, "invalid_request", twice)
	})
	t.Run("R9110-18: strip_credentials takes out the cookie and leaves the others", func(t *testing.T) {
		want(t, s.Get("/strip", cookie), 200, "")
		if got := strings.ReplaceAll(b.last(t).Header.Get("Cookie"), " ", ""); got != "a=1;b=2" {
			t.Errorf("Cookie %q", got)
		}
		want(t, s.Get("/keep", cookie), 200, "")
		if got := b.last(t).Header.Get("Cookie"); !strings.Contains(got, token) {
			t.Errorf("Cookie %q", got)
		}
	})
}

// TestNamedField has tokens in fields of identity proxies and of applications.
func TestNamedField(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", from("header Cf-Access-Jwt-Assertion", "header X-Api-Token", "header"), `
		require_auth /strip* {
			strip_credentials
		}
		require_auth
		reverse_proxy `+b.addr))
	token := harness.Token(t)
	t.Run("R6750-1: the token is alone or after Bearer", func(t *testing.T) {
		for _, value := range []string{token, "Bearer " + token, "bearer   " + token} {
			r := s.Get("/", harness.Header("X-Api-Token", value))
			want(t, r, 200, "")
			field(t, r, "Cache-Control", "private")
			field(t, r, "Vary", "X-Api-Token")
		}
		want(t, s.Get("/", harness.Bearer(token)), 200, "")
		want(t, s.Get("/"), 401, "missing_credentials", bare)
		for _, value := range []string{"nonsense", "Basic " + token, token + " " + token, "Bearer"} {
			want(t, s.Get("/", harness.Header("X-Api-Token", value)), 401, "invalid_token", invalid)
		}
	})
	t.Run("R6750-5: a named field that comes twice is 400, also with the same token", func(t *testing.T) {
		want(t, s.Get("/", harness.Header("X-Api-Token", token), harness.Header("X-Api-Token", token)), 400, "invalid_request", twice)
		want(t, s.Get("/", harness.Header("X-Api-Token", token), harness.Header("Cf-Access-Jwt-Assertion", "x")), 400, "invalid_request", twice)
		if reason := lastReason(s); reason != "more than one credential in the request: in header Cf-Access-Jwt-Assertion and in header X-Api-Token" {
			t.Errorf("the reason is %v", reason)
		}
	})
	t.Run("R9110-18: strip_credentials removes the token from every location", func(t *testing.T) {
		all := with(harness.Header("X-Api-Token", "Bearer "+token), harness.Header("Cf-Access-Jwt-Assertion", token), harness.Bearer(token), harness.Header("X-Other", "kept"))
		want(t, s.Get("/strip", all...), 200, "")
		got := b.last(t).Header
		if got.Get("X-Api-Token")+got.Get("Cf-Access-Jwt-Assertion")+got.Get("Authorization") != "" || got.Get("X-Other") != "kept" {
			t.Errorf("%v goes on", got)
		}
		want(t, s.Get("/strip", harness.Bearer(token), harness.Header("X-Api-Token", "")), 200, "")
	})
	t.Run("R6750-15: a field that a proxy sets for the session of a browser is like a cookie", func(t *testing.T) {
		other := harness.Header("Sec-Fetch-Site", "cross-site")
		want(t, s.Do("POST", s.URL("/"), harness.Header("Cf-Access-Jwt-Assertion", token), other), 403, "access_denied")
		want(t, s.Do("POST", s.URL("/"), harness.Header("X-Api-Token", token), other), 200, "")
	})
}

// TestSplitCookie has a token that login libraries split into several cookies.
func TestSplitCookie(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", from("cookie session"), "require_auth {\nstrip_credentials\n}\nreverse_proxy "+b.addr))
	token := harness.Token(t)
	half := len(token) / 2
	cookie := func(value string) harness.Option { return harness.Header("Cookie", value) }
	t.Run("R6750-15: the parts are one token, and none of them goes on", func(t *testing.T) {
		want(t, s.Get("/", cookie("a=1; session.1="+token[half:]+"; session.0="+token[:half]+"; session.x=2")), 200, "")
		if got := strings.ReplaceAll(b.last(t).Header.Get("Cookie"), " ", ""); got != "a=1;session.x=2" {
			t.Errorf("Cookie %q goes on", got)
		}
	})
	t.Run("R6750-5: a gap is 400, and the log says which part is missing", func(t *testing.T) {
		want(t, s.Get("/", cookie("session.0="+token[:half]+"; session.2="+token[half:])), 400, "invalid_request", twice)
		if reason := lastReason(s); reason != "the cookie session is split, and part 1 of it is missing" {
			t.Errorf("the reason is %v", reason)
		}
	})
	t.Run("R6750-5: the whole token beside parts of another one is 400", func(t *testing.T) {
		want(t, s.Get("/", cookie("session="+token+"; session.0=x")), 400, "invalid_request", twice)
		want(t, s.Get("/", cookie("session="+token+"; session.0="+token[:half]+"; session.1="+token[half:])), 200, "")
	})
	t.Run("R9110-15: parts that are too long together are 431", func(t *testing.T) {
		var parts []string
		for i := range 5 {
			parts = append(parts, "session."+string(rune('0'+i))+"="+strings.Repeat("a", 4000))
		}
		if r := s.Get("/", cookie(strings.Join(parts, "; "))); r.Status != 431 || len(r.Challenges()) != 0 {
			t.Errorf("%d %q", r.Status, r.Challenges())
		}
	})
}

// TestSubprotocol has tokens of WebSockets in browsers, which set no other field.
func TestSubprotocol(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", from("websocket", "header"), "require_auth\nreverse_proxy "+b.addr))
	token := harness.Token(t)
	handshake := func(protocols ...string) []harness.Option {
		options := with(harness.Header("Connection", "Upgrade"), harness.Header("Upgrade", "websocket"))
		for _, value := range protocols {
			options = append(options, harness.Header("Sec-WebSocket-Protocol", value))
		}
		return options
	}
	t.Run("R6750-1: the token follows the subprotocol bearer, and never goes on", func(t *testing.T) {
		for offered, rest := range map[string]string{"bearer, " + token: "bearer", "graphql-ws,bearer," + token: "graphql-ws, bearer", "bearer, " + token + ", v2": "bearer, v2"} {
			want(t, s.Get("/", handshake(offered)...), 200, "")
			if got := b.last(t).Header.Get("Sec-WebSocket-Protocol"); got != rest {
				t.Errorf("%q goes on, want %q", got, rest)
			}
		}
		want(t, s.Get("/", handshake("bearer", token)...), 200, "")
		want(t, s.Get("/", append(handshake("v2"), harness.Bearer(token))...), 200, "")
	})
	t.Run("R6750-8: without the marker there is no token, and another one is invalid", func(t *testing.T) {
		for _, offered := range []string{token, "bearer", "v2", token + ", bearer"} {
			want(t, s.Get("/", handshake(offered)...), 401, "missing_credentials", bare)
		}
		want(t, s.Get("/", harness.Header("Sec-WebSocket-Protocol", "bearer, "+token)), 401, "missing_credentials", bare)
		want(t, s.Get("/", handshake("bearer, nonsense")...), 401, "invalid_token", invalid)
	})
	t.Run("R6750-5: two tokens are 400", func(t *testing.T) {
		want(t, s.Get("/", handshake("bearer, "+token+", bearer, "+token)...), 400, "invalid_request", twice)
		want(t, s.Get("/", append(handshake("bearer, "+token), harness.Bearer("x"))...), 400, "invalid_request", twice)
	})
}

// lastReason returns the reason of the last decision in the log.
func lastReason(s *harness.Server) any {
	records := s.Decisions()
	return records[len(records)-1]["reason"]
}
