package redis

import (
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/storetest"
)

func TestCountersMakeWay(t *testing.T) {
	const most = 50
	totals := func(t *testing.T, server *miniredis.Miniredis, one *shared) (counters, ends int) {
		t.Helper()
		fields, err := server.HKeys(one.keys.counters())
		if err != nil {
			t.Fatal(err)
		}
		members, err := server.ZMembers(one.keys.counterEnds())
		if err != nil {
			t.Fatal(err)
		}
		return len(fields), len(members)
	}
	t.Run("COUNT-1: counters in Redis are bounded, and one that is added to often stays", func(t *testing.T) {
		server := start(t)
		all := instances(t, server, 2)
		for _, one := range all {
			if one.most != store.MaxCounters {
				t.Errorf("the bound is %d", one.most)
			}
			one.most = most
		}
		storetest.Counters(t, most, func() int {
			counters, ends := totals(t, server, all[0])
			if ends != counters {
				t.Errorf("%d counters and %d ends are held", counters, ends)
			}
			return counters
		}, all[0], all[1])
		if got := len(server.Keys()); got != 2 {
			t.Errorf("Redis has %d keys: %q", got, server.Keys())
		}
	})
	t.Run("COUNT-1: a bound that is lower than before is reached", func(t *testing.T) {
		server := start(t)
		one := instances(t, server, 1)[0]
		for i := range most {
			one.Count(t.Context(), store.KeyOf(strconv.Itoa(i)), time.Hour)
		}
		one.most = 5
		one.Count(t.Context(), store.KeyOf("another"), time.Hour)
		if counters, ends := totals(t, server, one); counters != 5 || ends != 5 {
			t.Errorf("%d counters and %d ends are held", counters, ends)
		}
	})
	t.Run("COUNT-1: used proofs do not make way for counters", func(t *testing.T) {
		one := instances(t, start(t), 1)[0]
		one.most = most
		until := time.Now().Add(time.Hour)
		if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), until); !fresh || err != nil {
			t.Fatal(fresh, err)
		}
		for i := range 3 * most {
			one.Count(t.Context(), store.KeyOf(strconv.Itoa(i)), time.Hour)
		}
		if fresh, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), until); fresh || err != nil {
			t.Errorf("the proof is new again: %t, %v", fresh, err)
		}
	})
	t.Run("COUNT-1: a counter that was reset leaves nothing", func(t *testing.T) {
		server := start(t)
		one := instances(t, server, 1)[0]
		one.Count(t.Context(), store.KeyOf("client"), time.Hour)
		one.Reset(t.Context(), store.KeyOf("client"))
		if remaining := server.Keys(); len(remaining) != 0 {
			t.Errorf("Redis has %q", remaining)
		}
	})
}
