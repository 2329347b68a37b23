package operations

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/authn/trace"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// site is a configuration with an upstream.
func site(p *harness.Provider, upstream string) string {
	return `{
	events {
		on auth_denied remember
	}
	auth {
		bearer corp {
			issuer ` + harness.Issuer + `
			audience ` + harness.Audience + `
			jwks ` + p.KeySet() + `
		}
		basic ops {
			user alice ` + hash + `
		}
		api_key partners {
			key partner-a sha256:644c122906ee64a4f47271673f7c3b576a59cfcd155034c7f2534123bfd2f675
		}
	}
}
:8080 {
	rewrite /old/* /admin{uri}
	auth_cors https://web.example
	require_auth /admin/* corp {
		scope admin
	}
	require_auth /admin/reports/* corp ops partners {
		role auditor
	}
	require_auth /hidden/* corp {
		hide all
	}
	redir /echo https://elsewhere.example{uri}
	handle_errors {
		respond "sorry, {err.status_code}"
	}
	reverse_proxy ` + upstream + `
}`
}

func explainAt(t *testing.T, s *harness.Server, question map[string]any) requireauth.Explanation {
	t.Helper()
	if address, ok := question["url"].(string); ok {
		question["url"] = s.URL(address)
	}
	response := explain(t, s, question)
	for _, secret := range []any{question["token"], question["headers"]} {
		switch secret := secret.(type) {
		case string:
			if strings.Contains(response.Body, secret) {
				t.Errorf("the answer repeats the token\n%s", response.Body)
			}
		case map[string]string:
			for _, value := range secret {
				if len(value) > 20 && strings.Contains(response.Body, value[len(value)-20:]) {
					t.Errorf("the answer repeats a header field\n%s", response.Body)
				}
			}
		}
	}
	return decode[requireauth.Explanation](t, response)
}

// failedChecks are the checks that did.
func failedChecks(checks []trace.Check) (names []string) {
	for _, check := range checks {
		if check.Result == trace.Failed {
			names = append(names, check.Check)
		}
	}
	return names
}

