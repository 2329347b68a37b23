package introspection

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

func TestUnavailable(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 413, 429, 500, 502, 503} {
		t.Run(fmt.Sprintf("R7662-4: status %d is not an answer", code), func(t *testing.T) {
			client, server, _ := newTimed(t, "", nil)
			server.answer(status(code, active))
			expectUnavailable(t, client, "token")
		})
	}
	t.Run("R7662-4: nor is an unreachable endpoint", func(t *testing.T) {
		client, server, _ := newTimed(t, active, nil)
		server.Close()
		expectUnavailable(t, client, "token")
	})
	t.Run("R7662-4: nor is an untrusted certificate", func(t *testing.T) {
		server := httptest.NewTLSServer(says(active))
		defer server.Close()
		server.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
		unavailable := expectUnavailable(t, newClientOf(t, config(server.URL)), "token")
		if !strings.Contains(unavailable.Error(), "certificate") {
			t.Errorf("got %v", unavailable)
		}
	})
	t.Run("R7662-4: nor is one that takes too long", func(t *testing.T) {
		client, server, _ := newTimed(t, "", func(c *Config) { c.timeout = 20 * time.Millisecond })
		server.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		unavailable := expectUnavailable(t, client, "token")
		if waited := time.Since(begin); waited > 5*time.Second || !strings.Contains(unavailable.Error(), "no answer within 20ms") {
			t.Errorf("got %v after %s", unavailable, waited)
		}
	})
	t.Run("R7662-4: a reason does not change with the time", func(t *testing.T) {
		expired := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 12:00"}}
		if got := idp.Plain(&url.Error{Err: expired}).Error(); !strings.Contains(got, "expired") || strings.Contains(got, "12:00") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("R7662-4: a reason does not change with the port on this side", func(t *testing.T) {
		client, server, clock := newTimed(t, "", func(c *Config) { c.Endpoint = "http://127.0.0.1:1" })
		first := expectUnavailable(t, client, "token")
		server.Close()
		clock.advance(maxPause)
		if second := expectUnavailable(t, client, "token"); first.Error() != second.Error() || strings.Contains(first.Error(), "Post") {
			t.Errorf("first %v, then %v", first, second)
		}
	})
	t.Run("R7662-4: nor is one that breaks off", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		server.answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(active))
		})
		expectUnavailable(t, client, "token")
	})
	t.Run("AVAIL-1: an answer that is kept outlives the endpoint", func(t *testing.T) {
		client, server, _ := newTimed(t, active, nil)
		expect(t, client, "token", true, false)
		server.Close()
		expectUnavailable(t, client, "another")
		expect(t, client, "token", true, true)
	})
	t.Run("AVAIL-1: a request that ends early is told the same", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		server.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		canceled := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(canceled)
		_, err := client.Introspect(ctx, "token", anonymous)
		if !errors.Is(err, canceled) {
			t.Errorf("got %v", err)
		}
		server.CloseClientConnections()
	})
}

// failFrom has calls of several clients fail.
func failFrom(t *testing.T, client *Client, token string) {
	t.Helper()
	for i := range several {
		introspect(t, client, fmt.Sprint(token, i), fmt.Sprint("192.0.2.", i), true)
	}
}

