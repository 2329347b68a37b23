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
	// takes well under a millisecond, so a few connections serve many requests.
	maxConnections = 32
	// maxGuesses bounds the connections for failed attempts, which anonymous clients
	// cause without a bound.
	maxGuesses = maxConnections / 2
	// maxProofs bounds the connections for proofs, so that neither delays the other and
	// some remain for revocations.
	maxProofs = maxConnections * 3 / 8
)

// connect returns a client. It dials at the first command.
func connect(s settings) redis.UniversalClient {
	options := s.options
	// Contexts set the deadlines. These are for calls without one.
	options.ContextTimeoutEnabled = true
	options.ReadTimeout, options.WriteTimeout = followTimeout, followTimeout
	options.DialTimeout, options.PoolTimeout = s.timeout, s.timeout
	// Redis may have run a command that failed. A second one would take a new proof for
	// a used one, or count an attempt twice. The client of a cluster retries anyway.
	options.MaxRetries, options.DialerRetries = -1, 1
	options.PoolSize, options.MaxActiveConns, options.PipelinePoolSize = maxConnections, maxConnections, -1
	options.ConnMaxIdleTime = 5 * time.Minute
	// Old servers and narrow access control lists refuse newer commands.
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

// quiet replaces the logger of the client library, which writes a line to standard
// error for each failed connection. All of it is also returned as errors.
type quiet struct{}

// Printf writes to Caddy's log at DEBUG.
func (quiet) Printf(_ context.Context, format string, values ...any) {
	if logger := caddy.Log().Named("auth.stores.redis"); logger.Core().Enabled(zap.DebugLevel) {
		logger.Debug(fmt.Sprintf(format, values...))
	}
}
