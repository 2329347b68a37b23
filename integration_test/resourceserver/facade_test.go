package resourceserver

import (
	"encoding/json"
	"html"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

const (
	facadeAt = "/.well-known/auth/oauth/"
	ownURI   = "http://127.0.0.1:4711/cb"
	verifier = "a-verifier-of-a-client-of-43-characters-or-more"
)

// startFacade runs a gate with a facade in front of a provider.
func startFacade(t *testing.T, p *fakeProvider, scheme, lines string) *harness.Server {
	t.Helper()
	t.Setenv("FACADE_SECRET", theSecret) // Caddy logs its configuration
	s := harness.Start(t, `
http://localhost:8080 {
	auth_cors https://other.example {
		credentials
	}
	require_auth /mcp* {
		bearer entra {
			audience api://mcp
			`+scheme+`
		}
		protected_resource http://localhost:8080/mcp {
			authorization_server_facade entra {
				client_id `+theClient+`
				client_secret {env.FACADE_SECRET}
				`+lines+`
			}
		}
		scope mcp:use
		mcp
	}
	respond "the upstream"
}`)
	p.callback = s.URL(facadeAt + "callback/mcp")
	return s
}

// entra is a facade in front of a provider that refuses as Entra does.
func entra(t *testing.T) (*harness.Server, *fakeProvider) {
	t.Helper()
	p := startFakeProvider(t, func(p *fakeProvider) { p.refuses, p.scopes = []string{"resource"}, []string{"api://mcp/.default"} })
	return startFacade(t, p, "issuer "+p.URL, "drop resource\nscope api://mcp/.default\nredirect_uri https://app.example/cb"), p
}

// browser keeps the cookie of a facade, as a browser does.
type browser struct {
	*harness.Server
	t      *testing.T
	cookie string
}

func (b *browser) get(target string) *harness.Response {
	b.t.Helper()
	return b.do(http.MethodGet, target)
}

func (b *browser) do(method, target string, options ...harness.Option) *harness.Response {
	b.t.Helper()
	if b.cookie != "" {
		options = append(options, harness.Header("Cookie", b.cookie))
	}
	r := b.Do(method, target, options...)
	if set := r.Header.Get("Set-Cookie"); set != "" {
		b.cookie, _, _ = strings.Cut(set, ";")
	}
	return r
}

// request is the authorization request of a client, with parameters replaced; an empty
// one is left out.
func request(replaced map[string]string) string {
	all := map[string]string{
		"response_type": "code", "client_id": theClient, "redirect_uri": ownURI, "state": "state of the client", "scope": "mcp:use",
		"code_challenge": challengeOf(verifier), "code_challenge_method": "S256",
	}
	maps.Copy(all, replaced)
	values := url.Values{}
	for name, value := range all {
		if value != "" {
			values.Set(name, value)
		}
	}
	return values.Encode()
}

var hidden = regexp.MustCompile(`name="request" value="([^"]*)"`)

// begin opens the page of the consent, and returns what its form holds.
func (b *browser) begin(query string) string {
	b.t.Helper()
	r := b.get(b.URL(facadeAt + "authorize/mcp?" + query))
	found := hidden.FindStringSubmatch(r.Body)
	if r.Status != http.StatusOK || found == nil {
		b.t.Fatalf("no consent: %d %v\n%s", r.Status, r.Header, r.Body)
	}
	return html.UnescapeString(found[1])
}

// decide sends the form of the consent.
func (b *browser) decide(sealed, decision string, options ...harness.Option) *harness.Response {
	b.t.Helper()
	form := url.Values{"request": {sealed}, "decision": {decision}}
	options = append(options, harness.Body("application/x-www-form-urlencoded", form.Encode()), harness.Header("Sec-Fetch-Site", "same-origin"))
	return b.do(http.MethodPost, b.URL(facadeAt+"consent/mcp"), options...)
}

// location is where a response leads.
func location(t *testing.T, r *harness.Response) *url.URL {
	t.Helper()
	target, err := url.Parse(r.Header.Get("Location"))
	if err != nil || target.String() == "" {
		t.Fatalf("no redirect: %d %v\n%s", r.Status, err, r.Body)
	}
	return target
}

// login takes a client to its code.
func (b *browser) login(query string) string {
	b.t.Helper()
	toProvider := location(b.t, b.decide(b.begin(query), "allow"))
	fromProvider := location(b.t, b.get(toProvider.String()))
	back := location(b.t, b.get(fromProvider.String()))
	values := back.Query()
	if code := values.Get("code"); code != "" && values.Get("iss") == b.URL("/mcp") && values.Get("state") == "state of the client" {
		return code
	}
	b.t.Fatalf("no code: %s", back)
	return ""
}

func post(s *harness.Server, form url.Values, options ...harness.Option) *harness.Response {
	options = append(options, harness.Body("application/x-www-form-urlencoded", form.Encode()))
	return s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp"), options...)
}

// redemption is the token request of a client.
func redemption(code string, replaced map[string]string) url.Values {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {ownURI}, "client_id": {theClient}, "code_verifier": {verifier},
	}
	for name, value := range replaced {
		if form.Set(name, value); value == "" {
			form.Del(name)
		}
	}
	return form
}

