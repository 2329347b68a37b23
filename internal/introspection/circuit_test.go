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
	"testing"
	"time"

	"go.uber.org/zap"
)

func TestUnavailable(t *testing.T) {
	for _, code := range []int{400, 401, 403, 404, 413, 429, 500, 502, 503} {
		t.Run(fmt.Sprintf("R7662-4: status %d is no answer", code), func(t *testing.T) {
			client, asked, _ := timed(t, "", nil)
			asked.answer(status(code, active))
			expectUnavailable(t, client, "token")
		})
	}
	t.Run("R7662-4: nor is nobody there", func(t *testing.T) {
		client, asked, _ := timed(t, active, nil)
		asked.Close()
		expectUnavailable(t, client, "token")
	})
	t.Run("R7662-4: nor is a certificate of somebody else", func(t *testing.T) {
		asked := httptest.NewTLSServer(says(active))
		defer asked.Close()
		asked.Config.ErrorLog = zap.NewStdLog(zap.NewNop())
		unavailable := expectUnavailable(t, newClientOf(t, config(asked.URL)), "token")
		if !strings.Contains(unavailable.Error(), "certificate") {
			t.Errorf("got %v", unavailable)
		}
	})
	t.Run("R7662-4: nor is one that takes too long", func(t *testing.T) {
		client, asked, _ := timed(t, "", func(c *Config) { c.Timeout = 20 * time.Millisecond })
		asked.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		begin := time.Now()
		unavailable := expectUnavailable(t, client, "token")
		if waited := time.Since(begin); waited > 5*time.Second || !strings.Contains(unavailable.Error(), "no answer within 20ms") {
			t.Errorf("got %v after %s", unavailable, waited)
		}
	})
	t.Run("R7662-4: a reason does not change with the time", func(t *testing.T) {
		client, _, _ := timed(t, active, nil)
		expired := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 12:00"}}
		if got := client.plain(&url.Error{Err: expired}).Error(); !strings.Contains(got, "expired") || strings.Contains(got, "12:00") {
			t.Errorf("got %s", got)
		}
	})
	t.Run("R7662-4: a reason does not change with the port on this side", func(t *testing.T) {
		client, asked, clock := timed(t, "", func(c *Config) { c.Endpoint = "http://127.0.0.1:1" })
		first := expectUnavailable(t, client, "token")
		asked.Close()
		clock.advance(maxPause)
		if second := expectUnavailable(t, client, "token"); first.Error() != second.Error() || strings.Contains(first.Error(), "Post") {
			t.Errorf("first %v, then %v", first, second)
		}
	})
	t.Run("R7662-4: nor is one that breaks off", func(t *testing.T) {
		client, asked, _ := timed(t, "", nil)
		asked.answer(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte(active))
		})
		expectUnavailable(t, client, "token")
	})
	t.Run("AVAIL-1: an answer that is kept outlives the endpoint", func(t *testing.T) {
		client, asked, _ := timed(t, active, nil)
		expect(t, client, "token", true, false)
		asked.Close()
		expectUnavailable(t, client, "another")
		expect(t, client, "token", true, true)
	})
	t.Run("AVAIL-1: a request that ends early is told the same", func(t *testing.T) {
		client, asked, _ := timed(t, "", nil)
		asked.answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		gone := errors.New("the client has gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(gone)
		_, err := client.Introspect(ctx, "token", nobody)
		if !errors.Is(err, gone) {
			t.Errorf("got %v", err)
		}
		asked.CloseClientConnections()
	})
}

