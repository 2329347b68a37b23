package introspection

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// server is an introspection endpoint whose answer can be replaced.
type server struct {
	*httptest.Server
	calls  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func newServer(t *testing.T, answer http.HandlerFunc) *server {
	t.Helper()
	s := new(server)
	s.answer.Store(&answer)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		(*s.answer.Load())(w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

func say(body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
}

// clock is a time that tests move.
type clock struct{ nanoseconds atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanoseconds.Store(time.Unix(1_800_000_000, 0).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }
func (s *server) want(t *testing.T, calls int32) {
	t.Helper()
	if got := s.calls.Load(); got != calls {
		t.Errorf("%d calls, want %d", got, calls)
	}
}

func newClient(t *testing.T, s *server, change ...func(*Config)) (*Client, *clock) {
	t.Helper()
	clock := newClock()
	config := Config{Endpoint: s.URL + "/introspect", ClientID: "gate", ClientSecret: "s3cret", Now: clock.now}
	for _, c := range change {
		c(&config)
	}
	client, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client, clock
}

func mustBeUnavailable(t *testing.T, err error) *keyset.UnavailableError {
	t.Helper()
	var unavailable *keyset.UnavailableError
	if !errors.As(err, &unavailable) || unavailable.RetryAfter < time.Second {
		t.Fatalf("error %v, want unavailable with a time to retry", err)
	}
	return unavailable
}

func TestCall(t *testing.T) {
	t.Run("R7662-1: an authenticated POST with the token in a form", func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			user, password, _ := r.BasicAuth()
			if r.Method != http.MethodPost || r.PostFormValue("token") != "t+1" || r.PostFormValue("token_type_hint") != "access_token" ||
				user != url.QueryEscape("ga te") || password != url.QueryEscape("s:%t") || r.URL.RawQuery != "" {
				t.Errorf("%s %s %q %q %v", r.Method, r.URL, user, password, r.PostForm)
			}
			_, _ = io.WriteString(w, `{"active":true,"sub":"alice"}`)
		})
		client, _ := newClient(t, s, func(c *Config) { c.ClientID, c.ClientSecret = "ga te", "s:%t" })
		answer, err := client.Introspect(t.Context(), "t+1")
		if err != nil || !answer.Active || answer.Claims["sub"] != "alice" || answer.FromCache {
			t.Errorf("%+v, %v", answer, err)
		}
	})
	t.Run("R7662-1: client_secret_post", func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("client_id") != "gate" || r.PostFormValue("client_secret") != "s3cret" || r.Header.Get("Authorization") != "" {
				t.Errorf("%v", r.PostForm)
			}
			_, _ = io.WriteString(w, `{"active":false}`)
		})
		client, _ := newClient(t, s, func(c *Config) { c.Authentication = ClientSecretPost })
		if answer, err := client.Introspect(t.Context(), "t"); err != nil || answer.Active {
			t.Errorf("%+v, %v", answer, err)
		}
	})
	t.Run("R7662-1: private_key_jwt", func(t *testing.T) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			t.Fatal(err)
		}
		var s *server
		s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
			payload, err := jws.Verify([]byte(r.PostFormValue("client_assertion")), jws.WithKey(jwa.ES256, &key.PublicKey))
			var claims map[string]any
			if err != nil || json.Unmarshal(payload, &claims) != nil || claims["iss"] != "gate" || claims["sub"] != "gate" || claims["aud"] != s.URL+"/introspect" || claims["jti"] == "" {
				t.Errorf("%s %v", payload, err)
			}
			_, _ = io.WriteString(w, `{"active":true}`)
		})
		client, _ := newClient(t, s, func(c *Config) {
			c.Authentication, c.ClientSecret = PrivateKeyJWT, ""
			c.SigningKey = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
		})
		if _, err := client.Introspect(t.Context(), "t"); err != nil {
			t.Error(err)
		}
	})
	t.Run("the endpoint is found by discovery", func(t *testing.T) {
		var s *server
		s = newServer(t, func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, ".well-known") {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, `{"issuer":"`+s.URL+`","jwks_uri":"`+s.URL+`/jwks","introspection_endpoint":"`+s.URL+`/ask"}`)
				return
			}
			if r.URL.Path != "/ask" {
				t.Errorf("path %s", r.URL.Path)
			}
			_, _ = io.WriteString(w, `{"active":true}`)
		})
		client, _ := newClient(t, s, func(c *Config) { c.Endpoint, c.Issuer = "", s.URL })
		if answer, err := client.Introspect(t.Context(), "t"); err != nil || !answer.Active {
			t.Errorf("%+v, %v", answer, err)
		}
	})
}

