package answers

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestOrder asks what is answered where several things are wrong at once.
func TestOrder(t *testing.T) {
	s := harness.Start(t, configure("", schemes+"\nbearer down {\naudience x\njwks http://127.0.0.1:1/jwks\n}", `
		require_auth /api corp {
			scope admin
			role boss
			user bob
		}
		require_auth /down down partners {
			scope admin
		}
		require_auth /boss corp {
			role boss
			user bob
		}
		respond ok
	`))
	token := harness.Bearer(harness.Token(t, harness.Claims{"scope": "read"}))
	preflight := with(harness.Header("Origin", "https://web.example"), harness.Header("Access-Control-Request-Method", "GET"))
	t.Run("O-1: a preflight is answered before anything is asked", func(t *testing.T) {
		want(t, s.Do("OPTIONS", s.URL("/api"), preflight...), 204, "")
		want(t, s.Do("OPTIONS", s.URL("/api")), 401, "missing_credentials", bare+`, scope="admin"`)
	})
	t.Run("O-1: without a gate a path is public, whatever is presented", func(t *testing.T) {
		wantPassed(t, s.Get("/open", harness.Bearer("nonsense"), harness.Bearer("again")), "ok")
	})
	t.Run("O-1: repeated fields are 400 before one of them is judged", func(t *testing.T) {
		want(t, s.Get("/boss", harness.Bearer("nonsense"), token), 400, "invalid_request", twice)
		want(t, s.Get("/down", harness.Bearer("nonsense"), key("guess")), 400, "invalid_request",
			`Bearer realm="api", error="invalid_request", scope="admin", error_description="The request is malformed"`)
	})
	t.Run("O-1: unusable syntax is 401 also where nothing can be decided", func(t *testing.T) {
		want(t, s.Get("/down", harness.Bearer("nonsense")), 401, "invalid_token",
			`Bearer realm="api", error="invalid_token", scope="admin", error_description="The access token is invalid"`, keyed)
	})
	t.Run("O-1 AVAIL-1: what cannot be decided is 503 before it is called invalid", func(t *testing.T) {
		r := s.Get("/down", tokenWithClaims(t, harness.Claims{"aud": "elsewhere", "exp": 1}))
		want(t, r, 503, "temporarily_unavailable")
		want(t, s.Get("/down", key(apiKey)), 403, "insufficient_scope") // other schemes still work
	})
	t.Run("O-1: an invalid token is 401 before its scope is asked for", func(t *testing.T) {
		want(t, s.Get("/api", tokenWithClaims(t, harness.Claims{"aud": "elsewhere"})), 401, "invalid_token",
			`Bearer realm="api", error="invalid_token", scope="admin", error_description="The access token is invalid"`)
	})
	t.Run("O-1: scope comes before role, role before policy", func(t *testing.T) {
		want(t, s.Get("/api", token), 403, "insufficient_scope", noScope)
		want(t, s.Get("/api", tokenWithScope(t, "admin")), 403, "insufficient_role")
		admin := harness.Claims{"scope": "admin", "roles": "boss"}
		want(t, s.Get("/api", tokenWithClaims(t, admin)), 403, "access_denied")
		admin["sub"] = "bob"
		wantPassed(t, s.Get("/api", tokenWithClaims(t, admin)), "ok")
	})
}

// TestDefects has schemes that break their contract: the door stays shut.
func TestDefects(t *testing.T) {
	b := serve(t, nil)
	s := harness.Start(t, configure("", "probe probe", "require_auth\nreverse_proxy "+b.addr))
	for _, row := range []struct {
		how    string
		status int
	}{
		{"nobody", 401}, {"zero", 500}, {"unknown verdict", 500}, {"unknown code", 500},
		{"unavailable", 503}, {"unavailable, who knows", 503}, {"panic", 500},
	} {
		t.Run("O-2: "+row.how, func(t *testing.T) {
			before := b.count()
			r, err := http.NewRequest(http.MethodGet, s.URL("/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("X-Probe", row.how)
			response, err := http.DefaultTransport.RoundTrip(r)
			if b.count() != before {
				t.Error("the next handler ran")
			}
			if err != nil {
				t.Fatalf("there is no answer: %v", err)
			}
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != row.status {
				t.Errorf("status %d, want %d", response.StatusCode, row.status)
			}
			if strings.Contains(string(body), secretCause) {
				t.Errorf("the body tells the cause: %s", body)
			}
			if got := response.Header.Get("Cache-Control"); got != "no-store" {
				t.Errorf("Cache-Control %q", got)
			}
		})
	}
	t.Run("O-2: the same scheme lets in whom it accepts", func(t *testing.T) {
		before := b.count()
		want(t, s.Get("/", probing("good")), 200, "")
		if b.count() != before+1 {
			t.Error("the next handler did not run")
		}
	})
	t.Run("AVAIL-1: Retry-After is what the scheme says, and something where it says nothing", func(t *testing.T) {
		field(t, s.Get("/", probing("unavailable")), "Retry-After", "90")
		field(t, s.Get("/", probing("unavailable, who knows")), "Retry-After", "5")
	})
}
