package answers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

var preflight = with(harness.Header("Origin", "https://web.example"), harness.Header("Access-Control-Request-Method", "GET"))

// identityFields returns the fields of a request whose names fold to x-user.
func identityFields(h http.Header) []string {
	var all []string
	for name, values := range h {
		if strings.EqualFold(strings.NewReplacer("_", "-", ".", "-").Replace(name), "x-user") {
			all = append(all, fmt.Sprint(name, "=", values))
		}
	}
	slices.Sort(all)
	return all
}

// TestForward has clients that send identity fields.
func TestForward(t *testing.T) {
	b := serve(t, nil)
	lines := `
		@guarded not path /open
		require_auth @guarded corp ops partners {
			optional
			preflight forward
			forward X-User {http.auth.user.id}
			forward X-Tenant {http.auth.user.tenant}
			forward X-Static known
			forward X-Roles {http.auth.user.roles}
			forward X-Groups {http.auth.user.groups}
			forward X-Scope {http.auth.user.scope}
			forward X-Name {http.auth.user.name}
		}
		reverse_proxy ` + b.addr
	token := harness.Bearer(harness.Token(t))
	send := func(t *testing.T, s *harness.Server, method, path string, options ...harness.Option) arrival {
		t.Helper()
		want(t, s.Do(method, s.URL(path), options...), 200, "")
		return b.last(t)
	}
	for name, global := range map[string]string{
		"as Caddy comes":                    "",
		"where Caddy lets underscores pass": "servers {\nexpected_underscore_headers X_User\n}",
		"where Caddy lets dots pass":        "servers {\nexpected_dot_headers X.User\n}",
	} {
		s := harness.Start(t, configure(global, schemes, lines))
		for _, spelling := range []string{"X-User", "x-user", "X-USER", "X_User", "x_user", "X_USER", "X.User", "x.user"} {
			claim := harness.Header(spelling, "mallory")
			t.Run("R9700-3: "+spelling+" is removed "+name, func(t *testing.T) {
				for label, request := range map[string]arrival{
					"anonymous": send(t, s, "GET", "/", claim), "preflight": send(t, s, "OPTIONS", "/", append(preflight, claim)...),
				} {
					if got := identityFields(request.Header); got != nil {
						t.Errorf("%s: %s", label, got)
					}
				}
				if got := fmt.Sprint(identityFields(send(t, s, "GET", "/", claim, token).Header)); got != "[X-User=[alice]]" {
					t.Errorf("known: %s", got)
				}
			})
		}
		t.Run("ID-2: past no gate a claim arrives no more, "+name, func(t *testing.T) {
			all := with(harness.Header("X-User", "mallory"), harness.Header("X_User", "mallory"), harness.Header("X.User", "mallory"))
			if got := identityFields(send(t, s, "GET", "/open", all...).Header); got != nil {
				t.Errorf("got %s", got)
			}
		})
	}
	s := harness.Start(t, configure("", schemes, lines))
	t.Run("R9700-3: several copies at once are removed", func(t *testing.T) {
		claim := harness.Header("X-User", "mallory")
		if got := send(t, s, "GET", "/", claim, claim, token).Header["X-User"]; !slices.Equal(got, []string{"alice"}) {
			t.Errorf("got %q", got)
		}
	})
	t.Run("R9700-3: Connection cannot drop what the gate sets", func(t *testing.T) {
		for _, value := range []string{"X-User", "x-user, close", "keep-alive, X-USER"} {
			if got := send(t, s, "GET", "/", harness.Header("Connection", value), token).Header["X-User"]; !slices.Equal(got, []string{"alice"}) {
				t.Errorf("Connection: %s: got %q", value, got)
			}
		}
	})
	t.Run("R9700-3: a trailer is no way in", func(t *testing.T) {
		raw(t, s, "POST / HTTP/1.1", "Host: localhost", "Connection: close", "Trailer: X-User", "Transfer-Encoding: chunked", "", "1", "x", "0", "X-User: mallory", "", "")
		if request := b.last(t); identityFields(request.Trailer) != nil || request.body != "x" {
			t.Errorf("got %v %q", request.Trailer, request.body)
		}
	})
	t.Run("R9700-3: a value that is empty sets no field, and anonymous callers have none", func(t *testing.T) {
		fields := send(t, s, "GET", "/", token, harness.Header("X-Tenant", "evil")).Header
		if fields.Get("X-Static") != "known" || fields["X-Tenant"] != nil {
			t.Errorf("known: %v", fields)
		}
		if got := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"tenant": "acme"})).Header.Get("X-Tenant"); got != "acme" {
			t.Errorf("tenant %q", got)
		}
		if got := send(t, s, "GET", "/", harness.Header("X-Static", "evil")).Header; got["X-Static"] != nil || got["X-User"] != nil {
			t.Errorf("anonymous: %v", got)
		}
	})
	t.Run("R9700-3: a claim cannot make two fields of one", func(t *testing.T) {
		h := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"tenant": "a\r\nX-Static: evil"})).Header
		if h["X-Tenant"] != nil || h.Get("X-Static") != "known" {
			t.Errorf("got %v", h)
		}
	})
	t.Run("R9700-3: a member of a list does not become two", func(t *testing.T) {
		for _, row := range []struct{ groups, want any }{
			{[]any{"staff", "team"}, "staff,team"},
			{[]any{"staff", "team,admin"}, "staff"},
			{[]any{"team,admin"}, nil},
			{[]any{"staff", " admin", "admin\u00a0", "\u3000admin"}, "staff"},
			{[]any{[]any{"team", "admin"}, 7, true}, "7,true"},
			{[]any{[]any{[]any{"team", "admin"}}, "", "staff"}, "staff"},
			{"team,admin", nil},
			{json.Number("12345678901234567890"), nil}, // as a float it is another number
			{[]any{json.Number("12345678901234567890"), 7}, "7"},
			{map[string]any{"a": json.Number("12345678901234567890")}, nil},
			{json.Number("9007199254740993"), "9007199254740993"},
			{map[string]any{"a": ",admin,", `b"`: `\,`}, `{"a":"\u002cadmin\u002c","b\"":"\\\u002c"}`},
		} {
			h := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"tenant": row.groups})).Header
			if got := h["X-Tenant"]; row.want == nil && got != nil || row.want != nil && !slices.Equal(got, []string{row.want.(string)}) {
				t.Errorf("%v: got %q", row.groups, got)
			}
		}
		nested := tokenWithClaims(t, harness.Claims{"realm_access": map[string]any{"roles": []any{"team,admin", "staff", "team"}}})
		if got := send(t, s, "GET", "/", nested).Header["X-Roles"]; !slices.Equal(got, []string{"staff,team"}) {
			t.Errorf("the roles: got %q", got)
		}
		for _, claim := range []harness.Claims{{"roles": "team,admin"}, {"groups": "team,admin"}, {"scope": "read,admin"}, {"scp": []any{"read,admin"}}} {
			fields := send(t, s, "GET", "/", tokenWithClaims(t, claim)).Header
			for _, name := range []string{"X-Roles", "X-Groups", "X-Scope"} {
				if got := fields[name]; got != nil {
					t.Errorf("%v: %s is %q", claim, name, got)
				}
			}
		}
		if got := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"scope": "read x,admin write"})).Header["X-Scope"]; !slices.Equal(got, []string{"read write"}) {
			t.Errorf("the scopes: got %q", got)
		}
		if got := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"name": "Doe, Jane"})).Header["X-Name"]; !slices.Equal(got, []string{"Doe, Jane"}) {
			t.Errorf("a name: got %q", got)
		}
	})
	t.Run("R9700-4: a client that acts for itself is not a user", func(t *testing.T) {
		h := send(t, s, "GET", "/", tokenWithClaims(t, harness.Claims{"sub": "service", "client_id": "service"}), harness.Header("X-User", "mallory")).Header
		if identityFields(h) != nil {
			t.Errorf("got %v", identityFields(h))
		}
	})
}