func TestNonsense(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"R7662-3: active is a string":  say(`{"active":"true"}`),
		"R7662-3: active is missing":   say(`{}`),
		"R7662-3: active is null":      say(`{"active":null}`),
		"R7662-3: active twice":        say(`{"active":false,"active":true}`),
		"R7662-3: no object":           say(`[true]`),
		"R7662-3: no JSON":             say(`<html>`),
		"R7662-3: empty":               say(``),
		"R7662-3: exp is a string":     say(`{"active":true,"exp":"soon"}`),
		"R7662-3: exp is out of range": say(`{"active":true,"exp":1e300}`),
		"R7662-3: over 1 MiB":          say(`{"active":true,"x":"` + strings.Repeat("x", 1<<20) + `"}`),
		"R7662-4 AVAIL-1: 500":         func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"R7662-4: 401 is about us":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) },
		"R7662-4: 403":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) },
		"R7662-4: 204":                 func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"R7662-4: a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/other", http.StatusTemporaryRedirect)
		},
		"R7662-4: the connection drops": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, answer)
			client, clock := newClient(t, s)
			_, err := client.Introspect(t.Context(), "t")
			mustBeUnavailable(t, err)
			_, err = client.Introspect(t.Context(), "other")
			mustBeUnavailable(t, err)
			s.want(t, 1) // the second was not asked: the endpoint is left alone
			good := say(`{"active":true}`)
			s.answer.Store(&good)
			clock.advance(2 * time.Second)
			if answer, err := client.Introspect(t.Context(), "t"); err != nil || !answer.Active {
				t.Errorf("afterwards %+v, %v", answer, err)
			}
		})
	}
	t.Run("R7662-8: 400 is about one token and stops nobody else", func(t *testing.T) {
		s := newServer(t, func(w http.ResponseWriter, r *http.Request) {
			if r.PostFormValue("token") == "bad" {
				w.WriteHeader(400)
				return
			}
			_, _ = io.WriteString(w, `{"active":true}`)
		})
		client, _ := newClient(t, s)
		_, err := client.Introspect(t.Context(), "bad")
		mustBeUnavailable(t, err)
		if answer, err := client.Introspect(t.Context(), "good"); err != nil || !answer.Active {
			t.Errorf("%+v, %v", answer, err)
		}
	})
	t.Run("R7662-4: an endpoint that hangs is given up", func(t *testing.T) {
		release := make(chan struct{})
		s := newServer(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		defer close(release)
		client, _ := newClient(t, s, func(c *Config) { c.Timeout = 50 * time.Millisecond })
		_, err := client.Introspect(t.Context(), "t")
		mustBeUnavailable(t, err)
	})
}

// blocking is a transport that answers once it is released.
type blocking struct {
	calls   *atomic.Int32
	release chan struct{}
}