func members(t *testing.T, r *harness.Response) map[string]any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(r.Body), &all); err != nil {
		t.Fatalf("%d: %v\n%s", r.Status, err, r.Body)
	}
	return all
}

func TestFacadeLogin(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (*harness.Server, *fakeProvider){
		"Entra": entra,
		"Okta": func(t *testing.T) (*harness.Server, *fakeProvider) {
			p := startFakeProvider(t, nil)
			return startFacade(t, p, "issuer "+p.URL, ""), p
		},
		"GitHub": func(t *testing.T) (*harness.Server, *fakeProvider) {
			p := startFakeProvider(t, func(p *fakeProvider) { p.noMetadata, p.opaque, p.ignorePKCE = true, true, true })
			return startFacade(t, p, "introspection "+p.URL+"/introspect {\nclient_id gate\nclient_secret gate\n}",
				"drop resource\nscope read:user\nauthorization_endpoint "+p.URL+"/authorize?prompt=consent\ntoken_endpoint "+p.URL+"/token"), p
		},
	} {
		t.Run("FACADE-1 FACADE-6 FACADE-7: from a bare 401 to a tool with "+name, func(t *testing.T) {
			s, p := start(t)
			challenged := s.Do(http.MethodPost, s.URL("/mcp"), harness.Body("application/json", `{"jsonrpc":"2.0","id":1,"method":"initialize"}`))
			if challenged.Status != http.StatusUnauthorized || !strings.Contains(challenged.Challenges()[0], "/.well-known/oauth-protected-resource/mcp") {
				t.Fatalf("%d %q", challenged.Status, challenged.Challenges())
			}
			described := members(t, s.Get("/.well-known/oauth-protected-resource/mcp"))
			if servers := described["authorization_servers"].([]any); len(servers) != 1 || servers[0] != s.URL("/mcp") {
				t.Fatal(servers)
			}
			server := members(t, s.Get("/.well-known/oauth-authorization-server/mcp"))
			registered := s.Do(http.MethodPost, server["registration_endpoint"].(string), harness.Body("application/json", `{"redirect_uris":["`+ownURI+`"]}`))
			if registered.Status != http.StatusCreated || members(t, registered)["client_id"] != theClient {
				t.Fatal(registered.Body)
			}
			b := &browser{Server: s, t: t}
			code := b.login(request(map[string]string{"resource": s.URL("/mcp")}))
			answer := post(s, redemption(code, map[string]string{"resource": s.URL("/mcp")}))
			if answer.Status != http.StatusOK || answer.Header.Get("Cache-Control") != "no-store" || strings.Contains(answer.Body, theSecret) {
				t.Fatalf("%d %v %s", answer.Status, answer.Header, answer.Body)
			}
			if form := p.lastTokenRequest(); form.Get("client_secret") != theSecret || form.Get("code_verifier") != verifier || form.Get("redirect_uri") != p.callback {
				t.Error(form)
			}
			tokens := members(t, answer)
			tool := s.Do(http.MethodPost, s.URL("/mcp"), harness.Bearer(tokens["access_token"].(string)), harness.Body("application/json", `{}`))
			if tool.Status != http.StatusOK {
				t.Errorf("%d %s", tool.Status, tool.Body)
			}
			refreshed := post(s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["refresh_token"].(string)}, "client_id": {theClient}, "resource": {s.URL("/mcp")}})
			if refreshed.Status != http.StatusOK || members(t, refreshed)["access_token"] == nil {
				t.Errorf("%d %s", refreshed.Status, refreshed.Body)
			}
			if again := post(s, redemption(code, nil)); again.Status != http.StatusBadRequest || members(t, again)["error"] != "invalid_grant" {
				t.Errorf("the code works twice: %d %s", again.Status, again.Body)
			}
			for _, secret := range []string{theSecret, code, verifier, tokens["access_token"].(string)} {
				if strings.Contains(s.LogText(), secret) {
					t.Errorf("the log has %.30q", secret)
				}
			}
		})
	}
}