// TestForwardFieldOrder has a gate that puts something else in the field that the
// credential comes in.
func TestForwardFieldOrder(t *testing.T) {
	b := serve(t, nil)
	const fields = "corp ops partners {\npreflight forward\nforward Authorization \"Basic inside\"\nforward X-API-Key inside\n"
	s := harness.Start(t, site("require_auth /known* "+fields+"}\nrequire_auth /optional* "+fields+"optional\n}\nreverse_proxy "+b.addr))
	for name, option := range map[string]harness.Option{
		"a token": harness.Bearer(harness.Token(t)), "a password": harness.Basic("alice", password), "a key": key(apiKey),
	} {
		for _, path := range []string{"/known", "/optional"} {
			t.Run("R9700-3: "+name+" counts and does not go on, "+path, func(t *testing.T) {
				want(t, s.Get(path, option), 200, "")
				if h := b.last(t).Header; !slices.Equal(h["Authorization"], []string{"Basic inside"}) || !slices.Equal(h["X-Api-Key"], []string{"inside"}) {
					t.Errorf("the upstream saw %v", h)
				}
			})
		}
	}
	t.Run("R9110-2: a bad credential is refused, and no preflight", func(t *testing.T) {
		before := b.count()
		for _, path := range []string{"/known", "/optional"} {
			for _, option := range with(harness.Bearer("x"), key("x")) {
				for _, options := range [][]harness.Option{with(option), append(with(option), preflight...)} {
					if r := s.Do("OPTIONS", s.URL(path), options...); r.Status != 401 {
						t.Errorf("%s: %d", path, r.Status)
					}
				}
			}
		}
		if b.count() != before {
			t.Error("something was forwarded")
		}
	})
	t.Run("R9700-3: of an anonymous caller, and of a preflight, nothing goes on", func(t *testing.T) {
		for _, options := range [][]harness.Option{preflight, with(harness.Header("Authorization", "Digest a=b"))} {
			want(t, s.Do("OPTIONS", s.URL("/optional"), options...), 200, "")
			if h := b.last(t).Header; h["Authorization"] != nil || h["X-Api-Key"] != nil {
				t.Errorf("the upstream saw %v", h)
			}
		}
	})
}

