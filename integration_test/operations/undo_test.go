package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	requireauth "github.com/excorp/caddy-require-auth"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

// undo sends JSON to the endpoint that undoes revocations.
func undo(s *harness.Server, body string) *harness.Response {
	return s.Do(http.MethodDelete, s.AdminURL("/auth/revocations"), harness.Body("application/json", body))
}

func list(t *testing.T, s *harness.Server, query string) requireauth.RevocationList {
	t.Helper()
	return decode[requireauth.RevocationList](t, s.Do(http.MethodGet, s.AdminURL("/auth/revocations"+query)))
}

// callers is a site with a gate for each scheme that keeps a list of callers, and
// one for tokens.
func callers(t *testing.T) *harness.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	if err := os.WriteFile(file, []byte(`[{"id": "last", "digest": "sha256:644c122906ee64a4f47271673f7c3b576a59cfcd155034c7f2534123bfd2f675"}]`), 0o600); err != nil {
		t.Fatal(err)
	}
	return harness.StartWithAdmin(t, `{
	events {
		on auth_revoked remember
		on auth_revocation_undone remember
	}
	auth {
		bearer corp {`+harness.BearerLines+`}
		basic ops {
			user alice `+hash+`
			user bob `+hash+`
		}
		api_key partners {
			keys_file `+file+`
		}
		api_key others {
			from header X-Other-Key
			key last sha256:644c122906ee64a4f47271673f7c3b576a59cfcd155034c7f2534123bfd2f675
		}
	}
}
:8080 {
	require_auth corp ops partners others
	respond ok
}`)
}

func TestCallersAreRevoked(t *testing.T) {
	s := callers(t)
	key, other := harness.Header("X-API-Key", apiKey), harness.Header("X-Other-Key", apiKey)
	alice, bob := harness.Basic("alice", password), harness.Basic("bob", password)
	token := harness.Bearer(harness.Token(t, harness.Claims{"sub": "alice", "iat": time.Now().Add(-time.Minute).Unix()}))
	is := func(t *testing.T, want int, credentials ...harness.Option) {
		t.Helper()
		for _, credential := range credentials {
			got := s.Get("/", credential)
			if got.Status != want || want == http.StatusUnauthorized && got.Problem().Code == "" {
				t.Errorf("status %d, want %d\n%s", got.Status, want, got.Body)
			}
		}
	}
	for name, test := range map[string]struct {
		names     string
		schemes   string
		ends, not []harness.Option
	}{
		"the last key of a file":         {`{"sub": "last", "scheme": "partners"}`, "partners", []harness.Option{key}, []harness.Option{other, alice, token}},
		"a Basic user":                   {`{"sub": "alice", "scheme": "ops"}`, "ops", []harness.Option{alice}, []harness.Option{bob, key, token}},
		"a key of any scheme":            {`{"sub": "last"}`, "corp others partners", []harness.Option{key, other}, []harness.Option{alice, token}},
		"whoever has a name":             {`{"sub": "alice"}`, "corp ops", []harness.Option{alice, token}, []harness.Option{bob, key}},
		"the tokens of a scheme":         {`{"sub": "alice", "scheme": "corp"}`, "corp", []harness.Option{token}, []harness.Option{alice, key}},
		"the tokens of an issuer":        {`{"sub": "alice", "issuer": "` + harness.Issuer + `"}`, "corp", []harness.Option{token}, []harness.Option{alice}},
		"a name that no scheme here has": {`{"sub": "nil", "scheme": "partners"}`, "", nil, []harness.Option{alice, bob, key, other, token}},
	} {
		t.Run(name, func(t *testing.T) {
			is(t, http.StatusOK, append(test.ends, test.not...)...)
			got := decode[requireauth.Revoked](t, post(s, "/auth/revocations", test.names))
			if got := strings.Join(got.Schemes, " "); got != test.schemes {
				t.Errorf("it concerns %q", got)
			}
			is(t, http.StatusUnauthorized, test.ends...)
			is(t, http.StatusOK, test.not...)
			undone := decode[requireauth.Revoked](t, undo(s, test.names))
			if undone.ID != got.ID || undone.About != got.About {
				t.Errorf("undone is %+v, announced was %+v", undone, got)
			}
			is(t, http.StatusOK, append(test.ends, test.not...)...)
			wantError(t, undo(s, test.names), http.StatusNotFound, "revocation not found")
		})
	}
	t.Run("the answer is that to a wrong key, the log says why", func(t *testing.T) {
		wrong := s.Get("/", harness.Header("X-API-Key", "another"))
		decode[requireauth.Revoked](t, post(s, "/auth/revocations", `{"sub": "last", "scheme": "partners"}`))
		revoked := s.Get("/", key)
		if revoked.Problem().Code != wrong.Problem().Code || strings.Join(revoked.Header.Values("WWW-Authenticate"), "\n") != strings.Join(wrong.Header.Values("WWW-Authenticate"), "\n") {
			t.Errorf("%s %v\n%s %v", revoked.Body, revoked.Header, wrong.Body, wrong.Header)
		}
		if !strings.Contains(s.LogText(), store.ErrRevoked.Error()) {
			t.Error("the log does not say why")
		}
	})
	t.Run("a key instead of its id is refused, and not repeated", func(t *testing.T) {
		for _, names := range []string{`{"sub": "` + apiKey + `"}`, `{"sub": "` + apiKey + `", "scheme": "partners"}`} {
			wantError(t, post(s, "/auth/revocations", names), http.StatusBadRequest, "write the id of the key")
		}
		if strings.Contains(s.LogText(), apiKey) {
			t.Error("the key is in the log")
		}
	})
	t.Run("credentials that do not say when they were issued have no before", func(t *testing.T) {
		wantError(t, post(s, "/auth/revocations", `{"sub": "last", "scheme": "partners", "before": "2001-01-01T00:00:00Z"}`), http.StatusBadRequest, "before goes with tokens")
	})
}

