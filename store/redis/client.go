package redis

import (
	"context"
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"go.uber.org/zap"
)

const (
	// maxConnections bounds the connections of a process to each server. A command
	// takes well under a millisecond, so that few are used by many requests.
	maxConnections = 32
	// maxGuesses bounds how many of them are used because somebody guessed, which
	// strangers do as often as they like.
	maxGuesses = maxConnections / 2
	// maxProofs bounds how many proofs use, so that neither keeps the other waiting
	// and some are left for revocations.
	maxProofs = maxConnections * 3 / 8
)

// connect makes a client. It dials when it is asked.
func connect(s settings) redis.UniversalClient {
	options := s.options
	// Deadlines are those of contexts; these are for calls without one.
	options.ContextTimeoutEnabled = true
	options.ReadTimeout, options.WriteTimeout = followTimeout, followTimeout
	options.DialTimeout, options.PoolTimeout = s.timeout, s.timeout
	// Whether a command that failed was carried out nobody knows: a proof must
	// not be taken for used because of it, and no attempt be counted twice. The
	// client of a cluster tries again all the same.
	options.MaxRetries, options.DialerRetries = -1, 1
	options.PoolSize, options.MaxActiveConns, options.PipelinePoolSize = maxConnections, maxConnections, -1
	options.ConnMaxIdleTime = 5 * time.Minute
	// Nothing that old servers and narrow access control lists do not know.
	options.Protocol, options.DisableIdentity = 2, true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	switch {
	case options.MasterName != "":
		return redis.NewFailoverClient(options.Failover())
	case options.IsClusterMode:
		return redis.NewClusterClient(options.Cluster())
	default:
		return redis.NewClient(options.Simple())
	}
}

// quiet takes what the client library would write to standard error: a line for
// each attempt to connect, and nothing that is not also returned as an error.
type quiet struct{}

// Printf writes to Caddy's log, for debugging.
func (quiet) Printf(_ context.Context, format string, values ...any) {
	if logger := caddy.Log().Named("auth.stores.redis"); logger.Core().Enabled(zap.DebugLevel) {
		logger.Debug(fmt.Sprintf(format, values...))
	}
}
