//go:build redis

package redis

import (
	"strconv"
	"sync"
	"testing"
	"time"

	client "github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/redis"
)

// fill makes as many counters as there may be, in the form in which the store
// keeps them.
var fill = client.NewScript(`
local till = redis.call('TIME')[1] * 1000 + 3600000
for i = 1, ARGV[1] do
  local key = 'counter-' .. i
  redis.call('HSET', KEYS[1], key, '1 ' .. string.format('%.0f', till))
  redis.call('ZADD', KEYS[2], till, key)
end
return redis.call('HLEN', KEYS[1])`)

func TestCountersMakeWay(t *testing.T) {
	server := startRedis(t, "--appendfsync", "no", "--maxmemory", "200mb", "--maxmemory-policy", "noeviction")
	all := members(t, redis.Redis{Addresses: []string{server.address()}})
	node := server.client()
	defer node.Close()
	counters := []string{"caddy-auth:{counters}", "caddy-auth:{counters}:ends"}
	if got, err := fill.Run(t.Context(), node, counters, store.MaxCounters).Int(); err != nil || got != store.MaxCounters {
		t.Fatal(got, err)
	}
	t.Run("COUNT-1: a full Redis keeps 200,000 counters, and takes proofs meanwhile", func(t *testing.T) {
		var attempts sync.WaitGroup
		for worker := range 8 {
			attempts.Go(func() {
				for i := range 250 {
					all[i%len(all)].Count(t.Context(), store.KeyOf("client", strconv.Itoa(worker), strconv.Itoa(i)), 2*time.Hour)
				}
			})
		}
		for i := range 100 {
			if fresh, err := all[0].First(t.Context(), store.KeyOf("token"), store.KeyOf(strconv.Itoa(i)), time.Now().Add(time.Minute)); !fresh || err != nil {
				t.Errorf("proof %d is new: %t, %v", i, fresh, err)
			}
		}
		attempts.Wait()
		if got := node.HLen(t.Context(), counters[0]).Val(); got != store.MaxCounters {
			t.Errorf("%d counters are held, want %d", got, store.MaxCounters)
		}
		if got := node.ZCard(t.Context(), counters[1]).Val(); got != store.MaxCounters {
			t.Errorf("%d ends are held, want %d", got, store.MaxCounters)
		}
		for worker := range 8 {
			if got := all[0].Count(t.Context(), store.KeyOf("client", strconv.Itoa(worker), "249"), 2*time.Hour); got != 2 {
				t.Errorf("a counter that was new stands at %d", got)
			}
		}
	})
}
