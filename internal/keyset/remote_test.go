package keyset

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

func TestRemoteStartsWhileProviderIsDown(t *testing.T) {
	// R8414-5, AVAIL-1.
	down := new(provider)
	inBubble(t, down, RemoteConfig{}, func(t *testing.T, remote *Remote) {
		begin := time.Now()
		expectUnavailable(t, remote, "a")
		if waited := time.Since(begin); waited != firstWait {
			t.Errorf("the first request waited %s", waited)
		}
		later(time.Minute)
		begin = time.Now()
		unavailable := expectUnavailable(t, remote, "a")
		if waited := time.Since(begin); waited > firstWait {
			t.Errorf("a later request waited %s", waited)
		}
		if !strings.Contains(unavailable.Error(), "connection refused") || !errors.Is(unavailable, errNoSet) {
			t.Errorf("got %v", unavailable)
		}
		fetches := down.fetches.Load()
		down.publish(publish(t, "a"))
		later(maxBackoff)
		expect(t, remote, "a", 1)
		if more := down.fetches.Load() - fetches; more != 1 {
			t.Errorf("%d fetches in a minute", more)
		}
	})
}

func TestRemoteDoesNotPileUpRequests(t *testing.T) {
	inBubble(t, new(provider), RemoteConfig{}, func(t *testing.T, remote *Remote) {
		later(2 * time.Minute)
		for due, _ := remote.fetches.outlook(); time.Until(due) <= firstWait; due, _ = remote.fetches.outlook() {
			later(time.Second)
		}
		begin := time.Now()
		unavailable := expectUnavailable(t, remote, "a")
		if waited := time.Since(begin); waited != 0 {
			t.Errorf("a request waited %s though no fetch was due", waited)
		}
		if unavailable.RetryAfter > maxBackoff {
			t.Errorf("retry after %s", unavailable.RetryAfter)
		}
	})
}

func TestRemoteFirstRequestWaits(t *testing.T) {
	slow, document := new(provider), publish(t, "a")
	slow.answer(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(2 * time.Second)
		_, _ = w.Write(document)
	})
	inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := remote.Find(impatient, queryFor("a")); err == nil {
			t.Error("a request outlived its context")
		}
		if remote.Fingerprint() != 0 {
			t.Error("a fingerprint before the first set")
		}
		expect(t, remote, "a", 1)
	})
}

