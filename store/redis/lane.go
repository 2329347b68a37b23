package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

var errCrowded = errors.New("too many requests wait for Redis")

// lane bounds the connections that calls of one purpose use at once, so that others
// keep some. A full lane is no failure of Redis.
type lane chan struct{}

// enter waits until the lane has room, at most for a time. Call leave afterwards.
func (l lane) enter(within time.Duration) error {
	select {
	case l <- struct{}{}:
		return nil
	default:
	}
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case l <- struct{}{}:
		return nil
	case <-timer.C:
		return errCrowded
	}
}

func (l lane) leave() { <-l }

// doForGuess is [shared.do] for calls that anonymous clients cause without a bound. A slow call
// must not begin an outage, in which proofs are denied. The follower notices a Redis
// that does not answer.
func (s *shared) doForGuess(ctx context.Context, command func(context.Context) error) error {
	if err := s.outage.err(); err != nil {
		return err
	}
	if err := s.guesses.enter(s.timeout); err != nil {
		return err
	}
	defer s.guesses.leave()
	err := s.call(ctx, command)
	if !isTimeout(err) {
		s.note(err)
	}
	return err
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, redis.ErrPoolTimeout) || errors.As(err, &timeout) && timeout.Timeout()
}

// doForProof is ask for calls that holders of valid tokens cause without a bound.
func (s *shared) doForProof(ctx context.Context, command func(context.Context) error) error {
	if err := s.outage.err(); err != nil {
		return err
	}
	if err := s.proofs.enter(s.timeout); err != nil {
		return err
	}
	defer s.proofs.leave()
	return s.do(ctx, command)
}
