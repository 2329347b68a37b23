package answers

import (
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestGates has several gates on one request.
func TestGates(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", schemes+"\nprobe probe", `
		handle /two {
			route {
				require_auth corp ops {
					strip_credentials
					forward X-User {http.auth.user.id}
				}
				require_auth corp ops partners {
					scope read
					strip_credentials
				}
				require_auth corp ops {
					scope read
				}
				reverse_proxy `+b.addr+`
			}
		}
		handle /probe {
			route {
				require_auth probe
				require_auth probe {
					strip_credentials
				}
				require_auth probe {
					user prober
				}
				require_auth probe {
					optional
				}
				reverse_proxy `+b.addr+`
			}
		}
		handle /mixed {
			route {
				require_auth partners {
					strip_credentials
				}
				require_auth corp {
					strip_credentials
				}
				reverse_proxy `+b.addr+`
			}
		}
	`))
	t.Run("R9110-2: all gates must let a request pass", func(t *testing.T) {
		want(t, s.Get("/two"), 401, "missing_credentials", bare, basic)
		want(t, s.Get("/two", harness.Bearer(harness.Token(t))), 403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="read", error_description="The access token lacks a required scope"`)
		if b.count() > 0 {
			t.Error("something was forwarded")
		}
		want(t, s.Get("/two", tokenWithScope(t, "read")), 200, "")
	})
	t.Run("R9110-18: what the first gate stripped the second still sees, the upstream does not", func(t *testing.T) {
		for _, option := range with(tokenWithScope(t, "read"), harness.Basic("alice", password)) {
			want(t, s.Get("/two", option), 200, "")
			if h := b.last(t).Header; h["Authorization"] != nil || h.Get("X-User") != "alice" {
				t.Errorf("the upstream saw %v", h)
			}
		}
		admitted := s.Decisions()[len(s.Decisions())-3:]
		for _, record := range admitted {
			if record["decision"] != "admitted" || record["user_id"] != "alice" || record["scheme"] != "ops" || record["trace_id"] != admitted[0]["trace_id"] {
				t.Errorf("record %v", record)
			}
		}
	})
	t.Run("R9110-18: gates of different schemes strip each its own", func(t *testing.T) {
		want(t, s.Get("/mixed", key(apiKey)), 401, "missing_credentials", bare)
		want(t, s.Get("/mixed", key(apiKey), tokenWithScope(t, "read")), 200, "")
		if h := b.last(t).Header; h["Authorization"] != nil || h["X-Api-Key"] != nil {
			t.Errorf("the upstream saw %v", h)
		}
	})
	t.Run("R9110-2: credentials are verified once", func(t *testing.T) {
		before := verifications.Load()
		want(t, s.Get("/probe", probing("good")), 200, "")
		if n := verifications.Load() - before; n != 1 {
			t.Errorf("verified %d times", n)
		}
		if b.last(t).Header["X-Probe"] != nil {
			t.Error("not stripped")
		}
		want(t, s.Get("/probe", probing("bad")), 401, "invalid_credentials", `Probe realm="api"`)
	})
}

