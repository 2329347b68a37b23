package schemes

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// startGuarded runs a site whose clients say where they come from, as behind a proxy
// that is trusted.
func startGuarded(t *testing.T, attempts, auth, site string) *harness.Server {
	t.Helper()
	return harness.Start(t, guardedConfig(attempts, auth, site))
}

func guardedConfig(attempts, auth, site string) string {
	return "{\n servers {\n trusted_proxies static 127.0.0.0/8 ::1/128\n }\n auth {\n" + attempts + "\n" + auth + "\n }\n}\n" +
		"http://localhost:8080 {\n" + site + "\n}\n"
}

// oneUser is a scheme with the user alice, whose password is secret.
func oneUser(t *testing.T) string {
	t.Helper()
	return "basic ops {\n user alice " + hash(t, "secret") + "\n user bob " + hash(t, "builder") + "\n}"
}

const anyUser = "require_auth\nrespond \"hello {http.auth.user.id}\""

// from is a client's address.
func from(address string) harness.Option { return harness.Header("X-Forwarded-For", address) }

// fail makes so many attempts, all of which have to be answered 401.
func fail(t *testing.T, s *harness.Server, times int, address string, credential harness.Option) {
	t.Helper()
	for i := range times {
		if r := s.Get("/", from(address), credential); r.Status != 401 {
			t.Fatalf("attempt %d: status %d\n%s", i+1, r.Status, r.Body)
		}
	}
}

// wantWait fails unless the answer is that the client has to wait, for at most
// so many seconds.
func wantWait(t *testing.T, r *harness.Response, most int) {
	t.Helper()
	want(t, r, 429, "too_many_attempts")
	seconds, err := strconv.Atoi(r.Header.Get("Retry-After"))
	if err != nil || seconds < 1 || seconds > most || seconds < most/2 {
		t.Errorf("Retry-After %q, want about %d", r.Header.Get("Retry-After"), most)
	}
	if got := r.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control %q", got)
	}
}

// PIN is a scheme of another plugin whose secrets can be guessed. Its credential is in
// X-Pin.
type PIN struct{}

func init() { caddy.RegisterModule(new(PIN)) }

// CaddyModule returns the Caddy module information.
func (*PIN) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: authn.Namespace + ".pin", New: func() caddy.Module { return new(PIN) }}
}

// UnmarshalCaddyfile accepts `pin [<name>]`.
func (*PIN) UnmarshalCaddyfile(*caddyfile.Dispenser) error { return nil }

// Find looks at X-Pin.
func (*PIN) Find(r *authn.Request) (authn.Credential, error) {
	return authn.FindIn(r, []authn.Location{{Kind: authn.InHeader, Name: "X-Pin"}})
}

// Account is one for all.
func (*PIN) Account(authn.Credential) string { return "the door" }

// Verify knows one number.
func (*PIN) Verify(_ context.Context, _ *authn.Request, credential authn.Credential) authn.Outcome {
	switch credential.Value {
	case "4711":
		return authn.Accept(&authn.Identity{ID: "somebody"}, authn.SourceLocal)
	case "busy":
		return authn.Unavailable(0, errors.New("the lock is stuck"))
	case "fault":
		return authn.Reject(authn.CodeInternal, errors.New("the lock is broken"))
	case "panic":
		panic("the lock fell off")
	case "revoked":
		return authn.Reject(authn.CodeRevokedToken, errors.New("the lock was changed"))
	}
	return authn.Reject(authn.CodeInvalidCredentials, fmt.Errorf("a wrong number of %d digits", len(credential.Value)))
}

// Challenges are those of an unknown scheme.
func (*PIN) Challenges(send authn.ChallengeParams) []authn.Challenge {
	if !send.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{Scheme: "Pin", Realm: send.Realm}}
}

var _ authn.Throttled = (*PIN)(nil)