func TestCircuit(t *testing.T) {
	t.Run("R7662-8: calls pause after a failure, twice as long each time", func(t *testing.T) {
		client, asked, clock := timed(t, "", nil)
		asked.answer(status(503, ""))
		for i, want := range []time.Duration{1, 2, 4, 8, 16, 30, 30} {
			length := want * time.Second
			expectUnavailable(t, client, "token")
			expectCalls(t, asked, i+1)
			clock.advance(length*9/10 - 1)
			unavailable := expectUnavailable(t, client, "other")
			expectCalls(t, asked, i+1)
			if !errors.Is(unavailable, errPaused) || !strings.Contains(unavailable.Error(), "status 503") {
				t.Errorf("got %v", unavailable)
			}
			clock.advance(length*2/10 + 1)
		}
		asked.answer(says(active))
		expect(t, client, "token", true, false)
		asked.answer(status(503, ""))
		if wait := expectUnavailable(t, client, "other").RetryAfter; wait > 2*time.Second {
			t.Errorf("after a good answer, retry after %s", wait)
		}
	})
	t.Run("R7662-8: Retry-After is the rest of the pause", func(t *testing.T) {
		client, asked, clock := timed(t, "", nil)
		asked.answer(status(500, ""))
		for range 6 {
			expectUnavailable(t, client, "token")
			clock.advance(maxPause)
		}
		expectUnavailable(t, client, "token") // a pause of 27 to 30 seconds
		clock.advance(20 * time.Second)
		if wait := expectUnavailable(t, client, "token").RetryAfter; wait < 7*time.Second || wait > 10*time.Second {
			t.Errorf("retry after %s", wait)
		}
	})
	for name, handler := range map[string]http.HandlerFunc{
		"401": status(401, ""), "404": status(404, ""), "500": status(500, ""), "nonsense": says(`{}`),
	} {
		t.Run("R7662-8: "+name+" pauses the calls", func(t *testing.T) {
			client, asked, _ := timed(t, "", nil)
			asked.answer(handler)
			expectUnavailable(t, client, "token")
			asked.answer(says(active))
			expectUnavailable(t, client, "other")
			expectCalls(t, asked, 1)
		})
	}
	for _, code := range refusals {
		t.Run(fmt.Sprintf("R7662-8: status %d is held against the token alone", code), func(t *testing.T) {
			client, asked, clock := timed(t, "", nil)
			asked.answer(status(code, `{"error":"invalid_request"}`))
			if wait := expectUnavailable(t, client, "garbage").RetryAfter; wait != badFor {
				t.Errorf("retry after %s", wait)
			}
			asked.answer(says(active))
			expect(t, client, "good", true, false)
			clock.advance(3 * time.Second)
			if wait := expectUnavailable(t, client, "garbage").RetryAfter; wait != 2*time.Second {
				t.Errorf("retry after %s", wait)
			}
			expectCalls(t, asked, 2)
			clock.advance(2 * time.Second)
			expect(t, client, "garbage", true, false)
		})
	}
	t.Run("R7662-8: a stranger cannot have a firewall switch the endpoint off", func(t *testing.T) {
		client, asked, clock := timed(t, "", nil)
		for i := range 20 {
			asked.answer(status(403, "")) // what it takes for an attack
			expectUnavailable(t, client, "../../etc/passwd"+strings.Repeat("=", i))
			asked.answer(says(active))
			expect(t, client, fmt.Sprint("good", i), true, false)
			clock.advance(2 * time.Second)
		}
	})
	t.Run("R7662-8: calls that fail together are one failure", func(t *testing.T) {
		var c circuit
		now := newClock().now()
		one, _, _ := c.enter(now)
		two, _, _ := c.enter(now)
		c.fail(now, one, errBusy)
		if wait := c.fail(now.Add(5*time.Second), two, errBusy); wait > 0 || c.failures != 1 {
			t.Errorf("%d failures, pause %s", c.failures, wait)
		}
	})
	t.Run("R7662-8: one good answer ends the pause, whenever its call began", func(t *testing.T) {
		client, asked, _ := timed(t, "", nil)
		release := asked.hold(t)
		slow := make(chan error, 1)
		go func() {
			_, err := client.Introspect(t.Context(), "slow", nobody)
			slow <- err
		}()
		eventually(t, func() bool { return len(asked.calls()) == 1 })
		asked.answer(status(500, ""))
		expectUnavailable(t, client, "crash")
		asked.answer(says(active))
		expectUnavailable(t, client, "good")
		release()
		if err := <-slow; err != nil {
			t.Fatal(err)
		}
		expect(t, client, "good", true, false)
	})
}

func TestLog(t *testing.T) {
	const token = "very-secret-token"
	logger, logs := newLog()
	client, asked, clock := timed(t, "", func(c *Config) {
		c.Logger = func() *zap.Logger { return logger }
		c.Endpoint += "/introspect?key=of-the-provider"
	})
	fail := func(handler http.HandlerFunc) {
		asked.answer(handler)
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
			asked.answer(says(inactive))
			expect(t, client, "other", false, false)
		}
		if got := logs.TakeAll(); len(got) != 2 {
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
			if !strings.Contains(text, asked.URL+"/introspect") {
				t.Errorf("no address in %s", text)
			}
		}
	})
}
