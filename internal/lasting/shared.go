package lasting

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// Shared is the states that configurations share, by key. A state ends with the last
// configuration that uses it.
type Shared[T any] struct{ pool *caddy.UsagePool }

// NewShared returns a Shared without a state.
func NewShared[T any]() Shared[T] { return Shared[T]{caddy.NewUsagePool()} }

// Open returns the state of a key, and starts it where no configuration has done so. The
// context of a state ends with it, and then its method Close is called, if it has one.
// Each call needs one release.
func (s Shared[T]) Open(key string, start func(context.Context) (T, error)) (state T, release func() error, err error) {
	opened, _, err := s.pool.LoadOrNew(key, func() (caddy.Destructor, error) {
		ctx, stop := context.WithCancel(context.Background()) // ended by Destruct
		state, err := start(ctx)
		if err != nil {
			stop()
			return nil, err
		}
		return running[T]{state, stop}, nil
	})
	if err != nil {
		return state, nil, err
	}
	release = func() error {
		_, err := s.pool.Delete(key)
		return err
	}
	return opened.(running[T]).state, release, nil
}

// running is a state of a [Shared].
type running[T any] struct {
	state T
	stop  context.CancelFunc
}

// Destruct ends the state.
func (s running[T]) Destruct() error {
	s.stop()
	if closer, ok := any(s.state).(interface{ Close() }); ok {
		closer.Close()
	}
	return nil
}

// Logger returns the logger of a module in the running configuration, because a state
// outlives the configuration that opened it, and its log files. The first logger is for
// the time in which no configuration runs.
func Logger(module caddy.Module, first *zap.Logger) func() *zap.Logger {
	return func() *zap.Logger {
		if active := caddy.ActiveContext(); active.Context != nil {
			return active.Logger(module)
		}
		return first
	}
}