// TestForwardAndConditions has a condition on a field that the gate sets itself.
func TestForwardAndConditions(t *testing.T) {
	s := harness.Start(t, bearerSite("require_auth {\nforward X-Role inside\nif `header({'X-Role': 'admin'}) || {http.request.header.X-Role} == 'admin'`\n}\nrespond ok"))
	for _, spelling := range []string{"X-Role", "x-role"} {
		t.Run("R9700-3: a condition does not believe what a client sends as "+spelling, func(t *testing.T) {
			want(t, s.Get("/", harness.Bearer(harness.Token(t)), harness.Header(spelling, "admin")), 403, "access_denied")
		})
	}
}

// TestAfterAnotherHandler has Caddy's own basic_auth in front of a gate, with another
// user.
func TestAfterAnotherHandler(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site("route {\nbasic_auth {\nmallory "+passwordHash+"\n}\nrequire_auth partners {\nforward X-User {http.auth.user.id}\n}\nreverse_proxy "+b.addr+"\n}"))
	t.Run("R9700-3: the user is who the gate let in", func(t *testing.T) {
		want(t, s.Get("/", harness.Basic("mallory", password), key(apiKey)), 200, "")
		if got := b.last(t).Header["X-User"]; !slices.Equal(got, []string{"partner-a"}) {
			t.Errorf("got %q", got)
		}
	})
}

// TestOptional has a gate that lets anonymous callers pass.
func TestOptional(t *testing.T) {
	s := harness.Start(t, site("require_auth /any corp ops partners {\noptional\nscope admin\n}\nrespond \"user={http.auth.user.id} scheme={http.auth.scheme}\""))
	t.Run("R9110-2: no credentials pass as anonymous, foreign ones too", func(t *testing.T) {
		wantPassed(t, s.Get("/any"), "user= scheme=")
		for _, value := range []string{"Digest a=\"b\"", "Negotiate abc", "BearerX abc", ""} {
			wantPassed(t, s.Get("/any", harness.Header("Authorization", value)), "user= scheme=")
		}
	})
	t.Run("R9110-2: bad credentials are refused all the same", func(t *testing.T) {
		want(t, s.Get("/any", harness.Bearer("x")), 401, "invalid_token",
			`Bearer realm="api", error="invalid_token", scope="admin", error_description="The access token is invalid"`, basic, keyed)
		want(t, s.Get("/any", harness.Header("Authorization", "Basic")), 401, "invalid_credentials", bare+`, scope="admin"`, basic, keyed)
		want(t, s.Get("/any", key("x")), 401, "invalid_credentials", bare+`, scope="admin"`, basic, keyed)
		want(t, s.Get("/any", key(apiKey), harness.Basic("alice", password)), 400, "invalid_request",
			`Bearer realm="api", error="invalid_request", scope="admin", error_description="The request is malformed"`)
	})
	t.Run("R9110-2: who is known has to meet the requirements", func(t *testing.T) {
		want(t, s.Get("/any", tokenWithScope(t, "read")), 403, "insufficient_scope", noScope)
		wantPassed(t, s.Get("/any", tokenWithScope(t, "admin")), "user=alice scheme=corp")
	})
}

// TestStrip has a gate that keeps credentials from the upstream.
func TestStrip(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, site("require_auth /strip corp ops partners {\nstrip_credentials\n}\nrequire_auth /keep corp ops partners\nreverse_proxy "+b.addr))
	for name, row := range map[string]struct {
		query  string
		option harness.Option
	}{
		"a token":           {"", harness.Bearer(harness.Token(t))},
		"a password":        {"", harness.Basic("alice", password)},
		"a key":             {"", key(apiKey)},
		"a key in a query":  {"&api_key=" + apiKey, harness.Header("X-None", "")},
		"a key in a cookie": {"", harness.Header("Cookie", "b=2; api_key="+apiKey)},
	} {
		t.Run("R9110-18: strip_credentials: "+name, func(t *testing.T) {
			send := func(path string) string {
				want(t, s.Get(path+"?a=1"+row.query, row.option), 200, "")
				request := b.last(t)
				if request.URL.Query().Get("a") != "1" {
					t.Errorf("the query is %s", request.RequestURI)
				}
				return fmt.Sprint(request.RequestURI, request.Header["Authorization"], request.Header["X-Api-Key"], request.Header["Cookie"])
			}
			if forwarded := send("/keep"); !strings.Contains(forwarded, apiKey) && !strings.Contains(forwarded, "Bearer ey") && !strings.Contains(forwarded, "Basic ") {
				t.Errorf("kept: %s", forwarded)
			}
			got := send("/strip")
			if expected := "/strip?a=1[] [] []"; got != expected && got != "/strip?a=1[] [] [b=2]" {
				t.Errorf("stripped: %s, want %s", got, expected)
			}
		})
	}
}
