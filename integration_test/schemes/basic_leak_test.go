package schemes

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

func TestBasicLeaks(t *testing.T) {
	alice, bob := hash(t, "open-sesame"), hash(t, "bobs-own-secret")
	s := harness.Start(t, config("basic ops {\n user alice "+alice+"\n user bob "+bob+"\n}", "require_auth\nrespond hello"))
	send := func(pair string) string {
		return answer(t, s, "GET /data HTTP/1.1", "X-Trace-Id: the-same",
			"Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	t.Run("LEAK-2: an unknown user, a wrong password and garbage are answered byte for byte alike", func(t *testing.T) {
		want := send("alice:not-the-password")
		if !strings.HasPrefix(want, "HTTP/1.1 401 ") {
			t.Fatalf("no 401:\n%s", want)
		}
		for _, pair := range []string{"mallory:not-the-password", "mallory:open-sesame", "bob:open-sesame", "no-colon-at-all", "alice:\x00", ""} {
			if got := send(pair); got != want {
				t.Errorf("%q\n got %s\nwant %s", pair, got, want)
			}
		}
	})
	t.Run("LEAK-2: a refusal stays one after the password was remembered for its owner", func(t *testing.T) {
		wantOK(t, s.Get("/", encoded("alice:open-sesame")))
		wantOK(t, s.Get("/", encoded("alice:open-sesame")))
		for _, pair := range []string{"mallory:open-sesame", "bob:open-sesame", "alice:open-sesame ", ":open-sesame", "alic:eopen-sesame"} {
			want(t, s.Get("/", encoded(pair)), 401, "invalid_credentials", basicChallenge)
		}
	})
	t.Run("LEAK-5: neither passwords nor hashes reach the log", func(t *testing.T) {
		if len(s.Decisions()) == 0 {
			t.Fatal("nothing was logged")
		}
		noneIn(t, "the log", s.LogText(), "open-sesame", "not-the-password", alice, bob, alice[29:],
			base64.StdEncoding.EncodeToString([]byte("alice:open-sesame")),
			base64.StdEncoding.EncodeToString([]byte("alice:not-the-password")))
	})
	t.Run("LEAK-1: the reason is in the log", func(t *testing.T) {
		s.Get("/", encoded("no-colon-at-all"), harness.Header("X-Trace-Id", "look-here"))
		last := s.Decisions()[len(s.Decisions())-1]
		if last["trace_id"] != "look-here" || last["scheme"] != "ops" || last["reason"] != "the credentials have no colon" {
			t.Errorf("record %v", last)
		}
	})
}
