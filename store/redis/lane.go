package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"
)

var errCrowded = errors.New("too many requests of one kind wait for Redis")

// lane has room for as many calls of one kind as may use connections at once.
// The others wait for each other and leave connections for the rest: a full lane
// is no failure of Redis.
type lane chan struct{}

// enter waits for room for a time. Then leave has to follow.
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

// askOfGuess is ask for what strangers can cause any number of. A call that takes
// too long is no outage, which would keep proofs from being accepted: if Redis does
// not answer, the follower notices.
func (s *shared) askOfGuess(ctx context.Context, command func(context.Context) error) error {
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

// askOfProof is ask for what holders of good tokens can cause any number of.
func (s *shared) askOfProof(ctx context.Context, command func(context.Context) error) error {
	if err := s.outage.err(); err != nil {
		return err
	}
	if err := s.proofs.enter(s.timeout); err != nil {
		return err
	}
	defer s.proofs.leave()
	return s.ask(ctx, command)
}