func TestRemoteUnknownKid(t *testing.T) {
	t.Run("JWT-5: one fetch per interval for all requests", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			for range 3 {
				expectUnavailable(t, remote, "x")
			}
			if got := up.fetches.Load(); got != 1 {
				t.Errorf("%d fetches within the first interval", got)
			}
			document := publish(t, "a", "new")
			up.answer(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Second)
				_, _ = w.Write(document)
			})
			later(minInterval - time.Second) // the fetch that x caused is running
			var requests sync.WaitGroup
			requests.Go(func() { expect(t, remote, "x", 0) })
			for i := range 50 {
				requests.Go(func() {
					if i%2 == 0 {
						expect(t, remote, "new", 1)
					} else {
						expectUnavailable(t, remote, "y") // the fetch began before this token came
					}
				})
			}
			requests.Wait()
			if got := up.fetches.Load(); got != 2 {
				t.Errorf("%d fetches, want the first and one for 54 requests", got)
			}
			later(minInterval + time.Second)
			expect(t, remote, "y", 0)
			if got := up.fetches.Load(); got != 3 {
				t.Errorf("%d fetches, want one more for the tokens that came during the second", got)
			}
		})
	})
	t.Run("KEY-9: a withdrawn key is denied by the next fetch, whatever caused it", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "old"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			up.publish(publish(t, "next"))
			if err := remote.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			unavailable := expectUnavailable(t, remote, "old")
			later(unavailable.RetryAfter) // no request comes at that moment
			expect(t, remote, "next", 1)
			for range 3 {
				expect(t, remote, "old", 0)
			}
			if got := up.fetches.Load(); got != 3 {
				t.Errorf("%d fetches", got)
			}
		})
	})
	t.Run("KEY-9: another token of the same kid waits for a fetch of its own", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			expectUnavailable(t, remote, "guessed")
			later(minInterval)
			expect(t, remote, "guessed", 0)
			up.publish(publish(t, "a", "guessed"))
			honest := Query{Token: Digest{1}, KeyID: "guessed", Algorithm: "EdDSA"}
			if keys, err := remote.Find(t.Context(), honest); err == nil {
				t.Errorf("got %v", keys)
			}
			later(minInterval)
			if keys, err := remote.Find(t.Context(), honest); err != nil || len(keys) != 1 {
				t.Errorf("got %v and error %v", keys, err)
			}
		})
	})
	t.Run("KEY-9: the memory of tokens is bounded", func(t *testing.T) {
		schedule := newSchedule()
		for i := range 3 * maxUnknown {
			_, _ = schedule.request(time.Time{}, sha256.Sum256([]byte(strconv.Itoa(i))))
		}
		if got := len(schedule.firstFetch); got > maxUnknown {
			t.Errorf("%d tokens", got)
		}
	})
	t.Run("KEY-9: a key published just after a fetch is unavailable, and known at the end of Retry-After", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			up.publish(publish(t, "a", "new"))
			unavailable := expectUnavailable(t, remote, "new")
			if unavailable.RetryAfter > minInterval {
				t.Errorf("retry after %s", unavailable.RetryAfter)
			}
			for range 1000 { // a flood delays nothing
				expectUnavailable(t, remote, "made up")
			}
			later(unavailable.RetryAfter)
			expect(t, remote, "new", 1)
			if got := up.fetches.Load(); got != 2 {
				t.Errorf("%d fetches", got)
			}
		})
	})
	t.Run("KEY-9: a fetch that began before the request says nothing of a key that it lacks", func(t *testing.T) {
		slow := new(provider)
		slow.publish(publish(t, "a"))
		inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(minInterval)
			document := publish(t, "a")
			slow.answer(func(w http.ResponseWriter, _ *http.Request) {
				time.Sleep(time.Second) // "new" is published after this answer was made
				_, _ = w.Write(document)
			})
			var first sync.WaitGroup
			first.Go(func() { expect(t, remote, "made up", 0) })
			synctest.Wait()
			unavailable := expectUnavailable(t, remote, "new")
			first.Wait()
			slow.publish(publish(t, "a", "new"))
			later(unavailable.RetryAfter)
			expect(t, remote, "new", 1)
		})
	})
	t.Run("AVAIL-1: unavailable while the provider is down, and after", func(t *testing.T) {
		flaky := new(provider)
		flaky.publish(publish(t, "a"))
		inBubble(t, flaky, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(minInterval)
			flaky.answer(nil)
			expectUnavailable(t, remote, "new")
			fetches := flaky.fetches.Load()
			expectUnavailable(t, remote, "new")
			if flaky.fetches.Load() != fetches {
				t.Error("a request caused a fetch right after a failure")
			}
			expect(t, remote, "a", 1)
			flaky.publish(publish(t, "new"))
			later(2 * time.Second)
			expect(t, remote, "new", 1)
			later(minInterval)
			expect(t, remote, "a", 0)
		})
	})
	t.Run("JWT-5: a request waits no longer than it can", func(t *testing.T) {
		slow := new(provider)
		slow.publish(publish(t, "a"))
		inBubble(t, slow, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(minInterval)
			slow.answer(hang)
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			_, err := remote.Find(impatient, queryFor("new"))
			if _, ok := errors.AsType[*idp.UnavailableError](err); !ok || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			begin := time.Now()
			expectUnavailable(t, remote, "new")
			if waited := time.Since(begin); waited > timeout {
				t.Errorf("a request waited %s", waited)
			}
		})
	})
	t.Run("JWT-5: no kid, or a known one of another alg, causes no fetch", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(minInterval)
			for _, kid := range []string{"", "a"} {
				if keys, err := remote.Find(t.Context(), Query{KeyID: kid, Algorithm: "RS256"}); err != nil || len(keys) != 0 {
					t.Errorf("got %v and error %v", keys, err)
				}
			}
			if got := up.fetches.Load(); got != 1 {
				t.Errorf("%d fetches", got)
			}
		})
	})
	t.Run("JWT-3: no newer set has a key for a token that is signed with a secret", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, "a"))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			query := queryFor("x")
			query.Algorithm = "HS256"
			if keys, err := remote.Find(t.Context(), query); len(keys) != 0 || err != nil {
				t.Errorf("%v, %v", keys, err)
			}
		})
	})
	t.Run("KEY-9: keys without an ID are tried at once, and a newer fetch decides", func(t *testing.T) {
		up := new(provider)
		up.publish(publish(t, ""))
		inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
			later(time.Second)
			up.publish(publish(t, "", "new"))
			var retry time.Duration
			for _, kid := range []string{"new", "made up"} {
				begin := time.Now()
				keys, err := remote.Find(t.Context(), queryFor(kid))
				unavailable, ok := errors.AsType[*idp.UnavailableError](err)
				if !ok || len(keys) != 1 || keys[0].ID != "" || time.Since(begin) != 0 {
					t.Fatalf("%s: got %v and error %v after %s", kid, keys, err, time.Since(begin))
				}
				retry = unavailable.RetryAfter
			}
			later(retry)
			for _, kid := range []string{"new", "made up"} { // which is for the keys without an ID to refuse
				expect(t, remote, kid, 1)
			}
			if !remote.All().Has("new") {
				t.Error("not refreshed")
			}
		})
	})
}

