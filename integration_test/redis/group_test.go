//go:build redis

package redis

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/redis"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

// member is a store in this process that belongs to a group of instances.
// Members of one process have different numbers, or they would be one.
func member(t *testing.T, number int, config redis.Redis) *redis.Redis {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	defer cancel()
	config.Timeout = caddy.Duration(5*time.Second + time.Duration(number))
	if err := config.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := config.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	harness.Eventually(t, "the store is ready", config.Healthy)
	return &config
}

// members are several.
func members(t *testing.T, config redis.Redis) (all []store.Store) {
	t.Helper()
	for number := range 3 {
		all = append(all, member(t, number, config))
	}
	return all
}

func TestStore(t *testing.T) {
	storetest.Run(t, members(t, redis.Redis{Addresses: []string{startRedis(t).address()}})...)
}

func TestAttemptsAreCountedTogether(t *testing.T) {
	server := startRedis(t)
	group := startGroup(t, server.address()+patient)
	t.Run("LEAK-6: failures at three instances are those of one guesser", func(t *testing.T) {
		for attempt := range 10 {
			if status, code := group[attempt%3].try("/", harness.Basic("alice", fmt.Sprint("guess ", attempt))); status != 401 {
				t.Fatalf("attempt %d: %d %s", attempt, status, code)
			}
		}
		for _, instance := range group {
			instance.becomes(429, harness.Basic("alice", "secret"))
		}
	})
}

func TestRevocationReachesAll(t *testing.T) {
	server := startRedis(t)
	group := startGroup(t, server.address()+patient)
	publisher := member(t, 0, redis.Redis{Addresses: []string{server.address()}})
	startLoad(t, group)
	slowest := time.Duration(0)
	for round := range 20 {
		token := harness.Token(t, harness.Claims{"jti": fmt.Sprint("round ", round)})
		for _, each := range group {
			each.becomes(200, harness.Bearer(token))
		}
		start, err := store.Revocation{Digest: store.DigestOfToken(token)}.Entry(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := publisher.Publish(t.Context(), start); err != nil {
			t.Fatal(err)
		}
		for _, each := range group {
			each.becomes(401, harness.Bearer(token))
			slowest = max(slowest, time.Since(began))
		}
		if status, code := group[0].try("/", harness.Bearer(token)); code != "revoked_token" {
			t.Errorf("%d %s", status, code)
		}
	}
	t.Logf("the slowest of 20 revocations was honoured by all after %s", slowest)
	if slowest > time.Second {
		t.Errorf("a revocation took %s", slowest)
	}
}

func TestProofIsAcceptedOnce(t *testing.T) {
	group := startGroup(t, startRedis(t).address()+patient)
	t.Run("R9449-11: by one of the group", func(t *testing.T) {
		h := newHolder(t)
		for range 20 {
			proof, accepted, failures := h.proof(), atomic.Int32{}, atomic.Int32{}
			var calls sync.WaitGroup
			for n := range 9 {
				calls.Go(func() {
					switch status, code := group[n%3].try("/", h.presented(), proof); {
					case status == 200:
						accepted.Add(1)
					case code == "invalid_dpop_proof":
						failures.Add(1)
					}
				})
			}
			calls.Wait()
			if accepted.Load() != 1 || failures.Load() != 8 {
				t.Errorf("accepted %d times, refused %d times", accepted.Load(), failures.Load())
			}
		}
	})
}

func TestInstanceStartsAgain(t *testing.T) {
	server := startRedis(t)
	token := harness.Token(t)
	start, err := store.Revocation{Digest: store.DigestOfToken(token)}.Entry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := member(t, 0, redis.Redis{Addresses: []string{server.address()}}).Publish(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		late := startCaddy(t, server.address()+patient)
		harness.Eventually(t, "it honours what was revoked before it started", func() bool {
			status, code := late.try("/", harness.Bearer(token))
			if status == 200 {
				t.Fatal("the token was let in")
			}
			return code == "revoked_token"
		})
		late.stop()
	}
}