// TestStripped has a gate behind one that has removed the credential: it decides
// by what came to the first.
func TestStripped(t *testing.T) {
	b := serve(t, nil)
	const second = "corp {\n scope admin\n strip_credentials\n"
	s := harness.Start(t, configure("", from("header", "query", "form", "cookie token"), `
		route {
			require_auth corp {
				strip_credentials
			}
			require_auth /admin* `+second+`}
			require_auth /optional* `+second+` optional
			}
			reverse_proxy `+b.addr+`
		}
	`))
	locations := func(token string) map[string][]harness.Option {
		return map[string][]harness.Option{
			"header": {harness.Bearer(token)},
			"form":   {harness.Body(form, "a=1&access_token="+token)},
			"cookie": {harness.Header("Cookie", "token="+token)},
		}
	}
	post := func(path string, options ...harness.Option) *harness.Response {
		return s.Do("POST", s.URL(path), options...)
	}
	for _, path := range []string{"/admin", "/optional"} {
		reading, admin := harness.Token(t, harness.Claims{"scope": "read"}), harness.Token(t, harness.Claims{"scope": "admin"})
		for location, options := range locations(reading) {
			t.Run("R9110-18: who may not pass the second gate of "+path+", by "+location, func(t *testing.T) {
				want(t, post(path, options...), 403, "insufficient_scope", noScope)
			})
		}
		for location, options := range locations(admin) {
			t.Run("R9110-18: who may pass the second gate of "+path+", by "+location, func(t *testing.T) {
				want(t, post(path, options...), 200, "")
				if got := b.last(t); strings.Contains(fmt.Sprint(got.Header, got.RequestURI, got.body), admin) {
					t.Errorf("the upstream saw the token: %v %q", got.Header, got.body)
				}
			})
		}
		t.Run("R9110-18: the query, "+path, func(t *testing.T) {
			want(t, post(path+"?access_token="+reading), 403, "insufficient_scope", noScope)
			want(t, post(path+"?access_token="+admin), 200, "")
		})
		t.Run("CORS-2: what the first gate has judged is not a preflight to the second, "+path, func(t *testing.T) {
			before := b.count()
			want(t, s.Do("OPTIONS", s.URL(path), append(preflight, harness.Bearer(reading))...), 403, "insufficient_scope", noScope)
			if b.count() != before {
				t.Error("something was forwarded")
			}
			want(t, s.Do("OPTIONS", s.URL(path), append(preflight, harness.Bearer(admin))...), 200, "")
			before = b.count()
			want(t, s.Do("OPTIONS", s.URL(path), preflight...), 204, "")
			if b.count() != before {
				t.Error("a preflight was forwarded")
			}
		})
	}
}

// TestSchemesOfOneKind has two bearer schemes and two of keys on one gate.
func TestSchemesOfOneKind(t *testing.T) {
	other := strings.NewReplacer(harness.Issuer, "https://second.example.com").Replace(harness.BearerLines)
	s := harness.Start(t, configure("", "bearer one {"+harness.BearerLines+"}\nbearer two {"+other+"}", `
		require_auth one two
		respond "{http.auth.scheme}"
	`))
	t.Run("R9110-10: two bearer schemes are one challenge", func(t *testing.T) {
		want(t, s.Get("/"), 401, "missing_credentials", bare)
		want(t, s.Get("/", harness.Bearer("x")), 401, "invalid_token", invalid)
	})
	t.Run("JWT-8: the issuer decides which scheme judges", func(t *testing.T) {
		wantPassed(t, s.Get("/", harness.Bearer(harness.Token(t))), "one")
		wantPassed(t, s.Get("/", tokenWithClaims(t, harness.Claims{"iss": "https://second.example.com"})), "two")
		want(t, s.Get("/", tokenWithClaims(t, harness.Claims{"iss": "https://third.example.com"})), 401, "invalid_token", invalid)
		for _, iss := range []string{harness.Issuer, "https://second.example.com"} {
			want(t, s.Get("/", tokenWithClaims(t, harness.Claims{"iss": iss, "exp": 1})), 401, "expired_token", expired)
			if record := decisionsByPath(t, s); record["scheme"] != map[string]string{harness.Issuer: "one", "https://second.example.com": "two"}[iss] {
				t.Errorf("record %v", record)
			}
		}
	})
}

// TestInlineScheme has a scheme that one gate declares for itself.
func TestInlineScheme(t *testing.T) {
	s := harness.Start(t, configure("", schemes, `
		require_auth /own {
			basic mine {
				realm "for us"
				user bob `+passwordHash+`
			}
		}
		respond "{http.auth.user.id} by {http.auth.scheme}"
	`))
	t.Run("R9110-2: a scheme in place is accepted by its gate alone", func(t *testing.T) {
		want(t, s.Get("/own"), 401, "missing_credentials", `Basic realm="for us", charset="UTF-8"`)
		wantPassed(t, s.Get("/own", harness.Basic("bob", password)), "bob by mine")
		want(t, s.Get("/own", harness.Basic("alice", password)), 401, "invalid_credentials", `Basic realm="for us", charset="UTF-8"`)
		want(t, s.Get("/own", harness.Bearer(harness.Token(t))), 401, "missing_credentials", `Basic realm="for us", charset="UTF-8"`)
	})
	for name, gate := range map[string]string{"no name where there are several": "require_auth", "an unknown name": "require_auth nobody", "a name twice": "require_auth corp corp"} {
		t.Run("R9110-2: refused at load: "+name, func(t *testing.T) {
			if err := s.TryReload(site(gate + "\nrespond ok")); err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
				t.Errorf("the error is %s", fmt.Sprint(err))
			}
		})
	}
}