func TestCircuit(t *testing.T) {
	t.Run("R7662-8: calls pause after failures of several clients, twice as long each time", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(status(503, ""))
		failFrom(t, client, "first")
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			length := want * time.Second
			expectCalls(t, server, several+i)
			clock.advance(length*9/10 - 1)
			err := introspect(t, client, fmt.Sprint("other", i), "192.0.2.0", true)
			expectCalls(t, server, several+i)
			if !errors.Is(err, errPaused) || !strings.Contains(err.Error(), "status 503") {
				t.Errorf("got %v", err)
			}
			clock.advance(length*2/10 + 1)
			introspect(t, client, fmt.Sprint("next", i), "192.0.2.0", true)
		}
		clock.advance(maxPause)
		server.answer(says(active))
		introspect(t, client, "token", "192.0.2.0", false)
		server.answer(status(503, ""))
		clock.advance(calm)
		failFrom(t, client, "after")
		if wait := client.State().PausedUntil.Sub(clock.now()); wait <= 0 || wait > 2*time.Second {
			t.Errorf("after a good answer, a pause of %s", wait)
		}
	})
	t.Run("R7662-8: Retry-After is the rest of the pause", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(status(500, ""))
		failFrom(t, client, "first")
		for i := range 6 {
			clock.advance(maxPause)
			introspect(t, client, fmt.Sprint("next", i), "192.0.2.0", true)
		}
		clock.advance(20 * time.Second) // of 27 to 30
		unavailable, _ := errors.AsType[*idp.UnavailableError](introspect(t, client, "token", "192.0.2.0", true))
		if wait := unavailable.RetryAfter; wait < 7*time.Second || wait > 10*time.Second {
			t.Errorf("retry after %s", wait)
		}
	})
	for name, handler := range failures {
		t.Run("R7662-8: "+name+" pauses the calls", func(t *testing.T) {
			client, server, _ := newTimed(t, "", nil)
			server.answer(handler)
			failFrom(t, client, "token")
			calls := len(server.calls())
			server.answer(says(active))
			introspect(t, client, "other", "192.0.2.0", true)
			expectCalls(t, server, calls)
		})
	}
	t.Run("R7662-8: a client whose calls have not failed ends the pause", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		server.answer(status(500, ""))
		failFrom(t, client, "token")
		server.answer(says(active))
		introspect(t, client, "other", "192.0.2.0", true)
		introspect(t, client, "other", "198.51.100.1", false)
		introspect(t, client, "another", "192.0.2.0", false)
	})
	t.Run("R7662-8: of an endpoint that is down each client asks once in a pause", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		server.answer(status(500, ""))
		for i := range 1000 {
			introspect(t, client, fmt.Sprint("token", i), fmt.Sprint("192.0.2.", i%20), true)
		}
		expectCalls(t, server, 20)
	})
	for clients, want := range map[int]int{1: maxTrials / 2, 100: maxTrials} {
		t.Run(fmt.Sprintf("R7662-8: %d clients have few calls under way at an endpoint that hangs", clients), func(t *testing.T) {
			client, server, _ := newTimed(t, "", nil)
			server.answer(status(500, ""))
			introspect(t, client, "first", "192.0.2.0", true)
			release := server.hold(t)
			var calls sync.WaitGroup
			var outages atomic.Int64
			for i := range 100 {
				calls.Go(func() {
					_, err := client.Introspect(t.Context(), fmt.Sprint("token", i), from(fmt.Sprint("192.0.2.", i%clients)))
					if errors.Is(err, errTrials) {
						outages.Add(1)
					}
				})
			}
			eventually(t, func() bool { return int(outages.Load()) == 100-want })
			release()
			calls.Wait()
			if got := len(server.calls()); got != 1+want {
				t.Errorf("%d calls", got)
			}
		})
	}
	t.Run("R7662-8: the memory of clients that fail is bounded", func(t *testing.T) {
		c, now := newCircuit(), newClock().now()
		for i := range maxFailed + 10 {
			c.fail(now, pass{client: fmt.Sprint(i)}, errBusy)
		}
		if len(c.failing) != maxFailed {
			t.Errorf("%d clients", len(c.failing))
		}
	})
	for _, code := range refusals {
		t.Run(fmt.Sprintf("R7662-8: status %d is held against the token alone", code), func(t *testing.T) {
			client, server, clock := newTimed(t, "", nil)
			server.answer(status(code, `{"error":"invalid_request"}`))
			if wait := expectUnavailable(t, client, "garbage").RetryAfter; wait != badFor {
				t.Errorf("retry after %s", wait)
			}
			server.answer(says(active))
			expect(t, client, "good", true, false)
			clock.advance(3 * time.Second)
			if wait := expectUnavailable(t, client, "garbage").RetryAfter; wait != 2*time.Second {
				t.Errorf("retry after %s", wait)
			}
			expectCalls(t, server, 2)
			clock.advance(2 * time.Second)
			expect(t, client, "garbage", true, false)
		})
	}
	t.Run("R7662-8: a stranger cannot have a firewall switch the endpoint off", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		for i := range 20 {
			server.answer(status(403, "")) // what it takes for an attack
			expectUnavailable(t, client, "../../etc/passwd"+strings.Repeat("=", i))
			server.answer(says(active))
			expect(t, client, fmt.Sprint("good", i), true, false)
			clock.advance(2 * time.Second)
		}
	})
	t.Run("R7662-8: calls that fail together are one failure", func(t *testing.T) {
		c, now := newCircuit(), newClock().now()
		passes := make([]pass, 2*several)
		for i := range passes {
			passes[i], _, _ = c.enter(now, fmt.Sprint(i))
		}
		for i, p := range passes {
			c.fail(now.Add(time.Duration(i)*5*time.Second), p, errBusy)
		}
		if c.pauses != 1 {
			t.Errorf("%d pauses", c.pauses)
		}
	})
	t.Run("R7662-8: one good answer ends the pause, whenever its call began", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		release := server.hold(t)
		slow := make(chan error, 1)
		go func() {
			_, err := client.Introspect(t.Context(), "slow", anonymous)
			slow <- err
		}()
		eventually(t, func() bool { return len(server.calls()) == 1 })
		server.answer(status(500, ""))
		failFrom(t, client, "crash")
		server.answer(says(active))
		introspect(t, client, "good", "192.0.2.0", true)
		release()
		if err := <-slow; err != nil {
			t.Fatal(err)
		}
		introspect(t, client, "good", "192.0.2.0", false)
	})
}

