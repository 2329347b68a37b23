package operations

import (
	"net/http"
	"strings"
	"testing"
	"time"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// everything is a configuration with a scheme of each kind, one of them in
// place.
func everything(p *harness.Provider) string {
	return `{
	auth {
		bearer corp {
			issuer ` + harness.Issuer + `
			audience ` + harness.Audience + `
			jwks ` + p.KeySet() + `?key=some-secret-nobody-may-see
		}
		bearer shared {
			` + harness.BearerLines + `
			introspection ` + p.URL("/introspect?key=some-secret-nobody-may-see") + ` {
				client_id gateway
				client_secret some-secret-nobody-may-see
			}
		}
		basic ops {
			user alice ` + hash + `
		}
		api_key partners {
			key partner-a sha256:644c122906ee64a4f47271673f7c3b576a59cfcd155034c7f2534123bfd2f675
		}
		client_cert robots
		security_events ` + harness.Issuer + ` {
			audience ` + harness.Audience + `/events
			jwks ../configuration/testdata/files/jwks.json
			authorization some-secret-nobody-may-see
			global_revocation some-secret-nobody-may-see-of-32-bytes
		}
	}
}
:8080 {
	require_auth /admin/* corp {
		scope admin
	}
	require_auth /shared/* shared ops partners robots
	route /place/* {
		require_auth {
			bearer inline {
				` + harness.BearerLines + `
			}
		}
	}
	handle /first {
		require_auth {
			basic twice {
				user alice ` + hash + `
			}
		}
	}
	handle /second {
		require_auth {
			basic twice {
				user alice ` + hash + `
				user bob ` + hash + `
			}
		}
	}
	respond ok
}`
}

func TestSchemes(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, everything(p))
	if got := s.Get("/admin/x", harness.Bearer(p.Token(harness.Claims{"scope": "admin"}))); got.Status != http.StatusOK {
		t.Fatal(got.Status, s.LogText())
	}

	list := decode[requireauth.SchemeList](t, s.Do("GET", s.AdminURL("/auth/schemes")))
	var names []string
	for _, scheme := range list.Schemes {
		names = append(names, scheme.Name+" "+scheme.Kind)
	}
	if got := strings.Join(names, ", "); got != "corp bearer, inline bearer, ops basic, partners api_key, robots client_cert, shared bearer, twice basic, twice basic" {
		t.Error(got)
	}
	if list.Store != (requireauth.StoreStatus{Kind: "memory", Healthy: true}) {
		t.Errorf("%+v", list.Store)
	}

	corp := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/corp")))
	if corp.Issuer != harness.Issuer || len(corp.Audiences) != 1 || corp.InPlace || *corp.CacheEntries != 1 {
		t.Errorf("%+v", corp)
	}
	source := corp.KeySources[0]
	if source.From != p.KeySet() || source.Result != "ok" || source.Fetches.OK != 1 || source.NextFetch.Before(time.Now()) || source.FetchedAt.IsZero() {
		t.Errorf("%+v", source)
	}
	if len(source.Keys) != 1 || source.Keys[0].ID != "key-1" || source.Keys[0].Type != "EC" || source.Keys[0].Algorithms[0] != "ES256" {
		t.Errorf("%+v", source.Keys)
	}
	if gate := corp.Gates[0]; len(corp.Gates) != 1 || gate.Required != "scope admin" ||
		!strings.Contains(s.Do("GET", s.AdminURL(gate.Config)).Body, `"scopes":["admin"]`) {
		t.Errorf("%+v", corp.Gates)
	}
	shared := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/shared")))
	if shared.Introspection.Host != strings.TrimPrefix(p.URL(""), "http://") || shared.Introspection.State != "ok" || shared.KeySources[0].Keys[0].Type != "oct" {
		t.Errorf("%+v", shared)
	}
	if ops := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/ops"))); *ops.Users != 1 {
		t.Errorf("%+v", ops)
	}
	if partners := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/partners"))); *partners.APIKeys != 1 {
		t.Errorf("%+v", partners)
	}

	t.Run("in place", func(t *testing.T) {
		if inline := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/inline"))); !inline.InPlace || len(inline.Gates) != 1 {
			t.Errorf("%+v", inline)
		}
		wantError(t, s.Do("GET", s.AdminURL("/auth/schemes/twice")), http.StatusConflict, "?gate=")
		for _, scheme := range list.Schemes {
			if scheme.Name == "twice" {
				one := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/twice?gate="+scheme.Gates[0].Config)))
				if *one.Users != *scheme.Users {
					t.Errorf("%+v is not %+v", one, scheme)
				}
			}
		}
	})
	t.Run("what is not there", func(t *testing.T) {
		wantError(t, s.Do("GET", s.AdminURL("/auth/schemes/none")), http.StatusNotFound, "scheme not found")
		wantError(t, post(s, "/auth/schemes/none/refresh", ""), http.StatusNotFound, "scheme not found")
		if got := s.Do("GET", s.AdminURL("/auth/none")).Status; got != http.StatusNotFound {
			t.Error(got)
		}
	})
	t.Run("another method", func(t *testing.T) {
		for path, allow := range map[string]string{
			"/auth/schemes": "GET, HEAD", "/auth/schemes/corp": "GET, HEAD", "/auth/schemes/corp/refresh": "POST", "/auth/explain": "POST",
		} {
			if got := s.Do(http.MethodDelete, s.AdminURL(path)); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != allow {
				t.Errorf("%s: %d, Allow %q", path, got.Status, got.Header.Get("Allow"))
			}
		}
		if got := s.Do(http.MethodPut, s.AdminURL("/auth/revocations")); got.Status != http.StatusMethodNotAllowed || got.Header.Get("Allow") != "DELETE, GET, HEAD, POST" {
			t.Errorf("/auth/revocations: %d, Allow %q", got.Status, got.Header.Get("Allow"))
		}
	})
}

func TestRefresh(t *testing.T) {
	p := harness.StartProvider(t)
	s := harness.StartWithAdmin(t, everything(p))
	harness.Eventually(t, "the first fetch", func() bool { return p.Fetches.Load() == 1 })
	status := decode[requireauth.SchemeStatus](t, post(s, "/auth/schemes/corp/refresh", ""))
	if got := p.Fetches.Load(); got != 2 || status.KeySources[0].Fetches.OK != 2 {
		t.Errorf("%d fetches, %+v", got, status)
	}
	p.Answer(serveError)
	wantError(t, post(s, "/auth/schemes/corp/refresh", ""), http.StatusBadGateway, "status")
	source := decode[requireauth.SchemeStatus](t, s.Do("GET", s.AdminURL("/auth/schemes/corp"))).KeySources[0]
	if source.Result != "error" || source.Reason != "status" || len(source.Keys) != 1 || source.Fetches.Error != 1 {
		t.Errorf("%+v", source)
	}
	for _, name := range []string{"inline", "ops", "partners", "robots"} {
		wantError(t, post(s, "/auth/schemes/"+name+"/refresh", ""), http.StatusConflict, "fetches nothing")
	}
}

func TestWithoutApp(t *testing.T) {
	s := harness.StartWithAdmin(t, ":8080 {\n respond ok\n}")
	wantError(t, s.Do("GET", s.AdminURL("/auth/schemes")), http.StatusNotFound, "no authentication gate")
	wantError(t, post(s, "/auth/revocations", `{"jti": "a"}`), http.StatusNotFound, "no authentication gate")
	s.Reload(everything(harness.StartProvider(t)))
	if got := s.Do("GET", s.AdminURL("/auth/schemes")).Status; got != http.StatusOK {
		t.Error(got)
	}
}