func TestFacadeMetadata(t *testing.T) {
	s, _ := entra(t)
	t.Run("FACADE-1: the same document at each place, for every origin", func(t *testing.T) {
		var first string
		for _, path := range []string{"oauth-authorization-server/mcp", "oauth-authorization-server", "openid-configuration/mcp", "openid-configuration"} {
			r := s.Get("/.well-known/"+path, harness.Header("Origin", "https://any.example"))
			if first == "" {
				first = r.Body
			}
			if r.Status != http.StatusOK || r.Body != first || r.Header.Get("Access-Control-Allow-Origin") != "*" || r.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s: %d %v\n%s", path, r.Status, r.Header, r.Body)
			}
		}
		document := members(t, s.Get("/.well-known/oauth-authorization-server/mcp"))
		for name, want := range map[string]any{
			"issuer": s.URL("/mcp"), "authorization_endpoint": s.URL(facadeAt + "authorize/mcp"), "token_endpoint": s.URL(facadeAt + "token/mcp"),
			"registration_endpoint": s.URL(facadeAt + "register/mcp"), "client_id_metadata_document_supported": true,
			"authorization_response_iss_parameter_supported": true,
		} {
			if document[name] != want {
				t.Errorf("%s: %v", name, document[name])
			}
		}
	})
	t.Run("FACADE-1: scripts can register and redeem", func(t *testing.T) {
		for _, name := range []string{"register", "token"} {
			r := s.Do(http.MethodOptions, s.URL(facadeAt+name+"/mcp"), harness.Header("Origin", "https://any.example"),
				harness.Header("Access-Control-Request-Method", "POST"), harness.Header("Access-Control-Request-Headers", "content-type"))
			if r.Status != http.StatusNoContent || r.Header.Get("Access-Control-Allow-Origin") != "*" || !strings.Contains(r.Header.Get("Access-Control-Allow-Headers"), "Content-Type") {
				t.Errorf("%s: %d %v", name, r.Status, r.Header)
			}
		}
		bad := s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp"), harness.Header("Origin", "https://any.example"))
		if bad.Status != http.StatusBadRequest || bad.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%d %v", bad.Status, bad.Header)
		}
		page := s.Get(facadeAt+"authorize/mcp?"+request(nil), harness.Header("Origin", "https://any.example"))
		if page.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("the page is readable: %v", page.Header)
		}
	})
	t.Run("FACADE-1: other paths go on, other methods do not", func(t *testing.T) {
		for _, path := range []string{"/.well-known/oauth-authorization-server/other", "/.well-known/openid-configuration/mcp/x", facadeAt + "token", facadeAt + "token/mcp/", facadeAt + "token%2Fmcp"} {
			if r := s.Get(path); r.Body != "the upstream" {
				t.Errorf("%s: %d %s", path, r.Status, r.Body)
			}
		}
		for path, allowed := range map[string]string{"token/mcp": "POST", "register/mcp": "POST", "consent/mcp": "POST"} {
			if r := s.Get(facadeAt + path); r.Status != http.StatusMethodNotAllowed || r.Header.Get("Allow") != allowed {
				t.Errorf("%s: %d %v", path, r.Status, r.Header)
			}
		}
	})
}

