package redis

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/internal/entries"
)

const (
	// listenFor is how long the follower waits for changes before it checks whether it
	// has missed any. With the time-out it bounds how long it takes a silently dead
	// connection for a live one.
	listenFor = 200 * time.Millisecond
	// retryAfter is the pause between attempts while Redis is away, plus or minus a half.
	retryAfter = 250 * time.Millisecond
	// followTimeout bounds a command of the follower. No request waits for it.
	followTimeout = 2 * time.Second
	// steadyAfter is the age of a connection whose failure is not yet an outage.
	steadyAfter = time.Second
	// removeEvery is the time between removals of ended entries from Redis.
	removeEvery = time.Minute
	// page is how many entries one command reads or writes.
	page = 1000
)

var (
	errMissed = errors.New("changes were missed")
	beginning = "0-0" // the identifier before the first one
)

// run updates the copy of the entries, and finds out when Redis is back.
func (s *shared) run(ctx context.Context) {
	defer close(s.stopped)
	for ctx.Err() == nil {
		steady, err := s.follow(ctx)
		if ctx.Err() == nil && !steady {
			s.outage.begin(redact(err, s.secrets))
			pause(ctx, retryAfter/2+rand.N(retryAfter))
		}
	}
}

func pause(ctx context.Context, length time.Duration) {
	timer := time.NewTimer(length)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// follow reads all entries and then each change, until an error. After a steady
// connection the caller may try again at once.
func (s *shared) follow(ctx context.Context) (steady bool, err error) {
	cursor, err := s.load(ctx)
	if err == nil {
		s.loaded.Store(true)
	}
	s.endFirstRead()
	if err != nil {
		return false, err
	}
	if err := s.recover(ctx); err != nil {
		return false, err
	}
	began := time.Now()
	err = s.listen(ctx, cursor)
	return time.Since(began) > steadyAfter, err
}

// listen reads each change after the given one.
func (s *shared) listen(ctx context.Context, cursor string) (err error) {
	for removed := time.Now(); err == nil; {
		cursor, err = s.next(ctx, cursor)
		if err == nil && s.outage.err() != nil && s.recover(ctx) != nil {
			pause(ctx, retryAfter)
		}
		if err == nil && s.unsent.Swap(false) && s.send(ctx) != nil {
			pause(ctx, retryAfter)
		}
		if err == nil && time.Since(removed) > removeEvery {
			removed = time.Now()
			err = s.removeEnded(ctx)
		}
	}
	return err
}

// send sends the revocations that Redis lacks, because it refused them for a while. If it
// has no room, trying again does not help.
func (s *shared) send(ctx context.Context) error {
	err := s.restore(ctx, store.EntryRevoked, s.copies.Revoked())
	if err != nil && !errors.Is(err, entries.ErrFull) {
		s.unsent.Store(true)
	}
	return err
}

// recover ends an outage if Redis accepts writes.
func (s *shared) recover(ctx context.Context) error {
	if s.outage.err() == nil {
		return nil
	}
	err := s.briefly(ctx, func(ctx context.Context) error {
		return s.client.Set(ctx, s.keys.probe(), "", time.Second).Err()
	})
	if err == nil {
		s.outage.end()
	}
	return err
}

// next waits for changes and returns the last known one.
func (s *shared) next(ctx context.Context, cursor string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, listenFor+s.timeout)
	defer cancel()
	streams, err := s.client.XRead(ctx, &redis.XReadArgs{
		Streams: []string{s.keys.changes(), cursor}, Count: page, Block: listenFor,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return cursor, s.checkMissed(ctx, cursor)
	}
	if err != nil {
		return cursor, err
	}
	for _, stream := range streams {
		for _, change := range stream.Messages {
			if change.Values["prev"] != cursor {
				return cursor, errMissed
			}
			if err := s.learn(change.Values); err != nil {
				return cursor, err
			}
			cursor = change.ID
		}
	}
	return cursor, nil
}

func (s *shared) learn(change map[string]any) error {
	kind, _ := change["kind"].(string)
	key, _ := change["key"].(string)
	value, _ := change["mark"].(string)
	about, _ := change["about"].(string)
	if kind == string(store.EntryUndo) {
		value, _ = change["undo"].(string)
	}
	entry, err := decodeEntry(store.EntryKind(kind), key, value)
	if err == nil {
		entry, err = decodeAbout(entry, about)
	}
	if err != nil {
		return err
	}
	return s.copies.Put(entry)
}

// checkMissed returns an error if Redis no longer has the last change: Redis has lost
// it, or another server without it has taken over.
func (s *shared) checkMissed(ctx context.Context, cursor string) error {
	last, err := s.lastChange(ctx)
	if err != nil {
		return err
	}
	if older(last, cursor) {
		return errMissed
	}
	return nil
}

func (s *shared) lastChange(ctx context.Context) (string, error) {
	last, err := s.client.XRevRangeN(ctx, s.keys.changes(), "+", "-", 1).Result()
	if err != nil || len(last) == 0 {
		return beginning, err
	}
	return last[0].ID, nil
}

// older compares identifiers of a stream: milliseconds, and a number.
func older(one, other string) bool {
	oneTime, oneNumber := parts(one)
	otherTime, otherNumber := parts(other)
	return oneTime < otherTime || oneTime == otherTime && oneNumber < otherNumber
}

func parts(identifier string) (milli, number uint64) {
	first, second, _ := strings.Cut(identifier, "-")
	milli, _ = strconv.ParseUint(first, 10, 64)
	number, _ = strconv.ParseUint(second, 10, 64)
	return milli, number
}

// briefly runs a command of the follower within its time-out.
func (s *shared) briefly(ctx context.Context, command func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, followTimeout)
	defer cancel()
	return command(ctx)
}

// removeEnded removes ended entries from Redis.
func (s *shared) removeEnded(ctx context.Context) error {
	for _, kind := range kinds {
		if err := s.briefly(ctx, func(ctx context.Context) error { return s.store(ctx, kind, asBackup) }); err != nil {
			return fmt.Errorf("removing ended entries: %w", err)
		}
	}
	return nil
}
