package guessing

import (
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
		"forget 1h0m0s has to be":    {MaxWait: hour},
		"forget -1h0m0s has to be":   {Forget: -hour},
		"forget 24h1m0s is over":     {Forget: 24*hour + minute},
	} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q is not in: %v", says, err)
		}
	}
}