func TestFacadeRegistration(t *testing.T) {
	s, _ := entra(t)
	register := func(body string) *harness.Response {
		return s.Do(http.MethodPost, s.URL(facadeAt+"register/mcp"), harness.Body("application/json", body))
	}
	for name, uri := range map[string]string{"loopback": ownURI, "IPv6": "http://[::1]:1/", "localhost": "http://localhost:9/cb", "listed": "https://app.example/cb"} {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			r := register(`{"redirect_uris":["` + uri + `"],"client_name":"App","token_endpoint_auth_method":"client_secret_basic"}`)
			answer := members(t, r)
			if r.Status != http.StatusCreated || answer["client_id"] != theClient || answer["token_endpoint_auth_method"] != "none" || answer["client_secret"] != nil {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if r.Header.Get("Cache-Control") != "no-store" || strings.Contains(r.Body, theSecret) {
				t.Errorf("%v %s", r.Header, r.Body)
			}
		})
	}
	for name, uri := range map[string]string{
		"user info": "http://user@127.0.0.1/cb", "trailing dot": "http://localhost./cb", "fragment": "http://127.0.0.1/cb#f",
		"encoded slash": "http://127.0.0.1/a%2fb", "another scheme": "evil://cb", "wildcard": "http://127.0.0.1:*/cb", "another host": "https://evil.example/cb",
		"one character more": "https://app.example/cb/",
	} {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			r := register(`{"redirect_uris":["` + ownURI + `","` + uri + `"]}`)
			if r.Status != http.StatusBadRequest || members(t, r)["error"] != "invalid_redirect_uri" {
				t.Errorf("%d %s", r.Status, r.Body)
			}
			if page := s.Get(facadeAt + "authorize/mcp?" + request(map[string]string{"redirect_uri": uri})); page.Status != http.StatusBadRequest || page.Header.Get("Location") != "" {
				t.Errorf("authorize: %d %v", page.Status, page.Header)
			}
			if !strings.Contains(s.LogText(), "the authorization server facade refused a request") || strings.Contains(s.LogText(), "panic") {
				t.Error(s.LogText())
			}
		})
	}
	for name, body := range map[string]string{
		"empty": "", "no object": "[]", "no URIs": "{}", "no list": `{"redirect_uris":"` + ownURI + `"}`, "a number": `{"redirect_uris":[1]}`,
		"an empty list": `{"redirect_uris":[]}`, "too many": `{"redirect_uris":["` + strings.Repeat(ownURI+`","`, 20) + ownURI + `"]}`,
		"a member twice": `{"redirect_uris":["` + ownURI + `"],"redirect_uris":["` + ownURI + `"]}`,
		"too large":      `{"redirect_uris":["` + ownURI + `"],"x":"` + strings.Repeat("x", 17<<10) + `"}`,
	} {
		t.Run("FACADE-2: "+name, func(t *testing.T) {
			if r := register(body); r.Status != http.StatusBadRequest || !strings.HasPrefix(members(t, r)["error"].(string), "invalid_") {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
}

func TestFacadeAuthorization(t *testing.T) {
	s, p := entra(t)
	t.Run("FACADE-5: the page of the consent", func(t *testing.T) {
		b := &browser{Server: s, t: t}
		r := b.get(s.URL(facadeAt + "authorize/mcp?" + request(map[string]string{"redirect_uri": "https://app.example/cb"})))
		for field, want := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
			"X-Frame-Options":         "DENY", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Referrer-Policy": "same-origin",
		} {
			if got := r.Header.Get(field); got != want {
				t.Errorf("%s: %q", field, got)
			}
		}
		if !strings.Contains(r.Body, "app.example") || !strings.Contains(r.Body, "https://app.example/cb") || !strings.Contains(r.Body, s.URL("/mcp")) || strings.Contains(r.Body, "<script") {
			t.Error(r.Body)
		}
		if cookie := r.Header.Get("Set-Cookie"); !strings.Contains(cookie, "HttpOnly") || !strings.Contains(cookie, "SameSite=Lax") || !strings.Contains(cookie, "Max-Age=600") {
			t.Error(cookie)
		}
	})
	// back begins a login that fails at once, and returns the answer to the client.
	back := func(t *testing.T, replaced map[string]string) url.Values {
		t.Helper()
		r := s.Get(facadeAt + "authorize/mcp?" + request(replaced))
		target := location(t, r)
		if !strings.HasPrefix(target.String(), ownURI+"?") || target.Query().Get("iss") != s.URL("/mcp") {
			t.Errorf("FACADE-6: %s", target)
		}
		return target.Query()
	}
	for name, test := range map[string]struct {
		replaced map[string]string
		want     string
	}{
		"no challenge":                 {map[string]string{"code_challenge": "", "code_challenge_method": ""}, "invalid_request"},
		"no method, which means plain": {map[string]string{"code_challenge_method": ""}, "invalid_request"},
		"plain":                        {map[string]string{"code_challenge_method": "plain"}, "invalid_request"},
		"a short challenge":            {map[string]string{"code_challenge": "short"}, "invalid_request"},
		"an implicit grant":            {map[string]string{"response_type": "token"}, "unsupported_response_type"},
		"a fragment":                   {map[string]string{"response_mode": "fragment"}, "invalid_request"},
		"a request object":             {map[string]string{"request": "x"}, "request_not_supported"},
		"a request URI":                {map[string]string{"request_uri": "x"}, "request_uri_not_supported"},
		"another resource":             {map[string]string{"resource": "https://other.example/mcp"}, "invalid_target"},
		"a long state":                 {map[string]string{"state": strings.Repeat("s", 3<<10)}, "invalid_request"},
	} {
		t.Run("FACADE-4 FACADE-6: "+name, func(t *testing.T) {
			if got := back(t, test.replaced).Get("error"); got != test.want {
				t.Errorf("%q", got)
			}
		})
	}
	for name, query := range map[string]string{
		"another client":         request(map[string]string{"client_id": "other"}),
		"no client":              request(map[string]string{"client_id": ""}),
		"no redirect URI":        request(map[string]string{"redirect_uri": ""}),
		"a document on loopback": request(map[string]string{"client_id": "https://127.0.0.1/c.json"}),
		"a document by a name":   request(map[string]string{"client_id": "https://localhost.localdomain/c.json"}),
		"a parameter twice":      request(nil) + "&redirect_uri=https%3A%2F%2Fevil.example",
		"a long query":           request(map[string]string{"x": strings.Repeat("x", 5<<10)}),
		"an invalid query":       request(nil) + "&%zz",
	} {
		t.Run("FACADE-3 FACADE-9: "+name, func(t *testing.T) {
			if r := s.Get(facadeAt + "authorize/mcp?" + query); r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" || r.Header.Get("Set-Cookie") != "" {
				t.Errorf("%d %v", r.Status, r.Header)
			}
		})
	}
	t.Run("FACADE-5: the user says no", func(t *testing.T) {
		b := &browser{Server: s, t: t}
		answer := location(t, b.decide(b.begin(request(nil)), "deny"))
		if answer.Query().Get("error") != "access_denied" || answer.Query().Get("state") != "state of the client" {
			t.Error(answer)
		}
	})
	t.Run("FACADE-5: no consent of another browser, or from another site", func(t *testing.T) {
		attacker, victim := &browser{Server: s, t: t}, &browser{Server: s, t: t}
		sealed := attacker.begin(request(nil))
		victim.begin(request(nil))
		for name, r := range map[string]*harness.Response{
			"another browser":   victim.decide(sealed, "allow"),
			"without a cookie":  (&browser{Server: s, t: t}).decide(sealed, "allow"),
			"from another site": attacker.do(http.MethodPost, s.URL(facadeAt+"consent/mcp"), harness.Body("application/x-www-form-urlencoded", url.Values{"request": {sealed}, "decision": {"allow"}}.Encode()), harness.Header("Sec-Fetch-Site", "cross-site"), harness.Header("Origin", "https://evil.example")),
			"two cookies":       attacker.decide(sealed, "allow", harness.Header("Cookie", victim.cookie)),
			"made up":           attacker.decide("made up", "allow"),
		} {
			if r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
				t.Errorf("%s: %d %v", name, r.Status, r.Header)
			}
		}
	})
	t.Run("FACADE-5: a victim does not bring the code of an attacker's login", func(t *testing.T) {
		attacker, victim := &browser{Server: s, t: t}, &browser{Server: s, t: t}
		toProvider := location(t, attacker.decide(attacker.begin(request(nil)), "allow")).String()
		victim.begin(request(nil))
		fromProvider := location(t, victim.get(toProvider)) // the victim is signed in there
		if r := victim.get(fromProvider.String()); r.Status != http.StatusBadRequest || r.Header.Get("Location") != "" {
			t.Errorf("%d %v", r.Status, r.Header)
		}
	})
	t.Run("FACADE-5: the state of one step serves no other", func(t *testing.T) {
		b := &browser{Server: s, t: t}
		sealed := b.begin(request(nil))
		if r := b.get(p.callback + "?code=x&state=" + url.QueryEscape(sealed)); r.Status != http.StatusBadRequest {
			t.Errorf("%d %v", r.Status, r.Header)
		}
		if r := b.get(p.callback + "?code=x&iss=https%3A%2F%2Fevil.example&state=" + url.QueryEscape(location(t, b.decide(sealed, "allow")).Query().Get("state"))); r.Status != http.StatusBadRequest {
			t.Errorf("of another issuer: %d %v", r.Status, r.Header)
		}
	})
	t.Run("FACADE-7: what the provider is told", func(t *testing.T) {
		b := &browser{Server: s, t: t}
		query := location(t, b.decide(b.begin(request(map[string]string{"resource": s.URL("/mcp"), "prompt": "login"})), "allow")).Query()
		for name, want := range map[string]string{
			"client_id": theClient, "redirect_uri": p.callback, "scope": "api://mcp/.default", "resource": "", "prompt": "login",
			"code_challenge": challengeOf(verifier), "code_challenge_method": "S256", "response_type": "code",
		} {
			if query.Get(name) != want {
				t.Errorf("%s: %q", name, query.Get(name))
			}
		}
		if strings.Contains(query.Encode(), theSecret) {
			t.Error("the secret is in the URL")
		}
	})
	t.Run("FACADE-8: an error of the provider reaches the client", func(t *testing.T) {
		b := &browser{Server: s, t: t}
		state := location(t, b.decide(b.begin(request(nil)), "allow")).Query().Get("state")
		answer := location(t, b.get(p.callback+"?error=access_denied&error_description=AADSTS65004%22%0d%0aX&state="+url.QueryEscape(state))).Query()
		if answer.Get("error") != "access_denied" || answer.Get("error_description") != "AADSTS65004X" || answer.Get("iss") != s.URL("/mcp") {
			t.Error(answer)
		}
	})
}

