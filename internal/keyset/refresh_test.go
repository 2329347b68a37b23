package keyset

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

func TestRemoteRotation(t *testing.T) {
	t.Run("JWT-14: a withdrawn key is gone after the next refresh", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "old", "new"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			expect(t, remote, "old", 1)
			up.publish(publish(t, "new"))
			later(refreshEvery / 2)
			expect(t, remote, "old", 1)
			later(refreshEvery)
			expect(t, remote, "old", 0)
			expect(t, remote, "new", 1)
		})
	})
	t.Run("another key under the same kid is another fingerprint", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			first, former := remote.current.Load(), remote.Fingerprint()
			if err := remote.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			second := remote.current.Load()
			if first.set == second.set || former == 0 || remote.Fingerprint() != former {
				t.Errorf("unchanged document: fingerprint %d", remote.Fingerprint())
			}
			up.publish(publish(t, "a"))
			if err := remote.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if remote.Fingerprint() == former {
				t.Errorf("changed document: fingerprint %d", remote.Fingerprint())
			}
		})
	})
	t.Run("refreshes are spread", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			for range 20 {
				begin, fetches := time.Now(), up.fetches.Load()
				for up.fetches.Load() == fetches {
					later(time.Second)
				}
				if waited := time.Since(begin); fetches > 1 && (waited < 13*time.Minute || waited > 17*time.Minute) {
					t.Errorf("refreshed after %s", waited)
				}
			}
			if remote.Status().Reason != "" {
				t.Error("a refresh failed")
			}
		})
	})
}

func TestRemoteRefresh(t *testing.T) {
	t.Run("a running fetch is not an answer to the operator", func(t *testing.T) {
		slow, old := new(provider), publish(t, "old")
		slow.answer(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(time.Second)
			_, _ = w.Write(old)
		})
		inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			synctest.Wait() // the first fetch is running
			slow.publish(publish(t, "new"))
			if err := remote.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			expect(t, remote, "new", 1)
			if got := slow.fetches.Load(); got != 2 {
				t.Errorf("%d fetches", got)
			}
		})
	})
	t.Run("a demand is met once", func(t *testing.T) {
		schedule := newSchedule()
		schedule.force()
		schedule.begin() // because it was due at the same time
		if len(schedule.wake) != 0 {
			t.Error("another fetch would follow at once")
		}
	})
	t.Run("ends with its context", func(t *testing.T) {
		slow := new(provider)
		slow.answer(hang)
		inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := remote.Refresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	})
}

func TestRemoteStops(t *testing.T) {
	up := new(provider)
	up.publish(publish(t, "a"))
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		config := RemoteConfig{URL: providerURL, Client: &http.Client{Transport: up}}
		remote, err := NewRemote(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		later(time.Minute)
		up.answer(hang)
		time.AfterFunc(time.Second, cancel)
		if err := remote.Refresh(t.Context()); !errors.Is(err, errStopped) {
			t.Errorf("a waiting caller got %v", err)
		}
		<-remote.stopped
		if status := remote.Status(); status.Reason != "" {
			t.Errorf("stopping counts as a failure: %s", status.Reason)
		}
		expect(t, remote, "a", 1)
		expectUnavailable(t, remote, "new")

		config.URL = "https://other.example/keys"
		unborn, err := NewRemote(ctx, config)
		if err != nil {
			t.Fatal(err)
		}
		if unavailable := expectUnavailable(t, unborn, "a"); unavailable.RetryAfter != time.Second {
			t.Errorf("retry after %s", unavailable.RetryAfter)
		}
	})
}

func TestRemoteStatus(t *testing.T) {
	up := new(provider)
	synctest.Test(t, func(t *testing.T) {
		remote, err := NewRemote(t.Context(), RemoteConfig{
			URL:    providerURL + "?subscription-key=hunter2",
			Client: &http.Client{Transport: up},
		})
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		failed := remote.Status()
		if failed.Reason == "" || !failed.NextFetch.After(time.Now()) {
			t.Errorf("after a failure: %+v", failed)
		}
		up.publish(jwksOf(t, jwkOf(t, "a", edKey(t)), entry{"kty": "oct", "k": "aHVudGVyMg"}))
		later(maxBackoff)
		fetched := remote.Status()
		if fetched.Reason != "" || fetched.FetchedAt.IsZero() || len(fetched.Skipped) != 1 {
			t.Errorf("after a success: %+v", fetched)
		}
		result := make(chan error, 1)
		stop := remote.OnFailure(func(failure error) { result <- failure })
		up.answer(status(http.StatusNotFound))
		if err := remote.Refresh(t.Context()); idp.ReasonOf(err) != idp.ReasonStatus || idp.ReasonOf(<-result) != idp.ReasonStatus || remote.Status().Reason != idp.ReasonStatus {
			t.Errorf("refreshed with %v", err)
		}
		if ok, failures := remote.Status().Fetched, remote.Status().Failed; ok != 1 || failures < 2 {
			t.Errorf("%d fetches are good and %d failed", ok, failures)
		}
		stop()
		for _, status := range []Status{failed, fetched} {
			text, err := json.Marshal(status)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "hunter2") || strings.Contains(string(text), "aHVudGVyMg") {
				t.Errorf("a secret shows: %s", text)
			}
		}
	})
}

func TestNewRemoteRefusesConfig(t *testing.T) {
	for name, config := range map[string]RemoteConfig{
		"nothing to ask":      {},
		"R8414-1: plain http": {URL: "http://id.example/keys"},
		"R8414-1: issuer":     {Issuer: "https://id.example/?a=b"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := NewRemote(t.Context(), config); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestStatic(t *testing.T) {
	source := NewStatic(nil)
	expect(t, source, "a", 0)
	if source.Fingerprint() != 0 {
		t.Error("no keys have a fingerprint")
	}
	document := publish(t, "a")
	source.Replace(mustParse(t, document))
	expect(t, source, "a", 1)
	first := source.Fingerprint()
	if first == 0 || NewStatic(mustParse(t, document)).Fingerprint() != first {
		t.Error("the same keys have another fingerprint")
	}
	source.Replace(mustParse(t, publish(t, "b")))
	if source.Fingerprint() == first {
		t.Error("other keys have the same fingerprint")
	}
	source.Replace(nil)
	expect(t, source, "a", 0)
}

// TestDefaultsOfRefresh has what SECURITY.md promises where nothing is configured.
func TestDefaultsOfRefresh(t *testing.T) {
	t.Run("JWT-14: a key set whose provider is down is kept for 24 hours", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			up.answer(nil)
			later(24*time.Hour - 2*time.Second)
			expect(t, remote, "a", 1)
			later(2 * time.Second)
			expectUnavailable(t, remote, "a")
		})
	})
	t.Run("JWT-14: a fetch has ten seconds", func(t *testing.T) {
		slow := new(provider)
		slow.answer(hang)
		inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(10*time.Second - 1)
			if reason := remote.Status().Reason; reason != "" {
				t.Errorf("it failed early: %s", reason)
			}
			later(1)
			if reason := remote.Status().Reason; reason != idp.ReasonTimeout {
				t.Errorf("it goes on, %q", reason)
			}
		})
	})
	t.Run("JWT-5: a flood of unknown keys has it fetched once in 10 seconds", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			for range 10 * 60 { // less than the time after which it is fetched in any case
				_, _ = remote.Find(t.Context(), queryFor("unknown"))
				later(time.Second)
			}
			if n := up.fetches.Load(); n < 59 || n > 61 {
				t.Errorf("%d fetches in ten minutes", n)
			}
		})
	})
}
