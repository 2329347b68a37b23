package bearer

import (
	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

// running finds the logger of the running configuration. Key sets and clients
// outlive the one that opened them, and its files may be closed then: the
// operator would never hear that keys cannot be fetched. The first logger is for
// as long as no configuration runs.
func running(first *zap.Logger) func() *zap.Logger {
	return func() *zap.Logger {
		if active := caddy.ActiveContext(); active.Context != nil {
			return active.Logger(new(Bearer))
		}
		return first
	}
}