func TestExplain(t *testing.T) {
	var forwarded atomic.Int32
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { forwarded.Add(1) }))
	t.Cleanup(upstream.Close)
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, site(p, upstream.Listener.Addr().String()))
	eventsNamed("")
	good := p.Token(harness.Claims{"scope": "admin", "roles": []string{"auditor"}})

	t.Run("what is explained is what is answered", func(t *testing.T) {
		for name, test := range map[string]struct {
			path    string
			options []harness.Option
			header  map[string]string
		}{
			"nothing presented":   {path: "/admin/x"},
			"a good token":        {path: "/admin/x", header: map[string]string{"Authorization": "Bearer " + good}},
			"too little":          {path: "/admin/x", header: map[string]string{"Authorization": "Bearer " + p.Token()}},
			"damaged":             {path: "/admin/x", header: map[string]string{"Authorization": "Bearer " + good + "x"}},
			"two gates":           {path: "/admin/reports/1", header: map[string]string{"Authorization": "Bearer " + good}},
			"behind a rewrite":    {path: "/old/x"},
			"hidden":              {path: "/hidden/x"},
			"a redirect":          {path: "/echo?access_token=" + good},
			"a preflight":         {path: "/admin/x", header: map[string]string{"Origin": "https://web.example", "Access-Control-Request-Method": "GET"}},
			"another origin":      {path: "/admin/x", header: map[string]string{"Origin": "https://web.example"}},
			"asked for HTML":      {path: "/admin/x", header: map[string]string{"Accept": "text/html"}},
			"nothing is guarded":  {path: "/public"},
			"a key where none is": {path: "/admin/x", header: map[string]string{"X-API-Key": apiKey}},
		} {
			t.Run(name, func(t *testing.T) {
				method := http.MethodGet
				if test.header["Access-Control-Request-Method"] != "" {
					method = http.MethodOptions
				}
				trace := map[string]string{"X-Trace-Id": "trace-1"}
				options := []harness.Option{harness.Header("X-Trace-Id", "trace-1")}
				for field, value := range test.header {
					trace[field] = value
					options = append(options, harness.Header(http.CanonicalHeaderKey(field), value))
				}
				got := explainAt(t, s, map[string]any{"method": method, "url": test.path, "headers": trace})
				before := forwarded.Load()
				served := s.Do(method, s.URL(test.path), options...)
				if got.Answer == nil {
					if got.Reaches != "reverse_proxy" || forwarded.Load() != before+1 {
						t.Errorf("reaches %q, answered %d", got.Reaches, served.Status)
					}
					return
				}
				for _, name := range []string{"Date", "Content-Length", "Via"} {
					served.Header.Del(name)
					got.Answer.Header.Del(name)
				}
				if got.Answer.Status != served.Status || got.Answer.Body != served.Body && !strings.Contains(got.Answer.Body, "…") {
					t.Errorf("explained\n%d %q\nanswered\n%d %q", got.Answer.Status, got.Answer.Body, served.Status, served.Body)
				}
				for name, values := range served.Header {
					if name != "Location" && !slices.Equal(values, got.Answer.Header[name]) {
						t.Errorf("%s: explained %q, answered %q", name, got.Answer.Header[name], values)
					}
				}
			})
		}
	})

	t.Run("a redirect repeats the query, and the explanation does not", func(t *testing.T) {
		question := `{"url": "` + s.URL("/echo?access_token="+good) + `"}`
		if got := post(s, "/auth/explain", question); !strings.Contains(got.Body, "https://elsewhere.example/echo?…") || strings.Contains(got.Body, good) {
			t.Error(got.Body)
		}
	})

	t.Run("each check", func(t *testing.T) {
		for want, claims := range map[string]harness.Claims{
			"issuer":     {"iss": "https://other.example"},
			"audience":   {"aud": "other"},
			"expiry":     {"exp": 1000},
			"not_before": {"nbf": 99999999999},
			"token_type": {"events": "logout"},
		} {
			got := explainAt(t, s, map[string]any{"url": "/admin/x", "token": p.Token(claims)}).Gates[0]
			if names := failedChecks(got.Checks); !slices.Equal(names, []string{want}) || got.Decision != "denied" || got.Scheme != "corp" {
				t.Errorf("%s: %+v", want, got)
			}
		}
		if got := explainAt(t, s, map[string]any{"url": "/admin/x", "token": harness.StartProvider(t).Token()}).Gates[0]; !slices.Equal(failedChecks(got.Checks), []string{"signature"}) {
			t.Errorf("%+v", got)
		}
		got := explainAt(t, s, map[string]any{"url": "/admin/reports/1", "token": p.Token(harness.Claims{"roles": []string{"auditor"}, "scope": "read"})})
		if len(got.Gates) != 2 || got.Gates[0].Decision != "admitted" || !slices.Equal(failedChecks(got.Gates[1].Checks), []string{"scope"}) {
			t.Fatalf("%+v", got.Gates)
		}
		if detail := got.Gates[1].Checks[len(got.Gates[1].Checks)-1].Detail; !strings.Contains(detail, "required scope admin, held read") {
			t.Error(detail)
		}
		if at := got.Gates[1].Config; !strings.Contains(s.Do("GET", s.AdminURL(at)).Body, "admin") {
			t.Errorf("the gate is not at %q", at)
		}
	})

	t.Run("a token alone", func(t *testing.T) {
		got := explainAt(t, s, map[string]any{"token": good})
		if len(got.Schemes) != 1 || got.Schemes[0].Scheme != "corp" || got.Schemes[0].Verdict != "accepted" || got.Schemes[0].Caller.User != "alice" {
			t.Errorf("%+v", got)
		}
		if got := explainAt(t, s, map[string]any{"token": harness.StartProvider(t).Token(), "scheme": "corp"}); got.Schemes[0].Verdict != "rejected" || got.Schemes[0].Why == "" {
			t.Errorf("%+v", got)
		}
	})
	post(s, "/auth/revocations", `{"token": "`+good+`"}`)
	if got := explainAt(t, s, map[string]any{"token": good}); !slices.Equal(failedChecks(got.Schemes[0].Checks), []string{"revocation"}) {
		t.Errorf("%+v", got)
	}
}

