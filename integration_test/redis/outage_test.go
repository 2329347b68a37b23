//go:build redis

package redis

import (
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/redis"
)

// revoke announces that a token is no good, and returns it when all know.
func revoke(t *testing.T, server *server, group []*instance) (token string) {
	t.Helper()
	token = harness.Token(t, harness.Claims{"jti": t.Name()})
	start, err := store.Revocation{Digest: store.DigestOfToken(token)}.Entry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := member(t, 0, redis.Redis{Addresses: []string{server.address()}}).Publish(t.Context(), start); err != nil {
		t.Fatal(err)
	}
	for _, each := range group {
		each.becomes(401, harness.Bearer(token))
	}
	return token
}

// proofsAre waits until proofs get an answer at every instance.
func proofsAre(t *testing.T, status int, group []*instance) {
	t.Helper()
	h := newHolder(t)
	for _, each := range group {
		harness.Eventually(t, "proofs are answered", func() bool {
			got, _ := each.try("/", h.presented(), h.proof())
			return got == status
		})
	}
}

func TestRedisStopsAndStarts(t *testing.T) {
	server := startRedis(t)
	group := startGroup(t, server.address()+patient)
	token := revoke(t, server, group)
	l := startLoad(t, group)
	plain, proven, _ := l.during(func() { proofsAre(t, 200, group) })
	if !only(plain, good) || !only(proven, good) {
		t.Fatalf("while all is well: %v %v", plain, proven)
	}
	plain, proven, longest := l.during(func() {
		for range 3 {
			server.stop()
			proofsAre(t, 503, group)
			for _, each := range group {
				if _, code := each.try("/", harness.Bearer(token)); code != "revoked_token" {
					t.Errorf("without Redis the revoked token gets %q", code)
				}
			}
			server.start()
			proofsAre(t, 200, group)
		}
	})
	t.Logf("plain %v, with proofs %v, longest %s", plain, proven, longest)
	if !only(plain, good) || !only(proven, good, unavailable) {
		t.Errorf("plain %v, with proofs %v", plain, proven)
	}
	plain, proven, _ = l.during(func() { proofsAre(t, 200, group) })
	if !only(plain, good) || !only(proven, good) {
		t.Errorf("afterwards: %v %v", plain, proven)
	}
	for _, each := range group {
		away, back := strings.Count(each.log.String(), "Redis is away: proofs"), strings.Count(each.log.String(), `"Redis is back"`)
		if away < 1 || away > 3 || back != away {
			t.Errorf("of three outages %d were told of, and %d times that Redis is back", away, back)
		}
	}
}

// slack is how much longer than the time-out a request may take on a machine
// that has other things to do. Without a bound it would be seconds.
const slack = 1500 * time.Millisecond

func TestRedisHangs(t *testing.T) {
	server := startRedis(t)
	group := startGroup(t, server.address())
	l := startLoad(t, group)
	plain, proven, longest := l.during(func() {
		server.freeze()
		proofsAre(t, 503, group)
		h := newHolder(t)
		for range 20 {
			for _, each := range group {
				each.try("/", h.presented(), h.proof())
			}
		}
		server.thaw()
		proofsAre(t, 200, group)
	})
	t.Logf("plain %v, with proofs %v, longest %s", plain, proven, longest)
	if !only(plain, good) || !only(proven, good, unavailable) {
		t.Errorf("plain %v, with proofs %v", plain, proven)
	}
	if longest > 250*time.Millisecond+slack {
		t.Errorf("a request waited for %s", longest)
	}
}

func TestCaddyStartsWithoutRedis(t *testing.T) {
	server := startRedis(t)
	server.stop()
	alone := startCaddy(t, server.address()+patient)
	token := harness.Token(t)
	if status, code := alone.try("/", harness.Bearer(token)); status != 503 {
		t.Errorf("what is revoked is not known: %d %s", status, code)
	}
	if status, _ := alone.try("/"); status != 401 {
		t.Errorf("without a token: %d", status)
	}
	server.start()
	alone.becomes(200, harness.Bearer(token))
}
