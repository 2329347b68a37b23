package configuration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// publisher serves a key set at an address that it can leave and come back to.
type publisher struct {
	t       *testing.T
	address string
	answer  atomic.Pointer[http.HandlerFunc]
	fetches atomic.Int32
	server  *http.Server
}

func newPublisher(t *testing.T, keys ...*ecdsa.PrivateKey) *publisher {
	t.Helper()
	p := &publisher{t: t, address: freeAddress(t)}
	p.publish(keys...)
	t.Cleanup(p.down)
	return p
}

// publish has these keys served from now on; their ids are their numbers.
func (p *publisher) publish(keys ...*ecdsa.PrivateKey) {
	p.t.Helper()
	all := make([]jwk.Key, len(keys))
	for i, key := range keys {
		public, err := jwk.FromRaw(key.Public())
		if err != nil {
			p.t.Fatal(err)
		}
		if err := public.Set(jwk.KeyIDKey, strconv.Itoa(i)); err != nil {
			p.t.Fatal(err)
		}
		all[i] = public
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": all})
	})
}

func (p *publisher) serve(answer http.HandlerFunc) { p.answer.Store(&answer) }

func (p *publisher) url() string { return "http://" + p.address + "/keys" }

func (p *publisher) up() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.server = &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.fetches.Add(1)
		(*p.answer.Load())(w, r)
	})}
	server := p.server
	go func() { _ = server.Serve(listener) }()
}

func (p *publisher) down() {
	if p.server != nil {
		_ = p.server.Close()
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// tokenBy is a token of a key, for the user of that name.
func tokenBy(t *testing.T, key *ecdsa.PrivateKey, kid, user string) string {
	t.Helper()
	return harness.Sign(t, jwa.ES256, key, map[string]any{"kid": kid}, harness.Claims{"sub": user})
}

// keysFrom is a site with one bearer scheme and a source of keys.
func keysFrom(line string) string {
	return "{\nauth {\nrealm api\nbearer {\nissuer " + harness.Issuer + "\naudience " + harness.Audience + "\n" + line + "\n}\n}\n}\n" +
		"http://localhost:8080 {\nrequire_auth /guarded\nrespond \"hello {http.auth.user.id}\"\n}\n"
}

func TestPublishedKeys(t *testing.T) {
	key, stranger := newKey(t), newKey(t)
	p := newPublisher(t, key)
	s := harness.Start(t, keysFrom("jwks "+p.url()))
	ask := func(key *ecdsa.PrivateKey, kid, user string) *harness.Response {
		return s.Get("/guarded", harness.Bearer(tokenBy(t, key, kid, user)))
	}
	t.Run("AVAIL-1 R8414-5: nobody publishes, and Caddy has started", func(t *testing.T) {
		answer := ask(key, "0", "early").Want(503, "temporarily_unavailable")
		if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", answer.Header)
		}
		s.Get("/guarded").Want(401, "missing_credentials", `Bearer realm="api"`)
		s.Get("/open").Want(200, "")
	})
	p.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>maintenance</html>")) })
	p.up()
	t.Run("AVAIL-1 JWT-14: a page is no key set", func(t *testing.T) {
		harness.Eventually(t, "it is fetched", func() bool { return p.fetches.Load() > 0 })
		ask(key, "0", "early").Want(503, "temporarily_unavailable")
	})
	p.publish(key)
	t.Run("AVAIL-1: once it is there tokens pass", func(t *testing.T) {
		harness.Eventually(t, "the keys are there", func() bool { return ask(key, "0", "alice").Status == 200 })
	})
	t.Run("KEY-9 JWT-5: unknown keys are 503 until a newer fetch, and no number of them is a flood of fetches", func(t *testing.T) {
		before, began, refused := p.fetches.Load(), time.Now(), int32(0)
		for i := range 50 {
			answer := ask(stranger, "unknown-"+strconv.Itoa(i), "mallory")
			if answer.Status == http.StatusUnauthorized {
				answer.Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
				refused++
				continue
			}
			answer.Want(503, "temporarily_unavailable")
			if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err != nil || seconds < 1 {
				t.Errorf("Retry-After: %q", answer.Header.Get("Retry-After"))
			}
		}
		fetched := p.fetches.Load() - before
		if most := 1 + int32(time.Since(began)/(10*time.Second)); fetched > most {
			t.Errorf("%d fetches, want at most %d", fetched, most)
		}
		if refused > fetched {
			t.Errorf("%d keys are said to be unknown, after %d fetches", refused, fetched)
		}
	})
	t.Run("JWT-5: a known kid of another key is 401 without a fetch", func(t *testing.T) {
		before := p.fetches.Load()
		ask(stranger, "0", "mallory").Want(401, "invalid_token", `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`)
		if p.fetches.Load() != before {
			t.Error("the keys were fetched")
		}
	})
	t.Run("GW-5: a reload keeps the keys, whatever else it changes", func(t *testing.T) {
		p.down()
		before := p.fetches.Load()
		s.Reload(keysFrom("jwks " + p.url() + "\nclock_skew 10s"))
		ask(key, "0", "bob").Want(200, "")
		if p.fetches.Load() != before {
			t.Error("the keys were fetched")
		}
	})
	t.Run("GW-5: a refused reload does so too", func(t *testing.T) {
		if s.TryReload(keysFrom("jwks "+p.url()+"\nkey_file testdata/missing")) == nil {
			t.Fatal("it was loaded")
		}
		ask(key, "0", "carol").Want(200, "")
	})
	t.Run("AVAIL-1: what was not asked for starts closed", func(t *testing.T) {
		s.Reload(keysFrom("jwks " + p.url() + "?other"))
		ask(key, "0", "dave").Want(503, "temporarily_unavailable")
	})
}

// TestRotation is about a key file, where a rotation is one write away.
func TestRotation(t *testing.T) {
	old, next := newKey(t), newKey(t)
	path := filepath.Join(t.TempDir(), "keys.pem")
	text := func(keys ...*ecdsa.PrivateKey) string {
		var all []byte
		for _, key := range keys {
			der, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})...)
		}
		return string(all)
	}
	write(t, path, text(old))
	s := harness.Start(t, keysFrom("key_file "+path))
	byOld, byNext := harness.Bearer(tokenBy(t, old, "", "alice")), harness.Bearer(tokenBy(t, next, "", "alice"))
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
		refused       bool
		old, next     int
	}{
		{"JWT-14: both keys", text(old, next), false, 200, 200},
		{"JWT-14: the next key alone ends what was remembered", text(next), false, 401, 200},
		{"JWT-14: what cannot be read changes nothing", "-----BEGIN PUBLIC KEY-----\n", true, 401, 200},
		{"JWT-14: nothing is no key set either", "", true, 401, 200},
		{"JWT-14: nor is a private key", "-----BEGIN PRIVATE KEY-----\n", true, 401, 200},
		{"JWT-14: back to the first", text(old), false, 200, 401},
	} {
		t.Run(step.name, func(t *testing.T) {
			before := refusals()
			write(t, path, step.content)
			harness.Eventually(t, "the file was looked at", func() bool {
				return step.refused && refusals() > before || !step.refused && status(byOld) == step.old && status(byNext) == step.next
			})
			if status(byOld) != step.old || status(byNext) != step.next {
				t.Errorf("the old key gets %d, the next %d", status(byOld), status(byNext))
			}
		})
	}
}