func TestExplainLeavesNothingBehind(t *testing.T) {
	var forwarded atomic.Int32
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { forwarded.Add(1) }))
	t.Cleanup(upstream.Close)
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, site(p, upstream.Listener.Addr().String()))
	eventsNamed("")
	counted := value(t, s, "caddy_auth_decisions_total") + value(t, s, "caddy_auth_verify_duration_seconds")
	token := p.Token(harness.Claims{"scope": "admin"})
	explainAt(t, s, map[string]any{"url": "/admin/x", "token": token})
	explainAt(t, s, map[string]any{"url": "/admin/x"})
	explainAt(t, s, map[string]any{"url": "/admin/reports/x", "headers": map[string]string{"X-API-Key": apiKey}})
	explainAt(t, s, map[string]any{"token": token})
	for range 30 {
		explainAt(t, s, map[string]any{"url": "/admin/reports/x", "headers": map[string]string{"Authorization": "Basic YWxpY2U6d3Jvbmc="}})
	}
	if got := value(t, s, "caddy_auth_decisions_total") + value(t, s, "caddy_auth_verify_duration_seconds"); got != counted {
		t.Errorf("counted %g, before %g", got, counted)
	}
	if got := value(t, s, "caddy_auth_cache_entries", "scheme=corp"); got != 0 {
		t.Errorf("%g tokens are remembered", got)
	}
	if got := forwarded.Load(); got != 0 {
		t.Errorf("%d requests were forwarded", got)
	}
	if got := eventsNamed("auth_denied"); len(got) != 0 {
		t.Errorf("heard %v", got)
	}
	if got := s.Decisions(); len(got) != 0 {
		t.Errorf("logged %v", got)
	}
	if got := s.Get("/admin/reports/x", harness.Basic("alice", password)).Status; got != http.StatusForbidden {
		t.Errorf("status %d after explanations of wrong passwords", got)
	}
	if log := s.LogText(); strings.Contains(log, token) || strings.Contains(log, apiKey) {
		t.Error("a credential is in the log")
	}
}

func TestExplainReachesNoErrorPage(t *testing.T) {
	var requests atomic.Int32
	upstream := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	t.Cleanup(upstream.Close)
	app := withOps(t, `{"servers": {"s": {"listen": [":8080"], "routes": [{"handle": [{"handler": "subroute",
		"routes": [{"handle": [{"handler": "require_auth"}]}],
		"errors": {"routes": [{"handle": [{"handler": "rewrite", "uri": "/page"}, {"handler": "reverse_proxy", "upstreams": [{"dial": "`+upstream.Listener.Addr().String()+`"}]}]}]}}]}]}}}`)
	got := explainAt(t, app, map[string]any{"url": "/"})
	if got.Reaches != "reverse_proxy" || requests.Load() != 0 {
		t.Errorf("reaches %q, and was asked %d times", got.Reaches, requests.Load())
	}
}

// withOps runs an HTTP app beside one scheme.
func withOps(t *testing.T, app string) *harness.Server {
	t.Helper()
	return harness.StartJSONWithAdmin(t, `{"apps": {"auth": {"schemes": {"ops": {"scheme": "basic", "users": [{"name": "alice", "hash": "`+hash+`"}]}}}, "http": `+app+`}}`)
}

func TestExplainRefused(t *testing.T) {
	s := harness.StartWithAdmin(t, one)
	at := s.URL("/")
	for name, test := range map[string]struct{ body, says string }{
		"nothing":             {`{}`, "url and token"},
		"a method alone":      {`{"method": "GET", "token": "a"}`, "url"},
		"an unknown member":   {`{"url": "` + at + `", "body": "x"}`, "body"},
		"no URL":              {`{"url": "/x"}`, "url"},
		"no method":           {`{"url": "` + at + `", "method": "a b"}`, "method"},
		"a port of nobody":    {`{"url": "http://localhost:1/"}`, "no server listens on port 1"},
		"no object":           {`{"url": "` + at + `", "headers": []}`, "headers"},
		"a number":            {`{"url": "` + at + `", "headers": {"A": 1}}`, "headers"},
		"two tokens":          {`{"url": "` + at + `", "token": "a", "headers": {"authorization": "Bearer b"}}`, "token"},
		"a scheme for a URL":  {`{"url": "` + at + `", "scheme": "bearer"}`, "scheme"},
		"an unknown scheme":   {`{"token": "a", "scheme": "other"}`, "scheme"},
		"a member repeated":   {`{"token": "a", "token": "b"}`, "duplicate member token"},
		"a token that is not": {`{"token": 1}`, "token"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, post(s, "/auth/explain", test.body), http.StatusBadRequest, test.says)
		})
	}
}
