package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

const (
	// sharedFor is how long the store keeps a key of an instance that has ended.
	sharedFor = time.Hour
	// renewEvery is how often an instance writes its keys again.
	renewEvery = 10 * time.Minute
	// readEvery bounds how often the document asks the store.
	readEvery = time.Second
)

// sharedKeys is what the store and this process know of each other.
type sharedKeys struct {
	mutex  sync.Mutex
	target store.SharedKeys // where the keys were written
	ids    []string         // their IDs
	until  time.Time        // when they are written again

	reading sync.Mutex
	others  map[string]otherKey
	readAt  time.Time
}

// otherKey is the key of another instance.
type otherKey struct {
	public string
	until  time.Time
}

// Share writes the keys to the store of several instances, unless that was done a moment
// ago. The store may be nil.
func (s *Signer) Share(ctx context.Context, target store.SharedKeys) error {
	if target == nil {
		return nil
	}
	keys := s.own()
	ids := slices.Sorted(maps.Keys(keys))
	s.shared.mutex.Lock()
	defer s.shared.mutex.Unlock()
	now := s.now()
	if s.shared.target == target && slices.Equal(ids, s.shared.ids) && now.Before(s.shared.until) {
		return nil
	}
	if err := target.ShareKeys(ctx, keys, sharedFor); err != nil {
		return fmt.Errorf("other instances do not publish the keys of forward_signed: %w", err)
	}
	s.shared.target, s.shared.ids, s.shared.until = target, ids, now.Add(renewEvery)
	return nil
}

// own are the public keys of this process.
func (s *Signer) own() map[string]string {
	keys := make(map[string]string)
	for _, key := range *s.pairs.Load() {
		keys[key.id] = key.public
	}
	return keys
}

// Document is the JWK Set (RFC 7517 §5) of all instances. While the store is
// unavailable, the keys of the others are those that are known. The error says so.
func (s *Signer) Document(ctx context.Context, target store.SharedKeys) ([]byte, error) {
	var err error
	if target != nil {
		err = s.readOthers(ctx, target)
	}
	keys := s.own()
	s.shared.reading.Lock()
	for id, other := range s.shared.others {
		if keys[id] == "" && other.until.After(s.now()) {
			keys[id] = other.public
		}
	}
	s.shared.reading.Unlock()
	set := struct {
		Keys []json.RawMessage `json:"keys"`
	}{}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		set.Keys = append(set.Keys, json.RawMessage(keys[id]))
	}
	document, failure := json.Marshal(set)
	return document, errors.Join(err, failure)
}

// readOthers asks the store for the keys of the others, once in a while for all requests.
func (s *Signer) readOthers(ctx context.Context, target store.SharedKeys) error {
	s.shared.reading.Lock()
	defer s.shared.reading.Unlock()
	now := s.now()
	if since := now.Sub(s.shared.readAt); since >= 0 && since < readEvery {
		return nil
	}
	s.shared.readAt = now
	found, err := target.KeysOfAll(ctx)
	if err != nil {
		return err
	}
	others := make(map[string]otherKey, len(found))
	for id, text := range found {
		public, failure := read(id, text)
		if failure != nil {
			err = fmt.Errorf("a key in the store cannot be published: %w", failure)
			continue
		}
		others[id] = otherKey{public, now.Add(sharedFor)}
	}
	s.shared.others = others
	return err
}