func TestRemoteKeepsLastGoodSet(t *testing.T) {
	// JWT-14.
	unwanted := publish(t, "b")
	partly := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNonAuthoritativeInfo)
		_, _ = w.Write(unwanted)
	}
	for name, answer := range map[string]http.HandlerFunc{
		"status 500":       status(http.StatusInternalServerError),
		"status 203":       partly,
		"garbage":          body([]byte("<html>")),
		"empty set":        body([]byte(`{"keys":[]}`)),
		"unusable keys":    body([]byte(`{"keys":[{"kty":"oct","k":"AA"}]}`)),
		"oversized":        body(append(publish(t, "b"), bytes.Repeat([]byte(" "), idp.MaxDocument)...)),
		"hanging":          hang,
		"connection fails": nil,
	} {
		t.Run(name, func(t *testing.T) {
			up := new(provider)
			up.publish(publish(t, "a"))
			inBubble(t, up, RemoteConfig{}, func(t *testing.T, remote *Remote) {
				later(time.Second)
				up.answer(answer)
				if err := remote.Refresh(t.Context()); err == nil {
					t.Error("refreshed")
				}
				expect(t, remote, "a", 1)
				later(maxStale - time.Minute)
				expect(t, remote, "a", 1)
				if ok, failed := remote.Status().Fetched, remote.Status().Failed; ok != 1 || failed < 1000 {
					t.Errorf("%d fetches are good and %d failed", ok, failed)
				}
				later(time.Minute)
				if unavailable := expectUnavailable(t, remote, "a"); !errors.Is(unavailable, errStale) {
					t.Errorf("too old, but got %v", unavailable)
				}
				up.publish(publish(t, "b"))
				later(maxBackoff + timeout)
				expect(t, remote, "b", 1)
			})
		})
	}
}

func TestRemoteLogsOncePerReason(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	flaky := new(provider)
	inBubble(t, flaky, RemoteConfig{Logger: func() *zap.Logger { return zap.New(core) }}, func(t *testing.T, remote *Remote) {
		later(time.Hour)
		flaky.answer(status(http.StatusBadGateway))
		later(time.Hour)
		flaky.publish(publish(t, "a"))
		later(time.Hour)
		if got := logs.FilterLevelExact(zap.WarnLevel).Len(); got != 2 {
			t.Errorf("%d warnings: %v", got, logs.All())
		}
		if got := logs.FilterLevelExact(zap.InfoLevel).Len(); got != 1 {
			t.Errorf("%d records of the recovery: %v", got, logs.All())
		}
		if got := logs.FilterLevelExact(zap.DebugLevel).Len(); got < 4 {
			t.Errorf("%d successes", got)
		}
	})
}