func TestListOfRevocations(t *testing.T) {
	s := callers(t)
	if got := list(t, s, ""); got.Total != 0 || got.Revocations == nil || len(got.Revocations) != 0 {
		t.Fatalf("at first there are %+v", got)
	}
	token := harness.Token(t)
	var published []requireauth.Revoked
	for _, names := range []string{
		`{"jti": "a", "issuer": "` + harness.Issuer + `"}`, `{"sub": "last", "scheme": "partners"}`, `{"sub": "mallory"}`, `{"token": "` + token + `"}`, `{"jti": "b"}`,
	} {
		revoked := decode[requireauth.Revoked](t, post(s, "/auth/revocations", names))
		revoked.Schemes = nil
		published = append(published, revoked)
	}
	same := func(t *testing.T, got, want requireauth.Revoked) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("\n got %v\nwant %v", got, want)
		}
	}
	byID := map[string]requireauth.Revoked{}
	for _, revoked := range published {
		byID[revoked.ID] = revoked
	}
	t.Run("all at once, the newest first", func(t *testing.T) {
		list := list(t, s, "")
		if list.Total != 5 || len(list.Revocations) != 5 || list.Next != "" {
			t.Fatalf("%+v", list)
		}
		for i, got := range list.Revocations {
			same(t, got, byID[got.ID])
			if i > 0 && got.Created.After(list.Revocations[i-1].Created) {
				t.Errorf("%s is after %s", got.Created, list.Revocations[i-1].Created)
			}
		}
	})
	t.Run("page by page, in the same order, whatever is announced meanwhile", func(t *testing.T) {
		all, query := list(t, s, "").Revocations, "?limit=2"
		for i := 0; i < len(all); {
			list := list(t, s, query)
			for _, got := range list.Revocations {
				same(t, got, all[i])
				i++
			}
			if list.Next == "" != (i == len(all)) || len(list.Revocations) > 2 || len(list.Revocations) == 0 {
				t.Fatalf("after %d of %d comes %q", i, len(all), list.Next)
			}
			query = "?limit=2&after=" + list.Next
			decode[requireauth.Revoked](t, post(s, "/auth/revocations", fmt.Sprintf(`{"jti": "meanwhile %d"}`, i)))
		}
	})
	t.Run("it names no credential", func(t *testing.T) {
		body := s.Do(http.MethodGet, s.AdminURL("/auth/revocations")).Body
		for _, part := range append(strings.Split(token, "."), apiKey, "644c122906ee") {
			if strings.Contains(body, part) || strings.Contains(s.LogText(), part) {
				t.Errorf("%s is told", part)
			}
		}
	})
	t.Run("undone by its id", func(t *testing.T) {
		before := list(t, s, "").Total
		for _, revoked := range published {
			same(t, decode[requireauth.Revoked](t, undo(s, `{"id": "`+revoked.ID+`"}`)), revoked)
		}
		if got := list(t, s, "").Total; got != before-len(published) {
			t.Errorf("%d are left of %d", got, before)
		}
	})
	t.Run("what is not asked for in the right way", func(t *testing.T) {
		for _, query := range []string{"?limit=0", "?limit=1001", "?limit=x", "?limit=1&limit=1", "?after=x", "?after=1.x", "?sub=a"} {
			wantError(t, s.Do(http.MethodGet, s.AdminURL("/auth/revocations"+query)), http.StatusBadRequest, "")
		}
		for body, says := range map[string]string{
			`{}`: "id, jti, sub, sid and token", `{"id": "x"}`: "invalid id", `{"id": 1}`: "id", `{"jti": "a", "sub": "b"}`: "jti and sub",
			`{"id": "` + published[0].ID + `", "sub": "b"}`: "no other member", `{"sub": "a", "before": "2001-01-01T00:00:00Z"}`: "unrecognized member before",
		} {
			wantError(t, undo(s, body), http.StatusBadRequest, says)
		}
		wantError(t, s.Do(http.MethodDelete, s.AdminURL("/auth/revocations"), harness.Body("text/plain", `{"jti": "a"}`)), http.StatusUnsupportedMediaType, "application/json")
	})
}

