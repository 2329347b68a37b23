package bruteforce

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Limits bound how often a client may fail with a password or an API key. A client
// that reaches a limit gets 429 with Retry-After, whatever it sends. Each further
// failure after the wait doubles the wait.
//
// A client is an IPv4 address or an IPv6 /64. Behind a proxy, set
// `trusted_proxies` and `trusted_proxies_strict` in Caddy's `servers` option.
// Otherwise the proxy counts as one client, or clients forge their addresses.
type Limits struct {
	// Switches the limits off.
	Off bool `json:"off,omitempty"`

	// The failures of one client for one account, or with one API key, after
	// which it must wait. A success resets the count, at most once in `forget`.
	// Default: 10.
	Limit int `json:"limit,omitempty"`

	// The failures of one client, within `forget`, after which it must wait for
	// all accounts. An account that it logged in to in the last seven days is
	// exempt. Default: 100.
	PerClient int `json:"per_client,omitempty"`

	// The failures for one account, within `forget`, after which all clients
	// must wait. A client that logged in to it in the last seven days is exempt.
	// Default: 100, as NIST SP 800-63B §5.2.2 asks for.
	PerAccount int `json:"per_account,omitempty"`

	// The first wait. Default: `30s`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// The longest wait. Default: `15m`.
	MaxWait caddy.Duration `json:"max_wait,omitempty"`

	// The time for which failures count; longer than `max_wait`. Default: `1h`.
	Forget caddy.Duration `json:"forget,omitempty"`
}

const (
	maxLimit  = 1_000_000
	maxForget = 24 * time.Hour
)

func (l Limits) withDefaults() Limits {
	return Limits{
		Off:        l.Off,
		Limit:      cmp.Or(l.Limit, 10),
		PerClient:  cmp.Or(l.PerClient, 100),
		PerAccount: cmp.Or(l.PerAccount, 100),
		Wait:       cmp.Or(l.Wait, caddy.Duration(30*time.Second)),
		MaxWait:    cmp.Or(l.MaxWait, caddy.Duration(15*time.Minute)),
		Forget:     cmp.Or(l.Forget, caddy.Duration(time.Hour)),
	}
}

// Check validates configured limits. Zero is the default.
func (l Limits) Check() error {
	if l.Off && l != (Limits{Off: true}) {
		return errors.New("attempts off takes no limits")
	}
	l = l.withDefaults()
	for _, number := range []struct {
		name  string
		value int
	}{{"attempts", l.Limit}, {"per_client", l.PerClient}, {"per_account", l.PerAccount}} {
		if number.value < 1 || number.value > maxLimit {
			return fmt.Errorf("%s %d: write a number from 1 to %d", number.name, number.value, maxLimit)
		}
		if number.value < l.Limit {
			return fmt.Errorf("%s %d is below attempts %d, the limit of one client for one account: raise it", number.name, number.value, l.Limit)
		}
	}
	wait, most, forget := time.Duration(l.Wait), time.Duration(l.MaxWait), time.Duration(l.Forget)
	switch {
	case wait < time.Second:
		return fmt.Errorf("wait %s is below a second", wait)
	case most < wait:
		return fmt.Errorf("max_wait %s is below wait %s: raise it", most, wait)
	case forget <= most:
		return fmt.Errorf("forget %s must be longer than max_wait %s: a wait would otherwise reset the count", forget, most)
	case forget > maxForget:
		return fmt.Errorf("forget %s is over %s", forget, maxForget)
	}
	return nil
}

// waitAfter returns the wait after the given number of failures beyond the limit.
func (l Limits) waitAfter(beyond int) time.Duration {
	wait, most := time.Duration(l.Wait), time.Duration(l.MaxWait)
	for range beyond {
		if wait >= most {
			break
		}
		wait *= 2
	}
	return min(wait, most)
}

// windowAt returns the name of the window that a time is in. Failures in one window
// count together.
func windowAt(now time.Time, length time.Duration) string {
	return strconv.FormatInt(now.UnixNano()/int64(length), 10)
}
