package configuration

import (
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// keysFrom is a site with one bearer scheme and a source of keys.
func keysFrom(line string) string {
	return "{\nauth {\nrealm api\nbearer {\nissuer " + harness.Issuer + "\naudience " + harness.Audience + "\n" + line + "\n}\n}\n}\n" +
		"http://localhost:8080 {\nrequire_auth /guarded\nrespond \"hello {http.auth.user.id}\"\n}\n"
}

func TestPublishedKeys(t *testing.T) {
	p, stranger := harness.NewProvider(t), harness.NewProvider(t)
	s := harness.Start(t, keysFrom("jwks "+p.KeySet()))
	send := func(by *harness.Provider, kid, user string) *harness.Response {
		return s.Get("/guarded", harness.Bearer(by.Sign(kid, harness.Claims{"sub": user})))
	}
	t.Run("AVAIL-1 R8414-5: without a provider Caddy starts", func(t *testing.T) {
		answer := send(p, harness.DefaultKeyID, "early").Want(503, "temporarily_unavailable")
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", answer.Header)
		}
		s.Get("/guarded").Want(401, "missing_credentials", `Bearer realm="api"`)
		s.Get("/open").Want(200, "")
	})
	p.Answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>maintenance</html>")) })
	p.Up()
	t.Run("AVAIL-1 JWT-14: a page is not a key set", func(t *testing.T) {
		harness.Eventually(t, "it is fetched", func() bool { return p.Fetches.Load() > 0 })
		send(p, harness.DefaultKeyID, "early").Want(503, "temporarily_unavailable")
	})
	p.Answer(nil)
	t.Run("AVAIL-1: once it is there tokens pass", func(t *testing.T) {
		harness.Eventually(t, "the keys are there", func() bool { return send(p, harness.DefaultKeyID, "alice").Status == 200 })
	})
	t.Run("KEY-9 JWT-5: unknown keys are 503 until a newer fetch, and no number of them is a flood of fetches", func(t *testing.T) {
		before, began, failures := p.Fetches.Load(), time.Now(), int32(0)
		for i := range 50 {
			answer := send(stranger, "unknown-"+strconv.Itoa(i), "mallory")
			if answer.Status == http.StatusUnauthorized {
				answer.Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
				failures++
				continue
			}
			answer.Want(503, "temporarily_unavailable")
			if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 {
				t.Errorf("Retry-After: %q", answer.Header.Get("Retry-After"))
			}
		}
		fetched := p.Fetches.Load() - before
		if most := 1 + int32(time.Since(began)/(10*time.Second)); fetched > most {
			t.Errorf("%d fetches, want at most %d", fetched, most)
		}
		if failures > fetched {
			t.Errorf("%d keys are said to be unknown, after %d fetches", failures, fetched)
		}
	})
	t.Run("JWT-5: a known kid of another key is 401 without a fetch", func(t *testing.T) {
		before := p.Fetches.Load()
		send(stranger, harness.DefaultKeyID, "mallory").Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		if p.Fetches.Load() != before {
			t.Error("the keys were fetched")
		}
	})
	t.Run("GW-5: a reload keeps the keys, whatever else it changes", func(t *testing.T) {
		p.Down()
		before := p.Fetches.Load()
		s.Reload(keysFrom("jwks " + p.KeySet() + "\nclock_skew 10s"))
		send(p, harness.DefaultKeyID, "bob").Want(200, "")
		if p.Fetches.Load() != before {
			t.Error("the keys were fetched")
		}
	})
	t.Run("GW-5: a refused reload does so too", func(t *testing.T) {
		if s.TryReload(keysFrom("jwks "+p.KeySet()+"\nkey_file testdata/missing")) == nil {
			t.Fatal("it was loaded")
		}
		send(p, harness.DefaultKeyID, "carol").Want(200, "")
	})
	t.Run("AVAIL-1: what was not asked for starts closed", func(t *testing.T) {
		s.Reload(keysFrom("jwks " + p.KeySet() + "?other"))
		send(p, harness.DefaultKeyID, "dave").Want(503, "temporarily_unavailable")
	})
}

// TestRotation is about a key file, where a rotation is one write away.
func TestRotation(t *testing.T) {
	p := harness.NewProvider(t)
	path := filepath.Join(t.TempDir(), "keys.pem")
	text := func(ids ...string) string {
		var all []byte
		for _, id := range ids {
			der, err := x509.MarshalPKIXPublicKey(p.Key(id).Public())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
		}
		return string(all)
	}
	write(t, path, text("old"))
	s := harness.Start(t, keysFrom("key_file "+path))
	byOld, byNext := harness.Bearer(harness.Sign(t, jwa.ES256, p.Key("old"), nil)), harness.Bearer(harness.Sign(t, jwa.ES256, p.Key("next"), nil))
	status := func(token harness.Option) int { return s.Get("/guarded", token).Status }
	if status(byOld) != 200 || status(byNext) != 401 {
		t.Fatal("the first key does not count, or the second does")
	}
	refusals := func() (count int) {
		for _, record := range s.Log("auth.schemes.bearer") {
			if record["file"] == path && record["level"] == "error" {
				count++
			}
		}
		return count
	}
	for _, step := range []struct {
		name, content string
		failures      bool
		old, next     int
	}{
		{"JWT-14: both keys", text("old", "next"), false, 200, 200},
		{"JWT-14: the next key alone ends what was remembered", text("next"), false, 401, 200},
		{"JWT-14: what cannot be read changes nothing", "-----BEGIN PUBLIC KEY-----\n", true, 401, 200},
		{"JWT-14: nothing is not a key set either", "", true, 401, 200},
		{"JWT-14: nor is a private key", "-----BEGIN PRIVATE KEY-----\n", true, 401, 200},
		{"JWT-14: back to the first", text("old"), false, 200, 401},
	} {
		t.Run(step.name, func(t *testing.T) {
			before := refusals()
			write(t, path, step.content)
			harness.Eventually(t, "the file was looked at", func() bool {
				return step.failures && refusals() > before || !step.failures && status(byOld) == step.old && status(byNext) == step.next
			})
			if status(byOld) != step.old || status(byNext) != step.next {
				t.Errorf("the old key gets %d, the next %d", status(byOld), status(byNext))
			}
		})
	}
}
