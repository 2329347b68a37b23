package attacks

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// failing is an introspection endpoint that fails for some tokens.
type failing struct {
	*harness.Server
	fail  http.HandlerFunc // for tokens that begin with `poison`, and for all once the endpoint is down
	calls atomic.Int32
	down  atomic.Bool
}

func newFailing(t *testing.T, fail http.HandlerFunc) *failing {
	t.Helper()
	f := &failing{fail: fail}
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.calls.Add(1)
		if f.down.Load() || strings.HasPrefix(r.PostFormValue("token"), "poison") {
			f.fail(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"active": true, "aud": "` + harness.Audience + `", "sub": "alice"}`))
	}))
	t.Cleanup(endpoint.Close)
	f.Server = harness.Start(t, `{
	servers {
		trusted_proxies static 127.0.0.0/8 ::1/128
	}
	auth {
		bearer {
			audience `+harness.Audience+`
			introspection `+endpoint.URL+` {
				client_id gateway
				client_secret hush
			}
		}
	}
}
http://localhost:8080 {
	require_auth
	respond "hello {http.auth.user.id}"
}`)
	return f
}

func (f *failing) send(token, address string) *harness.Response {
	return f.Get("/", harness.Bearer(token), harness.Header("X-Forwarded-For", address))
}

// TestPoisonousTokens sends opaque tokens that the endpoint, or a firewall before
// it, always fails on, as a stranger can.
func TestPoisonousTokens(t *testing.T) {
	answer := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
	}
	for name, fail := range map[string]http.HandlerFunc{
		"status 401": answer(401), "status 403": answer(403), "status 406": answer(406), "status 429": answer(429),
		"status 431": answer(431), "status 500": answer(500), "status 503": answer(503), "a redirect": answer(302),
		"a page":              func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>blocked</html>")) },
		"a closed connection": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run("AVAIL-1: "+name+" to the tokens of a stranger limits nobody else", func(t *testing.T) {
			f := newFailing(t, fail)
			for i := range 10 {
				for j := range 10 {
					f.send(fmt.Sprintf("poison-%d-%d", i, j), fmt.Sprintf("192.0.2.%d", j)).Want(503, "temporarily_unavailable")
				}
				f.send(fmt.Sprintf("good-%d", i), "198.51.100.1").Want(200, "")
			}
		})
		t.Run("AVAIL-1: "+name+" to the tokens of one address does not limit that address", func(t *testing.T) {
			f := newFailing(t, fail)
			for i := range 10 {
				f.send(fmt.Sprintf("poison-%d", i), "192.0.2.1").Want(503, "temporarily_unavailable")
			}
			f.send("good", "192.0.2.1").Want(200, "")
		})
		t.Run("AVAIL-1: "+name+" to all tokens pauses the calls", func(t *testing.T) {
			f := newFailing(t, fail)
			f.down.Store(true)
			for i := range 100 {
				r := f.send(fmt.Sprintf("good-%d", i), fmt.Sprintf("192.0.2.%d", i%5))
				r.Want(503, "temporarily_unavailable")
				if r.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
			}
			if got := int(f.calls.Load()); name != "status 403" && got > 20 {
				t.Errorf("%d calls for 100 requests of five clients", got)
			}
		})
	}
}
