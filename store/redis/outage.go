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
	// tolerated is how many requests in a row may fail before nobody waits for
	// Redis any longer. A packet that is lost is no outage.
	tolerated = 2
	// tellAgain is the shortest time between two records of the log that say
	// that Redis is away: one that comes and goes must not fill it.
	tellAgain = time.Minute
)

// outage knows whether Redis is away. While it is, no request waits for it; one
// goroutine finds out when it is back.
type outage struct {
	log      func() *zap.Logger
	failures atomic.Int32 // in a row
	away     atomic.Pointer[awayError]

	mutex sync.Mutex
	since time.Time
	told  time.Time
	quiet bool // this outage was not told of
}

// awayError is why Redis is not asked.
type awayError struct{ cause error }

func (e *awayError) Error() string { return "Redis is away: " + e.cause.Error() }
func (e *awayError) Unwrap() error { return e.cause }

// err is why Redis is not asked, or nil.
func (o *outage) err() error {
	if away := o.away.Load(); away != nil {
		return away
	}
	return nil
}

// note takes the result of a request.
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

// begin says that Redis is away.
func (o *outage) begin(cause error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if !o.away.CompareAndSwap(nil, &awayError{cause: cause}) {
		return
	}
	o.since = time.Now()
	o.quiet = o.since.Sub(o.told) < tellAgain
	if !o.quiet {
		o.told = o.since
		o.log().Warn("Redis is away: proofs of possession are answered with 503, attempts are counted by this instance alone, revocations are those known here", zap.Error(cause))
	}
}

// end says that Redis is back.
func (o *outage) end() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.failures.Store(0)
	if o.away.Swap(nil) != nil && !o.quiet {
		o.log().Info("Redis is back", zap.Duration("away_for", time.Since(o.since)))
	}
}

// redacted keeps secrets out of errors: Redis repeats the arguments of a
// command that it does not know.
func redacted(err error, secrets []string) error {
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