func TestLog(t *testing.T) {
	const token = "very-secret-token"
	logger, logs := newLog()
	client, server, clock := newTimed(t, "", func(c *Config) {
		c.Logger = func() *zap.Logger { return logger }
		c.Endpoint += "/introspect?key=of-the-provider"
	})
	fail := func(handler http.HandlerFunc) {
		server.answer(handler)
		expectUnavailable(t, client, token)
		clock.advance(maxPause)
	}
	t.Run("R7662-3: a failure is logged once per change of reason", func(t *testing.T) {
		for range 3 {
			fail(status(503, token))
		}
		fail(says(token))
		fail(says(`{"active":"` + token + `"}`))
		if got := logs.TakeAll(); len(got) != 3 || got[0].Level != zap.WarnLevel {
			t.Errorf("logged %v", got)
		}
	})
	t.Run("R7662-3: one that comes and goes is logged once a minute", func(t *testing.T) {
		for range 4 {
			fail(status(502, ""))
			server.answer(says(inactive))
			expect(t, client, "other", false, false)
		}
		// Each time its recovery is logged too.
		if got := logs.TakeAll(); len(got) != 4 || got[2].Level != zap.WarnLevel || got[3].Level != zap.InfoLevel {
			t.Errorf("logged %v", got)
		}
	})
	t.Run("R7662-4: a client that is not known there can be told from the log", func(t *testing.T) {
		for range 3 {
			fail(status(400, `{"error":"invalid_client","error_description":"`+token+`"}`))
		}
		got := logs.All()
		if len(got) != 1 || !strings.Contains(fmt.Sprint(got[0].ContextMap()), "invalid_client") {
			t.Errorf("logged %v", got)
		}
		fail(status(400, `{"error":"`+token+`"}`))
	})
	t.Run("R7662-4: no token and no secret is logged", func(t *testing.T) {
		fail(func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) })
		for _, entry := range logs.TakeAll() {
			text := entry.Message + fmt.Sprint(entry.ContextMap())
			for _, secret := range []string{token, "s3cret", "of-the-provider"} {
				if strings.Contains(text, secret) {
					t.Errorf("logged %s", text)
				}
			}
			if !strings.Contains(text, server.URL+"/introspect") {
				t.Errorf("no address in %s", text)
			}
		}
	})
}
