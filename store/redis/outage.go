package redis

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

const (
	// tolerated is how many requests in a row may fail before an outage begins. A lost
	// packet is no outage.
	tolerated = 2
	// logAgain is the shortest time between two log records of an outage, so that an
	// unstable Redis does not fill the log.
	logAgain = time.Minute
)

// outage knows whether Redis is away. During an outage no request waits for Redis, and
// the follower finds out when it is back.
type outage struct {
	log      func() *zap.Logger
	failures atomic.Int32 // in a row
	away     atomic.Pointer[awayError]

	mutex  sync.Mutex
	since  time.Time
	logged time.Time
	quiet  bool // this outage is not logged
}

// awayError is the error of all calls during an outage.
type awayError struct{ cause error }

func (e *awayError) Error() string { return "Redis is away: " + e.cause.Error() }
func (e *awayError) Unwrap() error { return e.cause }

// err is the error of calls during an outage, else nil.
func (o *outage) err() error {
	if away := o.away.Load(); away != nil {
		return away
	}
	return nil
}

// note records the result of a request.
func (o *outage) note(err error) {
	switch {
	case err == nil:
		if o.failures.Load() != 0 {
			o.failures.Store(0)
		}
	case o.failures.Add(1) > tolerated:
		o.begin(err)
	}
}

// begin begins an outage.
func (o *outage) begin(cause error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if !o.away.CompareAndSwap(nil, &awayError{cause: cause}) {
		return
	}
	o.since = time.Now()
	o.quiet = o.since.Sub(o.logged) < logAgain
	if !o.quiet {
		o.logged = o.since
		o.log().Warn("Redis is away: proofs of possession are answered with 503, attempts are counted by this instance alone, revocations are those known here", zap.Error(cause))
	}
}

// end ends an outage.
func (o *outage) end() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.failures.Store(0)
	if o.away.Swap(nil) != nil && !o.quiet {
		o.log().Info("Redis is back", zap.Duration("away_for", time.Since(o.since)))
	}
}

// redact removes secrets from an error. Redis repeats the arguments of an unknown
// command.
func redact(err error, secrets []string) error {
	var reply redis.Error
	if err == nil || errors.Is(err, redis.Nil) || !errors.As(err, &reply) {
		return err
	}
	text, _, _ := strings.Cut(reply.Error(), ", with args")
	for _, secret := range secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "…")
		}
	}
	return fmt.Errorf("Redis answered %q", text)
}