// TestFacadeParameters has a client that asks for more than the user is told: FACADE-5, FACADE-7.
func TestFacadeParameters(t *testing.T) {
	p := startFakeProvider(t, nil)
	s := startFacade(t, p, "issuer "+p.URL, "")
	more := map[string]string{"scope": "mail.read", "audience": "https://other.example", "claims": "{}", "authorization_details": "[]"}
	b := &browser{Server: s, t: t}
	consent := s.Get(facadeAt + "authorize/mcp?" + request(more))
	if !strings.Contains(consent.Body, "<code>mail.read</code>") {
		t.Error(consent.Body)
	}
	query := location(t, b.decide(b.begin(request(more)), "allow")).Query()
	if query.Get("scope") != "mail.read" || query.Has("audience") || query.Has("claims") || query.Has("authorization_details") {
		t.Error(query)
	}
	for _, scope := range []string{"mail\u202eread", "mail\tread", "mail\u00a0read", "mail\x00read"} {
		if answer := location(t, b.get(s.URL(facadeAt+"authorize/mcp?"+request(map[string]string{"scope": scope})))).Query(); answer.Get("error") != "invalid_scope" {
			t.Errorf("%q: %v", scope, answer)
		}
	}
	code := redemption(b.login(request(nil)), map[string]string{"scope": "admin", "audience": "https://other.example", "client_assertion": "x"})
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {theClient}, "scope": {"admin"}, "audience": {"https://other.example"}, "assertion": {"x"}}
	for _, form := range []url.Values{code, refresh} {
		post(s, form)
		if sent := p.lastTokenRequest(); sent.Has("scope") || sent.Has("audience") || sent.Has("client_assertion") || sent.Has("assertion") {
			t.Error(sent)
		}
	}
}

