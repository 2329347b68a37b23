// Package apikey is the scheme of API keys: a secret string in a header field, a
// query parameter, a cookie, or the field Authorization. No authentication scheme
// is registered for keys outside Authorization: their challenge is `ApiKey`.
package apikey

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

func init() {
	caddy.RegisterModule(new(APIKey))
}

// APIKey authenticates callers by an API key.
//
// The configuration contains only SHA-256 digests of keys, so a configuration, a backup
// or a dashboard discloses no key. A digest protects long, random keys only. Never use
// it for a password.
//
// A key in a query parameter gets into histories and into the logs of every server on
// the way. Caddy's access log shows it unless a filter hides it. Prefer a header field.
type APIKey struct {
	// The realm in the challenge; `off` sends none. Default: the realm of the
	// app.
	Realm string `json:"realm,omitempty"`

	// The locations of a key: `header`, `query` or `cookie` with a name, or
	// `authorization` with the authentication scheme before the key. The scheme is
	// `Bearer` (the default), `Token`, `Basic` or another one. With `Basic` the key is
	// the password, whatever the user name is. If a gate also has a scheme of tokens, a
	// JWS is a token, and anything else is a key. The challenge names the first
	// location. Default: the header field X-API-Key.
	From []authn.Location `json:"from,omitempty"`

	// The keys.
	Keys []Key `json:"keys,omitempty"`

	// A JSON file with an array of keys, its elements as in `keys`, read again
	// whenever it changes. `[]` withdraws all its keys. A changed file that is
	// empty or cannot be used is logged, and the keys read before stay.
	KeysFile string `json:"keys_file,omitempty"`

	keys    atomic.Pointer[index]
	static  []Key
	fields  []authn.Location // of From, those outside Authorization
	schemes []string         // of From, the authentication schemes in Authorization
	now     func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*APIKey) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.Namespace + ".api_key",
		New: func() caddy.Module { return new(APIKey) },
	}
}

// Provision checks the configuration and reads the file of keys.
func (a *APIKey) Provision(ctx caddy.Context) error {
	if err := a.check(); err != nil {
		return err
	}
	a.now = time.Now
	a.setLocations()
	replacer := caddy.NewReplacer()
	for _, key := range a.Keys {
		var err error
		if key.Digest, err = block.Replace(replacer, "the digest of key "+key.ID, key.Digest); err != nil {
			return err
		}
		a.static = append(a.static, key)
	}
	if a.KeysFile != "" {
		return watch.File(ctx, a.KeysFile, ctx.Logger(), a.load)
	}
	return a.use(nil)
}

// load puts the keys of the configuration and of a file into use.
func (a *APIKey) load(file []byte) error {
	keys, err := parseFile(file)
	if err != nil {
		return err
	}
	return a.use(keys)
}

func (a *APIKey) use(keys []Key) error {
	index, err := newIndex(append(keys, a.static...))
	if err != nil {
		return err
	}
	a.keys.Store(index)
	return nil
}

// check validates the configuration as it is written.
func (a *APIKey) check() error {
	if len(a.Keys) == 0 && a.KeysFile == "" {
		return errors.New("api_key has no keys: add `key <id> sha256:<digest>` or `keys_file <path>`")
	}
	if err := authheader.CheckParameter("realm", a.Realm); err != nil {
		return err
	}
	if err := checkLocations(a.From); err != nil {
		return err
	}
	for _, key := range a.Keys {
		if err := key.check(); err != nil {
			return err
		}
	}
	return nil
}

// Verify looks the key up by its digest. An unknown, an expired and a malformed key get
// the same answer.
func (a *APIKey) Verify(_ context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	if len(credential.Value) > authn.MaxCredential {
		return authn.Reject(authn.CodeInvalidRequest, authn.ErrTooLarge)
	}
	entry := a.keys.Load().find(keyOf(credential))
	if entry == nil {
		return authn.Skip(authn.CodeInvalidCredentials, r.Trace.Note("key", errors.New("unknown key")))
	}
	_ = r.Trace.NoteFound("key", nil, func() string { return fmt.Sprintf("id %q", entry.ID) })
	if expires := entry.Expires; !expires.IsZero() && !a.now().Before(expires) {
		err := fmt.Errorf("key %q expired at %s", entry.ID, expires.Format(time.RFC3339))
		return authn.Reject(authn.CodeInvalidCredentials, r.Trace.Note("expiry", err))
	}
	return authn.Accept(entry, authn.SourceLocal)
}

// Generation changes with the keys.
func (a *APIKey) Generation() uint64 { return a.keys.Load().generation }

// Recheck looks an accepted key up among the current keys.
func (a *APIKey) Recheck(credential authn.Credential, identity *authn.Identity) (ends time.Time, err error) {
	key := a.keys.Load().find(keyOf(credential))
	if key == nil || key.ID != identity.ID {
		return ends, errors.New("the key was withdrawn")
	}
	return key.Expires, nil
}

// Account is empty: an unknown key belongs to no account.
func (*APIKey) Account(authn.Credential) string { return "" }

// Challenges names the first location. An authenticated caller gets no challenge.
func (a *APIKey) Challenges(params authn.ChallengeParams) []authn.Challenge {
	if !params.Unauthenticated() {
		return nil
	}
	challenge := authn.Challenge{Scheme: "ApiKey", Realm: params.RealmFor(a.Realm)}
	switch first := a.From[0]; {
	case first.Kind != inAuthorization:
		challenge.Extra = []authn.Parameter{{Name: "in", Value: string(first.Kind)}, {Name: "name", Value: first.Name}}
	case schemeOf(first) == "Basic": // which needs a realm, RFC 7617 §2
		challenge.Scheme, challenge.Realm = "Basic", cmp.Or(challenge.Realm, authn.DefaultRealm)
		challenge.Extra = []authn.Parameter{{Name: "charset", Value: "UTF-8"}}
	default:
		challenge.Scheme = schemeOf(first)
	}
	return []authn.Challenge{challenge}
}

// Interface guards
var (
	_ caddy.Provisioner = (*APIKey)(nil)
	_ authn.Scheme      = (*APIKey)(nil)
	_ authn.Throttled   = (*APIKey)(nil)

	_ capability.Rechecker = (*APIKey)(nil)
)