func TestRevocationsAreLogged(t *testing.T) {
	s := callers(t)
	eventsNamed("")
	count := func(action string) float64 { return value(t, s, "caddy_auth_revocations_total", "action="+action) }
	revokes, undos := count("revoke"), count("undo")
	metric := metrics(t, s)["caddy_auth_revocations_total"]
	if len(metric.GetMetric()) != 2 {
		t.Errorf("the series do not exist from the start: %v", metric)
	}
	token := harness.Token(t)
	for _, names := range []string{`{"sub": "last", "scheme": "partners"}`, `{"token": "` + token + `"}`} {
		decode[requireauth.Revoked](t, post(s, "/auth/revocations", names))
	}
	events := eventsNamed("auth_revoked")
	if len(events) != 2 || events[0]["sub"] != "last" || events[0]["scheme"] != "partners" || events[1]["revoked"] != "token" {
		t.Errorf("heard %v", events)
	}
	decode[requireauth.Revoked](t, undo(s, `{"sub": "last", "scheme": "partners"}`))
	undo(s, `{"sub": "last", "scheme": "partners"}`)
	if events := eventsNamed("auth_revocation_undone"); len(events) != 1 || events[0]["sub"] != "last" {
		t.Errorf("heard %v", events)
	}
	if count("revoke") != revokes+2 || count("undo") != undos+1 {
		t.Errorf("counted %g and %g", count("revoke")-revokes, count("undo")-undos)
	}
	log := s.LogText()
	for _, message := range []string{"a revocation was announced", "a revocation was undone"} {
		if !strings.Contains(log, message) {
			t.Errorf("the log does not say that %s", message)
		}
	}
	if data, _ := json.Marshal(events); strings.Contains(string(data)+log, token) {
		t.Error("a token is told")
	}
}

func init() {
	caddy.RegisterModule(new(unread))
}

// unread is a store that has not read the revocations yet.
type unread struct{ away }

func (*unread) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "auth.stores.unread", New: func() caddy.Module { return &unread{away{memory.New()}} }}
}

func (*unread) HasRevocations() (bool, error) { return false, errors.New("not read yet") }

func (*away) Undo(context.Context, store.Key) (store.Entry, bool, error) {
	return store.Entry{}, false, errors.New("nobody is there")
}

func TestStoreAwayFromRevocations(t *testing.T) {
	site := `{
	auth {
		store away
		basic {
			user alice ` + hash + `
		}
	}
}
:8080 {
	require_auth
	respond ok
}`
	alice := harness.Basic("alice", password)
	t.Run("away: the list is what is known here, and nothing is undone", func(t *testing.T) {
		s := harness.StartWithAdmin(t, site)
		list(t, s, "")
		wantError(t, undo(s, `{"jti": "a"}`), http.StatusServiceUnavailable, "still holds")
		if got := s.Get("/", alice); got.Status != http.StatusOK {
			t.Errorf("status %d", got.Status)
		}
	})
	t.Run("not read yet: the revoked callers are unknown", func(t *testing.T) {
		s := harness.StartWithAdmin(t, strings.Replace(site, "away", "unread", 1))
		wantError(t, s.Do(http.MethodGet, s.AdminURL("/auth/revocations")), http.StatusServiceUnavailable, "not known yet")
		if got := s.Get("/", alice); got.Status != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
			t.Errorf("status %d", got.Status)
		}
		if got := s.Get("/", harness.Basic("alice", "wrong-"+password)); got.Status != http.StatusUnauthorized {
			t.Errorf("a wrong password: status %d", got.Status)
		}
	})
}
