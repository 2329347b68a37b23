package redis

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// load reads all marks, and writes back the revocations that only this process
// knows: Redis has lost them, or did not take them. It returns the last change
// from before it began to read.
func (s *shared) load(ctx context.Context) (cursor string, err error) {
	err = s.briefly(ctx, func(ctx context.Context) error {
		cursor, err = s.lastChange(ctx)
		return err
	})
	if err != nil {
		return cursor, err
	}
	for kind := range limits {
		if err := s.loadKind(ctx, kind); err != nil {
			return cursor, fmt.Errorf("reading the marks %s: %w", kind, err)
		}
	}
	return cursor, s.restore(ctx)
}

// loadKind reads the marks of a kind, page by page.
func (s *shared) loadKind(ctx context.Context, kind authn.MarkKind) error {
	for cursor := uint64(0); ; {
		var pairs []string
		err := s.briefly(ctx, func(ctx context.Context) (err error) {
			pairs, cursor, err = s.client.HScan(ctx, s.keys.marks(kind), cursor, "", page).Result()
			return err
		})
		if err != nil {
			return err
		}
		if err := s.take(ctx, kind, pairs); err != nil {
			return err
		}
		if cursor == 0 {
			return nil
		}
	}
}

// take adds a page to the copy, and writes back those that are wider there.
func (s *shared) take(ctx context.Context, kind authn.MarkKind, pairs []string) error {
	var wider []authn.Mark
	for i := 0; i+1 < len(pairs); i += 2 {
		mark, err := decodeMark(kind, pairs[i], pairs[i+1])
		if err != nil {
			return err
		}
		if err := s.copies.Put(mark); err != nil {
			return err
		}
		if known, found := s.copies.Find(kind, mark.Key); found && !sameInstants(known, mark) {
			wider = append(wider, known)
		}
	}
	return s.storeAll(ctx, kind, wider)
}

func sameInstants(one, other authn.Mark) bool {
	return one.Before.Equal(other.Before) && one.Until.Equal(other.Until)
}

// restore writes all revocations back if Redis has fewer of them. Those that
// end within the next minute do not count: they end while this is found out.
func (s *shared) restore(ctx context.Context) error {
	horizon := time.Now().Add(time.Minute)
	known := int64(0)
	for mark := range s.copies.Revoked() {
		if mark.Until.After(horizon) {
			known++
		}
	}
	var stored int64
	err := s.briefly(ctx, func(ctx context.Context) (err error) {
		after := "(" + strconv.FormatInt(horizon.UnixMilli(), 10)
		stored, err = s.client.ZCount(ctx, s.keys.ends(authn.MarkRevoked), after, "+inf").Result()
		return err
	})
	if err != nil || stored >= known {
		return err
	}
	batch := make([]authn.Mark, 0, page)
	for mark := range s.copies.Revoked() {
		if batch = append(batch, mark); len(batch) == page {
			if err := s.storeAll(ctx, authn.MarkRevoked, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return s.storeAll(ctx, authn.MarkRevoked, batch)
}

func (s *shared) storeAll(ctx context.Context, kind authn.MarkKind, all []authn.Mark) error {
	if len(all) == 0 {
		return nil
	}
	return s.briefly(ctx, func(ctx context.Context) error { return s.store(ctx, kind, all...) })
}
