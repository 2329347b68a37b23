package redis

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/store"
)

// load reads all entries, and writes back the revocations that only this process has:
// Redis has lost them, or did not accept them. It returns the last change before the
// reading.
func (s *shared) load(ctx context.Context) (cursor string, err error) {
	err = s.briefly(ctx, func(ctx context.Context) error {
		cursor, err = s.lastChange(ctx)
		return err
	})
	if err != nil {
		return cursor, err
	}
	for _, kind := range kinds {
		if err := s.loadKind(ctx, kind); err != nil {
			return cursor, fmt.Errorf("reading the entries %s: %w", kind, err)
		}
	}
	if err := s.restore(ctx, store.EntryUndo, s.copies.Undos()); err != nil {
		return cursor, err
	}
	return cursor, s.restore(ctx, store.EntryRevoked, s.copies.Revoked())
}

// loadKind reads the entries of a kind, page by page.
func (s *shared) loadKind(ctx context.Context, kind store.EntryKind) error {
	for cursor := uint64(0); ; {
		var pairs []string
		err := s.briefly(ctx, func(ctx context.Context) (err error) {
			pairs, cursor, err = s.client.HScan(ctx, s.keys.entries(kind), cursor, "", page).Result()
			return err
		})
		if err != nil {
			return err
		}
		abouts, err := s.abouts(ctx, kind, pairs)
		if err != nil {
			return err
		}
		if err := s.take(ctx, kind, pairs, abouts); err != nil {
			return err
		}
		if cursor == 0 {
			return nil
		}
	}
}

// abouts reads the about members of a page of revocations.
func (s *shared) abouts(ctx context.Context, kind store.EntryKind, pairs []string) ([]*redis.StringCmd, error) {
	all := make([]*redis.StringCmd, len(pairs)/2)
	if kind != store.EntryRevoked || len(all) == 0 {
		return all, nil
	}
	return all, s.briefly(ctx, func(ctx context.Context) error {
		page := s.client.Pipeline()
		for i := range all {
			all[i] = page.HGet(ctx, s.keys.about(kind), pairs[2*i])
		}
		_, _ = page.Exec(ctx) // its error is the first one below
		for _, about := range all {
			if err := about.Err(); err != nil && !errors.Is(err, redis.Nil) {
				return err
			}
		}
		return nil
	})
}

// take adds a page to the copy, and writes back the entries that are wider in the copy.
func (s *shared) take(ctx context.Context, kind store.EntryKind, pairs []string, abouts []*redis.StringCmd) error {
	var wider []store.Entry
	for i := 0; i+1 < len(pairs); i += 2 {
		entry, err := decodeEntry(kind, pairs[i], pairs[i+1])
		if err == nil && abouts[i/2] != nil {
			entry, err = decodeAbout(entry, abouts[i/2].Val())
		}
		if err != nil {
			return err
		}
		if err := s.copies.Put(entry); err != nil {
			return err
		}
		if existing, found := s.copies.Find(kind, entry.Key); found && !sameInstants(existing, entry) {
			wider = append(wider, existing)
		}
	}
	return s.storeAll(ctx, kind, wider)
}

func sameInstants(one, other store.Entry) bool {
	return one.Before.Equal(other.Before) && one.Until.Equal(other.Until) && one.Created.Equal(other.Created)
}

// restore writes all entries of a kind back if Redis has fewer of them. It does not
// count those that end within the next minute.
func (s *shared) restore(ctx context.Context, kind store.EntryKind, all iter.Seq[store.Entry]) error {
	horizon := time.Now().Add(time.Minute)
	count := int64(0)
	for entry := range all {
		if entry.Until.After(horizon) {
			count++
		}
	}
	var stored int64
	err := s.briefly(ctx, func(ctx context.Context) (err error) {
		after := "(" + strconv.FormatInt(horizon.UnixMilli(), 10)
		stored, err = s.client.ZCount(ctx, s.keys.ends(kind), after, "+inf").Result()
		return err
	})
	if err != nil || stored >= count {
		return err
	}
	batch := make([]store.Entry, 0, page)
	for entry := range all {
		if batch = append(batch, entry); len(batch) == page {
			if err := s.storeAll(ctx, kind, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	return s.storeAll(ctx, kind, batch)
}

func (s *shared) storeAll(ctx context.Context, kind store.EntryKind, all []store.Entry) error {
	if len(all) == 0 {
		return nil
	}
	return s.briefly(ctx, func(ctx context.Context) error { return s.store(ctx, kind, asBackup, all...) })
}
