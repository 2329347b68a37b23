// Package apikey is the scheme of API keys: one secret string in a header
// field, a query parameter or a cookie. No authentication scheme is
// registered for them, so the challenge is a scheme of our own, `ApiKey`.
package apikey

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

func init() {
	caddy.RegisterModule(new(APIKey))
}

// APIKey lets callers in by API key.
//
// Only SHA-256 digests of keys are configured, so that a configuration, a
// backup or a dashboard gives none away. A digest is safe for keys that are
// long and random; never use it for a word that somebody chose.
//
// A key in a query parameter ends up in histories and in the logs of every
// server on the way, and Caddy's access log shows it unless a filter hides it;
// prefer a header field.
type APIKey struct {
	// The realm in the challenge; `off` sends none. Default: the realm of the
	// app.
	Realm string `json:"realm,omitempty"`

	// Where a key may stand. The first place is the one that the challenge
	// names. Default: the header field X-API-Key.
	From []authn.Location `json:"from,omitempty"`

	// The keys.
	Keys []Key `json:"keys,omitempty"`

	// A JSON file with an array of keys, its elements as in `keys`, read again
	// whenever it changes. `[]` withdraws all its keys. A changed file that is
	// empty or cannot be used is logged, and the keys read before stay.
	KeysFile string `json:"keys_file,omitempty"`

	keys   atomic.Pointer[index]
	static []Key
	now    func() time.Time
}

// CaddyModule returns the Caddy module information.
func (*APIKey) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.Namespace + ".api_key",
		New: func() caddy.Module { return new(APIKey) },
	}
}

// DefaultPlace is where a key is looked for if nothing else is configured.
var DefaultPlace = authn.Location{Kind: authn.InHeader, Name: "X-API-Key"}

// Provision checks the configuration and reads the file of keys.
func (a *APIKey) Provision(ctx caddy.Context) error {
	if err := a.check(); err != nil {
		return err
	}
	a.now = time.Now
	if len(a.From) == 0 {
		a.From = []authn.Location{DefaultPlace}
	}
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

// load makes the keys of the configuration and of a file the ones that count.
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

// check reports what is wrong with the configuration as it is written.
func (a *APIKey) check() error {
	if len(a.Keys) == 0 && a.KeysFile == "" {
		return errors.New("api_key has no keys: add `key <id> sha256:<digest>` or `keys_file <path>`")
	}
	if err := authn.CheckRealm(a.Realm); err != nil {
		return err
	}
	for _, location := range a.From {
		if err := checkPlace(location); err != nil {
			return err
		}
	}
	if err := authn.CheckDistinct(a.From); err != nil {
		return err
	}
	for _, key := range a.Keys {
		if err := key.check(); err != nil {
			return err
		}
	}
	return nil
}

// checkPlace refuses the Authorization field: its values have a scheme name
// in front, which is for the schemes that own the field.
func checkPlace(location authn.Location) error {
	if location.Kind == authn.InForm {
		return errors.New("an API key cannot be read from a form: write header, query or cookie")
	}
	if location.VaryField() == "Authorization" {
		return errors.New("an API key cannot be read from Authorization: name a field such as X-API-Key, or use the scheme bearer")
	}
	return location.Check()
}

// Find looks for a key at the configured places.
func (a *APIKey) Find(r *authn.Request) (authn.Credential, error) {
	return authn.FindIn(r, a.From)
}

// Locations lists where credentials may be.
func (a *APIKey) Locations() []authn.Location { return a.From }

// Verify looks the key up by its digest. An unknown, an expired and a
// malformed key are answered alike.
func (a *APIKey) Verify(_ context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	if len(credential.Value) > authn.MaxCredential {
		return authn.Reject(authn.CodeInvalidRequest, authn.ErrTooLarge)
	}
	entry := a.keys.Load().find(credential.Value)
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

// Account is empty: an unknown key is nobody's.
func (*APIKey) Account(authn.Credential) string { return "" }

// Challenges names the place of the key. It says nothing to a caller who is
// known.
func (a *APIKey) Challenges(ask authn.ChallengeParams) []authn.Challenge {
	if !ask.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{
		Scheme: "ApiKey",
		Realm:  authn.RealmFor(a.Realm, ask.Realm),
		Extra: []authn.Parameter{
			{Name: "in", Value: string(a.From[0].Kind)},
			{Name: "name", Value: a.From[0].Name},
		},
	}}
}

// Interface guards
var (
	_ caddy.Provisioner = (*APIKey)(nil)
	_ authn.Scheme      = (*APIKey)(nil)
	_ authn.Throttled   = (*APIKey)(nil)
)
