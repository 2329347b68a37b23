package bearer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

// sources are searched in turn.
type sources []source

// source is a source of keys as the operator knows it.
type source struct {
	kind, from string
	remote     *keyset.Remote // nil for keys that are not fetched
	keys       interface {
		keyset.Source
		All() *keyset.Set
		Fingerprint() uint64 // changes with the keys
	}
}

// Fingerprint is a number that changes when the keys of any source do.
func (s sources) Fingerprint() uint64 {
	var all uint64
	for _, source := range s {
		all = all*31 + source.keys.Fingerprint()
	}
	return all
}

// check asks until a source has the key that a token was signed with. Several sources
// may have a matching key, because keys of PEM files have no ID. An example is a file
// for the former key and one for the next. A source that may not know the key yet
// counts only if no other has it.
func (s sources) check(ctx context.Context, digest keyset.Digest, t *token, verify func([]*keyset.Key) error) (unavailable, failure error) {
	failure = errNoKey
	for _, source := range s {
		keys, err := source.keys.Find(ctx, keyset.Query{Token: digest, KeyID: t.keyID, Algorithm: t.algorithm})
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
		secret, err := jose.DecodeSecret(text)
		if err != nil {
			return err
		}
		set, err := keyset.FromSecret(secret)
		if err != nil {
			return err
		}
		b.keys = append(b.keys, source{kind: "secret", keys: keyset.NewStatic(set)})
	}
	if len(b.HMACSecret) > 0 {
		return b.checkSecrets()
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

// checkSecrets returns an error if no secret is long enough for any of the algorithms. No
// token could pass.
func (b *Bearer) checkSecrets() error {
	allowed := func(algorithm string) bool {
		return slices.ContainsFunc(b.keys, func(s source) bool { return slices.Contains(s.keys.All().Algorithms(), algorithm) })
	}
	if len(b.Algorithms) > 0 && !slices.ContainsFunc(b.Algorithms, allowed) {
		return fmt.Errorf("algorithms %s: no hmac_secret fits: HS256 needs 32 bytes, HS384 48 and HS512 64 (RFC 7518 §3.2)", strings.Join(b.Algorithms, " "))
	}
	return nil
}

func (b *Bearer) openFile(ctx caddy.Context, path string) error {
	static := keyset.NewStatic(nil)
	b.keys = append(b.keys, source{kind: "file", from: path, keys: static})
	return watch.File(ctx, path, b.logger, func(content []byte) error {
		set, err := keyset.Parse(content)
		if err != nil {
			return err
		}
		static.Replace(set)
		return nil
	})
}

func (b *Bearer) openRemote(config keyset.RemoteConfig) error {
	config.Logger = b.runningLogger()
	config.HTTPHosts = b.AllowHTTP
	set, release, err := keyset.OpenShared(config, b.CAFile)
	if err != nil {
		return err
	}
	b.release = append(b.release, release)
	b.keys = append(b.keys, source{kind: "remote", from: set.Status().URL, keys: set, remote: set})
	return nil
}

// runningLogger finds the logger of the running configuration: key sets and clients
// outlive the one that opened them.
func (b *Bearer) runningLogger() func() *zap.Logger { return lasting.Logger(new(Bearer), b.logger) }