// TestFacadeScopes has an operator who writes the scopes into the endpoint: FACADE-5.
func TestFacadeScopes(t *testing.T) {
	p := startFakeProvider(t, func(p *fakeProvider) { p.noMetadata = true })
	s := startFacade(t, p, "issuer "+p.URL+"\njwks "+p.URL+"/jwks", "authorization_endpoint "+p.URL+"/authorize?scope=repo+admin\ntoken_endpoint "+p.URL+"/token")
	b := &browser{Server: s, t: t}
	if consent := s.Get(facadeAt + "authorize/mcp?" + request(nil)); !strings.Contains(consent.Body, "<code>repo admin</code>") {
		t.Error(consent.Body)
	}
	if query := location(t, b.decide(b.begin(request(nil)), "allow")).Query(); query.Get("scope") != "repo admin" {
		t.Error(query)
	}
}

func TestFacadeToken(t *testing.T) {
	s, p := entra(t)
	b := &browser{Server: s, t: t}
	fails := func(t *testing.T, r *harness.Response, status int, code string) {
		t.Helper()
		if r.Status != status || members(t, r)["error"] != code || r.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%d %s, want %d %s", r.Status, r.Body, status, code)
		}
	}
	for name, test := range map[string]struct {
		replaced map[string]string
		want     string
	}{
		"no verifier":          {map[string]string{"code_verifier": ""}, "invalid_grant"},
		"another verifier":     {map[string]string{"code_verifier": verifier + "x"}, "invalid_grant"},
		"another client":       {map[string]string{"client_id": "https://evil.example/c.json"}, "invalid_grant"},
		"no client":            {map[string]string{"client_id": ""}, "invalid_grant"},
		"another redirect URI": {map[string]string{"redirect_uri": "http://127.0.0.1:1/cb"}, "invalid_grant"},
		"another resource":     {map[string]string{"resource": "https://other.example"}, "invalid_target"},
		"another grant type":   {map[string]string{"grant_type": "client_credentials"}, "unsupported_grant_type"},
		"no grant type":        {map[string]string{"grant_type": ""}, "unsupported_grant_type"},
		"a code of its own":    {map[string]string{"code": "code of the provider"}, "invalid_grant"},
	} {
		t.Run("FACADE-4: "+name, func(t *testing.T) {
			before := len(p.tokenRequests)
			fails(t, post(s, redemption(b.login(request(nil)), test.replaced)), http.StatusBadRequest, test.want)
			if len(p.tokenRequests) != before {
				t.Error("the provider was asked")
			}
		})
	}
	t.Run("FACADE-7: forms are strict", func(t *testing.T) {
		fails(t, s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp"), harness.Body("application/json", `{"grant_type":"refresh_token"}`)), 400, "invalid_request")
		fails(t, s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp?grant_type=refresh_token"), harness.Body("application/x-www-form-urlencoded", "a=b")), 400, "invalid_request")
		fails(t, s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp"), harness.Body("application/x-www-form-urlencoded", "grant_type=a&grant_type=b")), 400, "invalid_request")
		fails(t, s.Do(http.MethodPost, s.URL(facadeAt+"token/mcp"), harness.Body("application/x-www-form-urlencoded", strings.Repeat("a", 40<<10))), 400, "invalid_request")
		fails(t, post(s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "client_id": {"other"}}), 400, "invalid_client")
		fails(t, post(s, redemption("x", nil), harness.Basic(theClient, "guess")), 401, "invalid_client")
	})
	t.Run("FACADE-7: a client's secret and dropped parameters do not go on", func(t *testing.T) {
		form := redemption(b.login(request(nil)), map[string]string{"client_secret": "of the client", "resource": s.URL("/mcp"), "scope": "mcp:use"})
		if r := post(s, form); r.Status != http.StatusOK {
			t.Fatal(r.Body)
		}
		if sent := p.lastTokenRequest(); sent.Get("client_secret") != theSecret || sent.Has("resource") || sent.Get("scope") != "api://mcp/.default" {
			t.Error(sent)
		}
	})
	t.Run("FACADE-8: what the provider answers", func(t *testing.T) {
		refresh := func() *harness.Response {
			return post(s, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"unknown"}, "client_id": {theClient}})
		}
		fails(t, refresh(), 400, "invalid_grant")
		answers := func(status int, media, body string) {
			handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", media)
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			})
			p.broken.Store(&handler)
		}
		for _, test := range []struct {
			status      int
			media, body string
			want        int
			code        string
		}{
			{503, "text/html", "<h1>down</h1>", 503, "temporarily_unavailable"},
			{429, "application/json", `{"error":"slow_down"}`, 503, "temporarily_unavailable"},
			{200, "text/html", "<h1>hello</h1>", 502, "server_error"},
			{200, "application/x-www-form-urlencoded", "access_token=a", 502, "server_error"},
			{200, "application/json", `{"access_token":1}`, 502, "server_error"},
			{200, "application/json", `{"access_token":"a","access_token":"b"}`, 502, "server_error"},
			{200, "application/json", `{"access_token":"` + strings.Repeat("a", 300<<10) + `"}`, 503, "temporarily_unavailable"},
			{401, "application/json", `{"error":"invalid_client","error_description":"AADSTS7000222"}`, 502, "server_error"},
			{400, "application/json", `{"error":"invalid_grant","error_description":"AADSTS50173: revoked"}`, 400, "invalid_grant"},
			{400, "application/json", `{"error":"<script>"}`, 502, "server_error"},
		} {
			answers(test.status, test.media, test.body)
			r := refresh()
			fails(t, r, test.want, test.code)
			if (r.Header.Get("Retry-After") != "") != (test.want == 503) {
				t.Errorf("%v", r.Header)
			}
		}
		if log := s.LogText(); !strings.Contains(log, "AADSTS7000222") || !strings.Contains(log, "cannot use its provider") {
			t.Error(log)
		}
		p.Close()
		fails(t, refresh(), 503, "temporarily_unavailable")
	})
}

