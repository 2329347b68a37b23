package bruteforce

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

func TestWaitAfter(t *testing.T) {
	l := Limits{}.withDefaults()
	for beyond, want := range map[int]time.Duration{
		0: 30 * time.Second, 1: time.Minute, 2: 2 * time.Minute, 4: 8 * time.Minute, 5: 15 * time.Minute, 6: 15 * time.Minute, 1 << 40: 15 * time.Minute,
	} {
		if got := l.waitAfter(beyond); got != want {
			t.Errorf("%d beyond the limit: %s, want %s", beyond, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	const second, minute, hour = caddy.Duration(time.Second), caddy.Duration(time.Minute), caddy.Duration(time.Hour)
	for name, good := range map[string]Limits{
		"nothing":    {},
		"off":        {Off: true},
		"the lowest": {Limit: 1, PerClient: 1, PerAccount: 1, Wait: second, MaxWait: second, Forget: 2 * second},
		"the most":   {Limit: maxLimit, PerClient: maxLimit, PerAccount: maxLimit, Wait: hour, MaxWait: 23 * hour, Forget: 24 * hour},
	} {
		if err := good.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for says, bad := range map[string]Limits{
		"off takes no limits":        {Off: true, Limit: 5},
		"attempts -1":                {Limit: -1},
		"attempts 1000001":           {Limit: maxLimit + 1},
		"per_client -1":              {PerClient: -1},
		"per_account 1000001":        {PerAccount: maxLimit + 1},
		"per_client 4 is below":      {PerClient: 4},
		"per_account 100 is below":   {Limit: 101, PerClient: 101},
		"wait -1s is below a second": {Wait: -second},
		"wait 1ms is below a second": {Wait: caddy.Duration(time.Millisecond)},
		"max_wait 15m0s is below":    {Wait: hour},
		"max_wait -1s is below":      {MaxWait: -second},
		"forget 1h0m0s must be":      {MaxWait: hour},
		"forget -1h0m0s must be":     {Forget: -hour},
		"forget 24h1m0s is over":     {Forget: 24*hour + minute},
	} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in: %v", says, err)
		}
	}
}

// TestDefaults checks the limits that SECURITY.md and the manual promise.
func TestDefaults(t *testing.T) {
	bubble(t, "LEAK-6: ten failures of a client for an account, then 30 s to 15 min", Limits{}, func(t *testing.T, f *fixture) {
		f.fails(10, "c", "alice")
		for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
			f.waits(wait, "c", "alice", password)
			time.Sleep(wait)
			f.fails(1, "c", "alice")
		}
	})
	bubble(t, "LEAK-6: failures are forgotten within an hour", Limits{}, func(t *testing.T, f *fixture) {
		f.fails(9, "c", "alice")
		time.Sleep(time.Hour)
		f.fails(9, "c", "alice")
		time.Sleep(59 * time.Minute)
		f.fails(1, "c", "alice")
		f.waits(30*time.Second, "c", "alice", password)
	})
	bubble(t, "LEAK-6: a hundred failures of a client", Limits{}, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.fails(1, "c", fmt.Sprint("account ", i))
		}
		f.waits(30*time.Second, "c", "another account", password)
	})
	bubble(t, "LEAK-6: a hundred failures for an account", Limits{}, func(t *testing.T, f *fixture) {
		for i := range 100 {
			f.fails(1, fmt.Sprint("client ", i), "alice")
		}
		f.waits(30*time.Second, "another client", "alice", password)
	})
	bubble(t, "LEAK-6: the hundred failures count within an hour", Limits{}, func(t *testing.T, f *fixture) {
		for i := range 99 {
			f.fails(1, "c", fmt.Sprint("account ", i))
		}
		time.Sleep(time.Hour)
		f.fails(1, "c", "account 99")
		f.fails(1, "c", "account 100")
	})
}
