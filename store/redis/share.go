package redis

import (
	"context"
	_ "embed" // the script
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/excorp/caddy-require-auth/store"
)

//go:embed share.lua
var shareSource string

var shareScript = redis.NewScript(shareSource)

var errManyKeys = errors.New("too many public keys in Redis")

// ShareKeys stores the public keys of this instance.
func (s *shared) ShareKeys(ctx context.Context, keys map[string]string, keep time.Duration) error {
	arguments := []any{keep.Milliseconds(), store.MaxSharedKeys}
	for _, id := range slices.Sorted(maps.Keys(keys)) {
		arguments = append(arguments, id, keys[id])
	}
	stored := 0
	err := s.do(ctx, func(ctx context.Context) (err error) {
		stored, err = shareScript.Run(ctx, s.client, []string{s.keys.publicKeys()}, arguments...).Int()
		return err
	})
	if err == nil && stored == 0 {
		err = errManyKeys // and no failure of Redis
	}
	return err
}

// KeysOfAll returns the public keys of all instances. The clock of Redis ends them.
func (s *shared) KeysOfAll(ctx context.Context) (map[string]string, error) {
	var found map[string]string
	err := s.do(ctx, func(ctx context.Context) (err error) {
		found, err = s.client.HGetAll(ctx, s.keys.publicKeys()).Result()
		return err
	})
	if err != nil {
		return nil, err
	}
	if len(found) > store.MaxSharedKeys {
		return nil, errManyKeys
	}
	for id, value := range found {
		_, found[id], _ = strings.Cut(value, " ")
	}
	return found, nil
}