func TestFacadeRefused(t *testing.T) {
	gate := func(resource, facade string) string {
		return `
http://localhost:8080 {
	require_auth /mcp* {
		bearer entra {` + harness.BearerLines + `
		}
		basic ops {
			user alice $2a$04$QJYgY0aVs0vCXhYVKBE7ROLdLVqKSKp7XLY8pC7eRcVnPiqQ9YpKu
		}
		protected_resource ` + resource + ` {
			` + facade + `
		}
	}
	respond ok
}`
	}
	s := harness.Start(t, "http://localhost:8080 {\nrespond ok\n}")
	const good = "authorization_server_facade entra {\nclient_id a\n}"
	for name, test := range map[string]struct{ resource, facade, says string }{
		"another scheme":       {"http://localhost:8080/mcp", "authorization_server_facade other {\nclient_id a\n}", "name a bearer scheme that this gate accepts"},
		"a scheme of users":    {"http://localhost:8080/mcp", "authorization_server_facade ops {\nclient_id a\n}", "name a bearer scheme that this gate accepts"},
		"no scheme":            {"http://localhost:8080/mcp", "authorization_server_facade {\nclient_id a\n}", "authorization_server_facade <bearer scheme>"},
		"no client":            {"http://localhost:8080/mcp", "authorization_server_facade entra", "client_id is missing"},
		"twice":                {"http://localhost:8080/mcp", good + "\n" + good, "duplicate authorization_server_facade"},
		"a query":              {"http://localhost:8080/mcp?a=b", good, "no query"},
		"beside another one":   {"http://localhost:8080/mcp", good + "\nauthorization_server https://idp.example.com", "take the line authorization_server out"},
		"an unknown line":      {"http://localhost:8080/mcp", "authorization_server_facade entra {\nclient_id a\nallow all\n}", "unrecognized subdirective"},
		"a secret by accident": {"http://localhost:8080/mcp", "authorization_server_facade entra {\nclient_id a\nclient_secret {http.request.header.X}\n}", "placeholder"},
		"an endpoint on http":  {"http://localhost:8080/mcp", "authorization_server_facade entra {\nclient_id a\ntoken_endpoint http://idp.example.com/token\n}", "https://"},
	} {
		t.Run("CFG-9: "+name, func(t *testing.T) {
			err := s.TryReload(gate(test.resource, test.facade))
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
}
