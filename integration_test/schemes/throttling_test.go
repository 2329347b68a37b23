package schemes

import (
	"encoding/base64"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestThrottlingOfPasswords(t *testing.T) {
	s := startGuarded(t, "attempts 5", oneUser(t), anyUser)
	t.Run("LEAK-6: after five failures a client waits for an account, also with the right password", func(t *testing.T) {
		fail(t, s, 5, "192.0.2.1", encoded("alice:wrong"))
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("alice:wrong")), 30)
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")), 30)
	})
	t.Run("LEAK-6: no other client does, and not for another account", func(t *testing.T) {
		wantOK(t, s.Get("/", from("192.0.2.2"), encoded("alice:secret")))
		wantOK(t, s.Get("/", from("192.0.2.1"), encoded("bob:builder")))
		want(t, s.Get("/", from("192.0.2.1")), 401, "missing_credentials", basicChallenge)
	})
	t.Run("LEAK-6: an IPv6 network of 64 bits is one client", func(t *testing.T) {
		for i := range 5 {
			fail(t, s, 1, fmt.Sprintf("2001:db8::%x", i+1), encoded("alice:wrong"))
		}
		wantWait(t, s.Get("/", from("2001:db8::ffff:0:0:1"), encoded("alice:secret")), 30)
		wantOK(t, s.Get("/", from("2001:db8:0:1::1"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: a success resets the count", func(t *testing.T) {
		fail(t, s, 4, "192.0.2.3", encoded("alice:wrong"))
		wantOK(t, s.Get("/", from("192.0.2.3"), encoded("alice:secret")))
		fail(t, s, 4, "192.0.2.3", encoded("alice:wrong"))
		wantOK(t, s.Get("/", from("192.0.2.3"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: malformed credentials count too", func(t *testing.T) {
		fail(t, s, 5, "192.0.2.4", authorization("Basic !!!!"))
		wantWait(t, s.Get("/", from("192.0.2.4"), authorization("Basic !!!!")), 30)
	})
	t.Run("LEAK-6: an ambiguous request does not", func(t *testing.T) {
		for range 10 {
			want(t, s.Get("/", from("192.0.2.5"), encoded("alice:wrong"), encoded("alice:wrong")), 400, "invalid_request")
		}
		wantOK(t, s.Get("/", from("192.0.2.5"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: guesses that are made at once are no more than those made one by one", func(t *testing.T) {
		var verified, others atomic.Int32
		var attempts sync.WaitGroup
		for i := range 40 {
			attempts.Go(func() {
				switch s.Get("/", from("192.0.2.6"), encoded(fmt.Sprint("alice:wrong", i))).Status {
				case 401:
					verified.Add(1)
				case 429:
				default:
					others.Add(1)
				}
			})
		}
		attempts.Wait()
		if verified.Load() != 5 || others.Load() != 0 {
			t.Errorf("%d were judged, %d answered otherwise", verified.Load(), others.Load())
		}
	})
	t.Run("LEAK-6: a new configuration forgets nothing", func(t *testing.T) {
		fail(t, s, 5, "192.0.2.7", encoded("alice:wrong"))
		s.Reload(guardedConfig("attempts 5", oneUser(t), anyUser))
		wantWait(t, s.Get("/", from("192.0.2.7"), encoded("alice:secret")), 30)
	})
}

// changing is what may differ between two answers.
var changing = regexp.MustCompile(`Retry-After: [0-9]+`)

func TestThrottlingRevealsNothing(t *testing.T) {
	s := startGuarded(t, "attempts 5", oneUser(t), anyUser)
	const typed = "hunter2-in-the-wrong-field"
	t.Run("LEAK-6: known and unknown accounts are answered alike, to the byte", func(t *testing.T) {
		send := func(address, pair string) string {
			return changing.ReplaceAllString(answer(t, s, "GET / HTTP/1.1", "X-Forwarded-For: "+address, "X-Trace-Id: same",
				"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(pair))), "")
		}
		for i := range 8 {
			known, unknown := send("192.0.2.1", "alice:wrong"), send("192.0.2.2", typed+":wrong")
			if known != unknown {
				t.Errorf("attempt %d\nknown %s\nunknown %s", i+1, known, unknown)
			}
			if status := map[bool]string{true: "HTTP/1.1 401", false: "HTTP/1.1 429"}[i < 5]; !strings.HasPrefix(known, status) {
				t.Errorf("attempt %d: %s", i+1, known)
			}
		}
		if right, wrong := send("192.0.2.1", "alice:secret"), send("192.0.2.1", "alice:wrong"); right != wrong {
			t.Errorf("the right password %s\na wrong one %s", right, wrong)
		}
	})
	t.Run("LEAK-6: the log says which limit it was, and whose address", func(t *testing.T) {
		records := s.Decisions()
		last := records[len(records)-1]
		for member, want := range map[string]any{
			"decision": "denied", "status": 429.0, "code": "too_many_attempts", "client_ip": "192.0.2.1", "scheme": "ops",
			"reason": "too many failures of this client for this account or key",
		} {
			if last[member] != want {
				t.Errorf("%s is %v, want %v", member, last[member], want)
			}
		}
	})
	t.Run("LEAK-5: what was typed for a name is not in the log", func(t *testing.T) {
		noneIn(t, "the log", s.LogText(), typed, "hunter2")
	})
}

func TestThrottlingByAddress(t *testing.T) {
	s := startGuarded(t, "attempts 3 {\n per_client 6\n per_account 9\n}", oneUser(t)+"\nbearer {\n"+harness.BearerLines+"}",
		"require_auth ops bearer\nrespond \"hello {http.auth.user.id}\"")
	wantOK(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")))
	t.Run("LEAK-6: many clients together reach the limit of the account", func(t *testing.T) {
		for i := range 9 {
			r := s.Get("/", from(fmt.Sprintf("198.51.100.%d", i)), encoded("alice:wrong"))
			want(t, r, 401, "invalid_credentials", bearerChallenge, basicChallenge)
		}
		wantWait(t, s.Get("/", from("203.0.113.1"), encoded("alice:secret")), 30)
		wantOK(t, s.Get("/", from("203.0.113.1"), encoded("bob:builder")))
	})
	t.Run("LEAK-6: who was let in before is not locked out by that", func(t *testing.T) {
		wantOK(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")))
		fail(t, s, 1, "192.0.2.1", encoded("alice:mistyped"))
		wantOK(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: who tries many accounts waits for all but their own", func(t *testing.T) {
		for i := range 5 { // and the one above
			fail(t, s, 1, "192.0.2.1", encoded(fmt.Sprintf("user-%d:123456", i)))
		}
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("user-6:123456")), 30)
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("bob:builder")), 30)
		wantOK(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: no good token waits, from whatever address", func(t *testing.T) {
		wantOK(t, s.Get("/", from("192.0.2.1"), harness.Bearer(harness.Token(t))))
		for range 20 {
			fail(t, s, 1, "192.0.2.1", harness.Bearer("no-token"))
		}
	})
}

func TestThrottlingOfKeys(t *testing.T) {
	keys := "api_key {\n key a " + digest("key-a") + "\n key b " + digest("key-b") + "\n}"
	s := startGuarded(t, "attempts 3 {\n per_client 6\n per_account 9\n}", keys, anyUser)
	wantOK(t, s.Get("/", from("192.0.2.1"), key("key-a")))
	t.Run("LEAK-6: a wrong key that is repeated waits, and no other client does", func(t *testing.T) {
		fail(t, s, 3, "192.0.2.1", key("expired"))
		wantWait(t, s.Get("/", from("192.0.2.1"), key("expired")), 30)
		wantOK(t, s.Get("/", from("192.0.2.1"), key("key-b")))
		want(t, s.Get("/", from("192.0.2.2"), key("expired")), 401, "invalid_credentials", keyChallenge)
	})
	t.Run("LEAK-6: who tries many keys waits, and whose key was good there goes on", func(t *testing.T) {
		for i := range 6 {
			fail(t, s, 1, "192.0.2.3", key(fmt.Sprint("guess-", i)))
		}
		wantWait(t, s.Get("/", from("192.0.2.3"), key("key-a")), 30)
		for i := range 3 {
			fail(t, s, 1, "192.0.2.1", key(fmt.Sprint("guess-", i)))
		}
		wantWait(t, s.Get("/", from("192.0.2.1"), key("guess-9")), 30)
		wantOK(t, s.Get("/", from("192.0.2.1"), key("key-a")))
	})
}

func TestThrottlingAcrossGates(t *testing.T) {
	schemes := oneUser(t) + "\nbasic office {\n user carol " + hash(t, "paper") + "\n}"
	s := startGuarded(t, "attempts 3", schemes, `
	require_auth /optional ops {
		optional
	}
	require_auth /office office
	require_auth /both office ops
	require_auth /twice ops
	require_auth /twice office
	require_auth /hidden ops {
		hide all
	}
	handle_errors {
		require_auth /again ops
		respond "{err.status_code}"
	}
	require_auth /again office
	respond hello`)
	get := func(path, address, pair string) int { return s.Get(path, from(address), encoded(pair)).Status }
	sequence := func(t *testing.T, path, address, pair string, want ...int) {
		t.Helper()
		for i, status := range want {
			if got := get(path, address, pair); got != status {
				t.Errorf("attempt %d: status %d, want %d", i+1, got, status)
			}
		}
	}
	t.Run("LEAK-6: attempts at an optional gate count", func(t *testing.T) {
		sequence(t, "/optional", "192.0.2.1", "alice:wrong", 401, 401, 401, 429)
		wantOK(t, s.Get("/optional", from("192.0.2.1")))
	})
	t.Run("LEAK-6: an attempt that two schemes refuse counts once", func(t *testing.T) {
		sequence(t, "/both", "192.0.2.2", "alice:wrong", 401, 401, 401, 429)
	})
	t.Run("LEAK-6: an attempt at several gates counts once", func(t *testing.T) {
		sequence(t, "/again", "192.0.2.3", "alice:wrong", 401, 401, 401, 429)
	})
	t.Run("LEAK-6: another gate gives no further tries", func(t *testing.T) {
		sequence(t, "/both", "192.0.2.4", "alice:wrong", 401, 401)
		sequence(t, "/optional", "192.0.2.4", "alice:wrong", 401, 429)
	})
	t.Run("R7617-6: a password of another realm is refused plainly and does not count", func(t *testing.T) {
		sequence(t, "/both", "192.0.2.5", "alice:secret", 200)
		sequence(t, "/office", "192.0.2.5", "alice:secret", 401, 401, 401, 401, 401)
		sequence(t, "/twice", "192.0.2.5", "alice:secret", 401, 401, 401, 401, 401)
		sequence(t, "/both", "192.0.2.5", "alice:secret", 200)
	})
	t.Run("LEAK-6: what is hidden stays hidden", func(t *testing.T) {
		sequence(t, "/hidden", "192.0.2.6", "alice:wrong", 404, 404, 404, 404)
		sequence(t, "/hidden", "192.0.2.6", "alice:secret", 404)
		r := s.Get("/hidden", from("192.0.2.6"), encoded("alice:secret"))
		if r.Header.Get("Retry-After") != "" {
			t.Errorf("header %v", r.Header)
		}
	})
}

func TestThrottlingConfiguration(t *testing.T) {
	t.Run("LEAK-6: schemes of other plugins are limited too", func(t *testing.T) {
		s := startGuarded(t, "attempts 3", "pin", anyUser)
		pin := func(value string) harness.Option { return harness.Header("X-Pin", value) }
		for value, status := range map[string]int{"busy": 503, "fault": 500, "panic": 500, "revoked": 401} {
			for range 5 {
				if r := s.Get("/", from("192.0.2.1"), pin(value)); r.Status != status {
					t.Errorf("%s: status %d, want %d", value, r.Status, status)
				}
			}
		}
		wantOK(t, s.Get("/", from("192.0.2.1"), pin("4711")))
		for i := range 3 {
			fail(t, s, 1, "192.0.2.2", pin(fmt.Sprint(i)))
		}
		wantWait(t, s.Get("/", from("192.0.2.2"), pin("4711")), 30)
	})
	t.Run("LEAK-6: each failure after a wait makes the next one longer", func(t *testing.T) {
		s := startGuarded(t, "attempts 1 {\n wait 3s\n}", oneUser(t), anyUser)
		fail(t, s, 1, "192.0.2.1", encoded("alice:wrong"))
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("alice:wrong")), 3)
		harness.Eventually(t, "the wait is over", func() bool {
			return s.Get("/", from("192.0.2.1"), encoded("alice:wrong")).Status == 401
		})
		wantWait(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")), 6)
	})
	t.Run("LEAK-6: switched off, no client waits", func(t *testing.T) {
		s := startGuarded(t, "attempts off", oneUser(t), anyUser)
		fail(t, s, 20, "192.0.2.1", encoded("alice:wrong"))
		wantOK(t, s.Get("/", from("192.0.2.1"), encoded("alice:secret")))
	})
	t.Run("LEAK-6: scripts of another origin can read when to come again", func(t *testing.T) {
		s := startGuarded(t, "attempts 1", oneUser(t), "auth_cors https://web.example\n"+anyUser)
		fail(t, s, 1, "192.0.2.1", encoded("alice:wrong"))
		r := s.Get("/", from("192.0.2.1"), encoded("alice:wrong"), origin("https://web.example"))
		wantWait(t, r, 30)
		if exposed := r.Header.Get("Access-Control-Expose-Headers"); !strings.Contains(exposed, "Retry-After") {
			t.Errorf("exposed are %q", exposed)
		}
	})
}
