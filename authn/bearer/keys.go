package bearer

import (
	"context"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

// sources are asked in turn.
type sources []source

// source is a source of keys that says when its keys change.
type source interface {
	keyset.Source
	Fingerprint() uint64
}

// Fingerprint is a number that changes when the keys of any source do.
func (s sources) Fingerprint() uint64 {
	var all uint64
	for _, source := range s {
		all = all*31 + source.Fingerprint()
	}
	return all
}

// check asks until a source has the key that a token was signed with. Several may
// have keys that could be it, because those of PEM files have no ID, as in a file
// for the former key and one for the next. A source that may not know the key yet
// counts only if no other has it.
func (s sources) check(ctx context.Context, digest keyset.Digest, t *token, verify func([]*keyset.Key) error) (unavailable, failure error) {
	failure = errNoKey
	for _, source := range s {
		keys, err := source.Find(ctx, keyset.Query{Token: digest, KeyID: t.keyID, Algorithm: t.algorithm})
		if err != nil {
			unavailable = err
		}
		if len(keys) == 0 {
			continue
		}
		if failure = verify(keys); failure == nil {
			return nil, nil
		}
	}
	return unavailable, failure
}

// openKeys opens every configured source of keys.
func (b *Bearer) openKeys(ctx caddy.Context) error {
	for _, text := range b.HMACSecret {
		secret, err := decodeSecret(text)
		if err != nil {
			return err
		}
		set, err := keyset.FromSecret(secret)
		if err != nil {
			return err
		}
		static := keyset.NewStatic(set)
		b.keys = append(b.keys, static)
		b.origins = append(b.origins, origin{kind: "secret", keys: static})
	}
	if len(b.HMACSecret) > 0 {
		return nil
	}
	for _, path := range b.KeyFiles {
		if err := b.openFile(ctx, path); err != nil {
			return err
		}
	}
	switch {
	case isURL(b.JWKS):
		return b.openRemote(keyset.RemoteConfig{URL: b.JWKS, TokenFile: b.JWKSTokenFile})
	case b.JWKS != "":
		return b.openFile(ctx, b.JWKS)
	case len(b.KeyFiles) == 0 && b.Issuer != "":
		return b.openRemote(keyset.RemoteConfig{Issuer: b.Issuer})
	}
	return nil
}

func (b *Bearer) openFile(ctx caddy.Context, path string) error {
	static := keyset.NewStatic(nil)
	b.keys = append(b.keys, static)
	b.origins = append(b.origins, origin{kind: "file", from: path, keys: static})
	return watch.File(ctx, path, b.logger, func(content []byte) error {
		set, err := keyset.Parse(content)
		if err != nil {
			return err
		}
		static.Replace(set)
		return nil
	})
}

// remotes are the published key sets in use. They outlive a configuration, so
// that a reload neither fetches again nor forgets while a provider is down.
var remotes = caddy.NewUsagePool()

// remote ties a key set that is fetched to the time somebody uses it.
type remote struct {
	*keyset.Remote
	stop context.CancelFunc
}

// Destruct ends the fetching once no configuration uses the key set.
func (r *remote) Destruct() error {
	r.stop()
	return nil
}

func (b *Bearer) openRemote(config keyset.RemoteConfig) error {
	config.Logger = running(b.logger)
	config.HTTPHosts = b.AllowHTTP
	key := fmt.Sprintf("%q", []any{config.URL, config.Issuer, config.TokenFile, b.CAFile, b.AllowHTTP})
	opened, _, err := remotes.LoadOrNew(key, func() (caddy.Destructor, error) {
		ctx, stop := context.WithCancel(context.Background()) // ended by Destruct
		asking, err := b.newHTTPClient(ctx)
		if err == nil {
			config.Client = asking
			var set *keyset.Remote
			if set, err = keyset.NewRemote(ctx, config); err == nil {
				return &remote{Remote: set, stop: stop}, nil
			}
		}
		stop()
		return nil, err
	})
	if err != nil {
		return err
	}
	b.release = append(b.release, func() error {
		_, err := remotes.Delete(key)
		return err
	})
	set := opened.(*remote)
	b.keys = append(b.keys, set)
	b.origins = append(b.origins, origin{kind: "remote", from: set.Status().URL, keys: set, remote: set.Remote})
	return nil
}

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
