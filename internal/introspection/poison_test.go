package introspection

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// from is a client by its address.
func from(address string) func() string { return func() string { return address } }

// introspect asks about a token of a client, and wants an error where the call
// must fail.
func introspect(t *testing.T, client *Client, token, address string, wantErr bool) error {
	t.Helper()
	_, err := client.Introspect(t.Context(), token, from(address))
	if (err != nil) != wantErr {
		t.Fatalf("%q of %s: error %v", token, address, err)
	}
	return err
}

// poisonous has an endpoint fail for tokens that begin with "poison".
func poisonous(fail http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.PostFormValue("token"), "poison") {
			fail(w, r)
			return
		}
		says(active)(w, r)
	}
}

// hangUp closes the connection.
func hangUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

// failures are what an endpoint, or a firewall before it, answers instead of an
// introspection response.
var failures = map[string]http.HandlerFunc{
	"401": status(401, ""), "404": status(404, ""), "406": status(406, ""), "429": status(429, ""), "431": status(431, ""),
	"500": status(500, ""), "503": status(503, ""), "302": status(302, ""), "nonsense": says(`{}`), "a page": says("<html>"), "nothing": hangUp,
}

func TestPoisonousTokens(t *testing.T) {
	for name, fail := range failures {
		t.Run("R7662-8: tokens of one client that are answered with "+name+" limit nobody", func(t *testing.T) {
			client, server, clock := newTimed(t, "", nil)
			server.answer(poisonous(fail))
			for i := range 50 {
				introspect(t, client, fmt.Sprint("poison", i), "192.0.2.1", true)
				if i%3 == 0 {
					introspect(t, client, fmt.Sprint("good", i), "192.0.2.1", false)
					introspect(t, client, fmt.Sprint("fine", i), "192.0.2.2", false)
				}
				clock.advance(time.Second)
			}
		})
		t.Run("R7662-8: tokens of many clients that are answered with "+name+" limit no other client", func(t *testing.T) {
			client, server, clock := newTimed(t, "", nil)
			server.answer(poisonous(fail))
			for i := range 20 {
				for j := range 5 * several {
					_, _ = client.Introspect(t.Context(), fmt.Sprint("poison", i, j), from(fmt.Sprint("192.0.2.", j)))
				}
				clock.advance(5 * time.Second)
				introspect(t, client, fmt.Sprint("good", i), "198.51.100.1", false)
			}
		})
	}
	t.Run("R7662-8: failures of many clients limit nothing while calls succeed", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(poisonous(status(500, "")))
		introspect(t, client, "good", "192.0.2.1", false)
		for i := range 100 {
			clock.advance(calm * 9 / 10)
			for j := range 2 * several {
				introspect(t, client, fmt.Sprint("poison", i, j), fmt.Sprint("192.0.2.", j), true)
			}
			introspect(t, client, fmt.Sprint("good", i), "192.0.2.1", false)
		}
		if got := len(server.calls()); got != 1+100*(2*several+1) {
			t.Errorf("%d calls", got)
		}
	})
	t.Run("R7662-8: calls that hang leave room for another client", func(t *testing.T) {
		client, server, _ := newTimed(t, "", nil)
		hold := make(chan struct{})
		release := sync.OnceFunc(func() { close(hold) })
		defer release()
		server.answer(poisonous(func(w http.ResponseWriter, r *http.Request) {
			<-hold
			status(500, "")(w, r)
		}))
		var calls sync.WaitGroup
		for i := range maxTrials - 1 {
			calls.Go(func() {
				_, _ = client.Introspect(t.Context(), fmt.Sprint("poison", i), from(fmt.Sprint("192.0.2.", i)))
			})
		}
		eventually(t, func() bool { return len(server.calls()) == maxTrials-1 })
		introspect(t, client, "good", "198.51.100.1", false)
		release()
		calls.Wait()
	})
	t.Run("R7662-8: a failed call counts against its token", func(t *testing.T) {
		client, server, clock := newTimed(t, "", nil)
		server.answer(status(500, ""))
		if wait := expectUnavailable(t, client, "token").RetryAfter; wait != failedFor {
			t.Errorf("retry after %s", wait)
		}
		clock.advance(failedFor - 1)
		expectUnavailable(t, client, "token")
		expectCalls(t, server, 1)
		expectUnavailable(t, client, "other")
		expectCalls(t, server, 2)
		clock.advance(1)
		server.answer(says(active))
		expect(t, client, "token", true, false)
	})
}
