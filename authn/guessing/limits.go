package guessing

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// Limits say how often somebody may fail to name a user name with its
// password, or an API key, before they have to wait. Who has to is answered
// 429 with Retry-After, whatever they send, and each further failure after
// that doubles the time.
//
// A client is an IPv4 address or an IPv6 /64. Behind a proxy, set
// `trusted_proxies` and `trusted_proxies_strict` in Caddy's `servers` option,
// so that the proxy is not taken for one client and nobody can make up
// addresses.
type Limits struct {
	// Switches the limits off.
	Off bool `json:"off,omitempty"`

	// The failures of one client for one account, or with one API key, after
	// which it has to wait. A success begins anew, at most once in `forget`.
	// Default: 10.
	Limit int `json:"limit,omitempty"`

	// The failures of one client, within `forget`, after which it has to wait
	// for all accounts but those it was let in to in the last seven days.
	// Default: 100.
	PerClient int `json:"per_client,omitempty"`

	// The failures for one account, within `forget`, after which all clients
	// have to wait that were not let in to it in the last seven days.
	// Default: 100, as NIST SP 800-63B §5.2.2 asks for.
	PerAccount int `json:"per_account,omitempty"`

	// How long the first wait is. Default: `30s`.
	Wait caddy.Duration `json:"wait,omitempty"`

	// How long the longest wait is. Default: `15m`.
	MaxWait caddy.Duration `json:"max_wait,omitempty"`

	// How long failures count; longer than `max_wait`. Default: `1h`.
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

// Check reports what is wrong with configured limits; zero stands for the
// default.
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
			return fmt.Errorf("%s %d is below attempts %d, which counts for one client and one account alone: raise it", number.name, number.value, l.Limit)
		}
	}
	wait, most, forget := time.Duration(l.Wait), time.Duration(l.MaxWait), time.Duration(l.Forget)
	switch {
	case wait < time.Second:
		return fmt.Errorf("wait %s is below a second", wait)
	case most < wait:
		return fmt.Errorf("max_wait %s is below wait %s: raise it", most, wait)
	case forget <= most:
		return fmt.Errorf("forget %s has to be longer than max_wait %s, or waiting would begin anew each time", forget, most)
	case forget > maxForget:
		return fmt.Errorf("forget %s is over %s", forget, maxForget)
	}
	return nil
}

// waitAfter is how long to wait after so many failures beyond the limit.
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

// windowAt names the time within which failures are counted together.
func windowAt(now time.Time, length time.Duration) string {
	return strconv.FormatInt(now.UnixNano()/int64(length), 10)
}