func (b *blocking) RoundTrip(*http.Request) (*http.Response, error) {
	b.calls.Add(1)
	<-b.release
	return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"active":true}`))}, nil
}

func TestCache(t *testing.T) {
	const token = "token"
	t.Run("R7662-5: an active answer is kept up to exp", func(t *testing.T) {
		s := newServer(t, say(`{"active":true,"exp":1800000030}`))
		client, clock := newClient(t, s)
		for _, step := range []struct {
			after time.Duration
			calls int32
			cache bool
		}{{0, 1, false}, {29 * time.Second, 1, true}, {time.Second, 2, false}} {
			clock.advance(step.after)
			answer, err := client.Introspect(t.Context(), token)
			if err != nil || answer.FromCache != step.cache {
				t.Errorf("%+v, %v", answer, err)
			}
			s.want(t, step.calls)
		}
	})
	t.Run("R7662-2 R7662-5: an inactive answer is kept too, apart from the active ones", func(t *testing.T) {
		s := newServer(t, say(`{"active":false,"sub":"alice"}`))
		client, _ := newClient(t, s)
		for range 3 {
			if answer, err := client.Introspect(t.Context(), token); err != nil || answer.Active || answer.Claims != nil {
				t.Errorf("%+v, %v", answer, err)
			}
		}
		s.want(t, 1)
	})
	t.Run("without a cache each request is asked about", func(t *testing.T) {
		s := newServer(t, say(`{"active":true}`))
		client, _ := newClient(t, s, func(c *Config) { c.NoCache = true })
		for range 3 {
			if _, err := client.Introspect(t.Context(), token); err != nil {
				t.Fatal(err)
			}
		}
		s.want(t, 3)
	})
	t.Run("R7662-8: many requests with one new token cost one call", func(t *testing.T) {
		var calls atomic.Int32
		transport := blocking{calls: &calls}
		client, _ := newClient(t, newServer(t, say("")), func(c *Config) {
			c.NoCache, c.Client = true, &http.Client{Transport: &transport}
		})
		synctest.Test(t, func(t *testing.T) {
			transport.release = make(chan struct{})
			var group sync.WaitGroup
			for range 20 {
				group.Go(func() {
					if answer, err := client.Introspect(context.Background(), token); err != nil || !answer.Active {
						t.Errorf("%+v, %v", answer, err)
					}
				})
			}
			synctest.Wait() // everybody waits for the one call
			if calls.Load() != 1 {
				t.Errorf("%d calls", calls.Load())
			}
			close(transport.release)
			group.Wait()
		})
	})
	t.Run("a caller who leaves does not end the call of the others", func(t *testing.T) {
		release := make(chan struct{})
		s := newServer(t, func(w http.ResponseWriter, _ *http.Request) {
			<-release
			_, _ = io.WriteString(w, `{"active":true}`)
		})
		client, _ := newClient(t, s)
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := client.Introspect(ctx, token)
			left <- err
		}()
		for s.calls.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		leave()
		mustBeUnavailable(t, <-left)
		close(release)
		if answer, err := client.Introspect(t.Context(), token); err != nil || !answer.Active {
			t.Errorf("%+v, %v", answer, err)
		}
		s.want(t, 1)
	})
}

func TestConfigCheck(t *testing.T) {
	for name, config := range map[string]Config{
		"R7662-1: no client":       {Endpoint: "https://idp.example/i"},
		"R7662-1: no secret":       {Endpoint: "https://idp.example/i", ClientID: "gate"},
		"no endpoint":              {ClientID: "gate", ClientSecret: "x"},
		"http":                     {Endpoint: "http://idp.example/i", ClientID: "gate", ClientSecret: "x"},
		"unknown method":           {Endpoint: "https://idp.example/i", ClientID: "gate", ClientSecret: "x", Authentication: "none"},
		"private_key_jwt, no key":  {Endpoint: "https://idp.example/i", ClientID: "gate", Authentication: PrivateKeyJWT},
		"private_key_jwt, bad key": {Endpoint: "https://idp.example/i", ClientID: "gate", Authentication: PrivateKeyJWT, SigningKey: []byte("{}")},
	} {
		t.Run(name, func(t *testing.T) {
			if config.Check() == nil {
				t.Error("no error")
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{`{"active":true}`, `{"active":false}`, `{"active":true,"exp":1.5e9}`, `{"active":1}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		answer, err := parse(body)
		if err != nil {
			return
		}
		var plain struct{ Active *bool }
		if json.Unmarshal(body, &plain) != nil {
			t.Fatal("accepted what is no JSON")
		}
		if active, _ := answer.Claims["active"].(bool); answer.Active && !active {
			t.Fatal("active without saying so")
		}
	})
}
