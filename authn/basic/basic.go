// Package basic is the scheme of user names and passwords, RFC 7617.
package basic

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
	"golang.org/x/text/unicode/norm"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/clientaddress"
	"github.com/excorp/caddy-require-auth/internal/steps"
	"github.com/excorp/caddy-require-auth/internal/watch"
)

func init() {
	caddy.RegisterModule(new(Basic))
}

// Basic authenticates callers by user name and password (RFC 7617).
//
// Passwords are configured as hashes of `caddy hash-password`: bcrypt or argon2id,
// computed by Caddy's own modules. Weaker hashes are refused. A hash that takes longer
// than a request may wait is refused, too. An unknown user costs as much time as a
// known one.
//
// At most half of the processors compute hashes at once, and clients take turns, so one
// client cannot keep others out. Within 12 hours of its last use, a correct password is
// not hashed again, unless the hash of the user changes. The memory holds a keyed
// digest of the password, which is useless outside this process.
//
// User names and passwords are compared after Unicode normalization (NFC), as RFC 7617
// §2.1 requires. Send Basic credentials over TLS only: they are readable in the
// request.
type Basic struct {
	// The realm in the challenge. Default: the realm of the app. RFC 7617 §2
	// demands a realm, so where the app's is `off` this scheme sends `api`.
	Realm string `json:"realm,omitempty"`

	// The users.
	Users []User `json:"users,omitempty"`

	// An htpasswd file with bcrypt or argon2id hashes, one user on each line. It is
	// read again when it changes. A file of comments withdraws all its users. A changed
	// file that is empty or cannot be used is logged, and the users read before stay.
	// Its users have no scopes and no roles.
	UsersFile string `json:"users_file,omitempty"`

	users  atomic.Pointer[directory]
	static []account
}

// User is a user with the hash of a password.
type User struct {
	// The user name; it may not hold a colon.
	Name string `json:"name"`
	// The hash of the password. Placeholders such as `{env.HASH}` are
	// replaced at load.
	Hash string `json:"hash"`
	// The scopes of the user. Default: none.
	Scopes []string `json:"scopes,omitempty"`
	// The roles of the user. Default: none.
	Roles []string `json:"roles,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (*Basic) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  authn.Namespace + ".basic",
		New: func() caddy.Module { return new(Basic) },
	}
}

// Provision checks the configuration and reads the file of users.
func (b *Basic) Provision(ctx caddy.Context) error {
	if err := b.check(); err != nil {
		return err
	}
	replacer := caddy.NewReplacer()
	for _, user := range b.Users {
		var err error
		if user.Hash, err = block.Replace(replacer, "the hash of user "+user.Name, user.Hash); err != nil {
			return err
		}
		account, err := newAccount(user)
		if err != nil {
			return err
		}
		b.static = append(b.static, account)
	}
	if b.UsersFile != "" {
		return watch.File(ctx, b.UsersFile, ctx.Logger(), b.load)
	}
	return b.use(nil)
}

// load puts the users of the configuration and of a file into use.
func (b *Basic) load(htpasswd []byte) error {
	accounts, err := parseHtpasswd(htpasswd)
	if err != nil {
		return err
	}
	return b.use(accounts)
}

func (b *Basic) use(accounts []account) error {
	directory, err := newDirectory(append(accounts, b.static...))
	if err != nil {
		return err
	}
	b.users.Store(directory)
	return nil
}

// check validates the configuration as it is written. Provision checks placeholders and
// files.
func (b *Basic) check() error {
	if len(b.Users) == 0 && b.UsersFile == "" {
		return errors.New("basic has no users: add `user <name> <hash>` or `users_file <path>`")
	}
	if err := authheader.CheckParameter("realm", b.Realm); err != nil {
		return err
	}
	seen := make(map[string]bool, len(b.Users))
	for _, user := range b.Users {
		if seen[user.Name] {
			return fmt.Errorf("duplicate user %q", user.Name)
		}
		seen[user.Name] = true
		if err := user.check(); err != nil {
			return err
		}
	}
	return nil
}

// Find returns the Basic credentials of the Authorization field.
func (b *Basic) Find(r *authn.Request) (authn.Credential, error) {
	authorization, err := r.Authorization()
	if err != nil || !authorization.Is("Basic") {
		return authn.Credential{}, err
	}
	return authn.Credential{Scheme: "Basic", Value: authorization.Value, Location: authn.AuthorizationField}, nil
}

// Locations lists the locations of credentials.
func (*Basic) Locations() []authn.Location { return []authn.Location{authn.AuthorizationField} }

// Verify decodes the credentials and compares the password. It returns [authn.Skip] for
// wrong ones, because another Basic scheme of the gate may accept them.
func (b *Basic) Verify(_ context.Context, r *authn.Request, credential authn.Credential) authn.Outcome {
	users := b.users.Load()
	name, password, err := decode(credential.Value)
	if r.Trace.Note("format", err) != nil {
		// As much work as for a wrong password, so that the time discloses nothing.
		name, password = "", credential.Value[:min(len(credential.Value), 72)]
	}
	match, source, failure := users.matches(name, password, func() string { return clientaddress.NetworkOf(r.Request) })
	switch {
	case errors.Is(failure, errBusy):
		return authn.Unavailable(time.Second, failure)
	case failure != nil:
		return authn.Reject(authn.CodeInternal, failure)
	case err != nil:
		return authn.Reject(authn.CodeInvalidCredentials, err)
	case match == nil:
		return authn.Skip(authn.CodeInvalidCredentials, r.Trace.Note("password", errWrong))
	}
	_ = r.Trace.Note("password", nil)
	return authn.Accept(match, source)
}

// Generation changes with the users.
func (b *Basic) Generation() uint64 { return b.users.Load().generation }

// Recheck looks an accepted user up among the current users. It refuses a password that the
// cache has forgotten, because a hash takes too long.
func (b *Basic) Recheck(credential authn.Credential, _ *authn.Identity) (never time.Time, err error) {
	name, password, err := decode(credential.Value)
	if err != nil {
		return never, err
	}
	if user := b.users.Load().byName[name]; user == nil || !hashing().remembers(user, password) {
		return never, errors.New("the user was removed, or the password was changed")
	}
	return never, nil
}

// Account is the user name.
func (*Basic) Account(credential authn.Credential) string {
	name, _, err := decode(credential.Value)
	if err != nil {
		return ""
	}
	return name
}

var errWrong = errors.New("unknown user or wrong password")

// decode splits Basic credentials (RFC 7617 §2).
func decode(credentials string) (name, password string, err error) {
	if len(credentials) > authn.MaxCredential {
		return "", "", authn.ErrTooLarge
	}
	steps.Add(len(credentials))
	decoded, err := base64.StdEncoding.Strict().DecodeString(credentials)
	if err != nil || strings.ContainsAny(credentials, "\r\n") {
		return "", "", errors.New("the credentials are not base64")
	}
	if !utf8.Valid(decoded) {
		return "", "", errors.New("the credentials are not UTF-8")
	}
	name, password, colon := strings.Cut(string(decoded), ":")
	if !colon {
		return "", "", errors.New("the credentials have no colon")
	}
	if hasControl(name) || hasControl(password) {
		return "", "", errors.New("the credentials have a control character")
	}
	return norm.NFC.String(name), norm.NFC.String(password), nil
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// Challenges requests Basic credentials. An authenticated caller gets no challenge,
// because another password would not help.
func (b *Basic) Challenges(params authn.ChallengeParams) []authn.Challenge {
	if !params.Unauthenticated() {
		return nil
	}
	return []authn.Challenge{{
		Scheme: "Basic",
		Realm:  cmp.Or(params.RealmFor(b.Realm), authn.DefaultRealm),
		Extra:  []authn.Parameter{{Name: "charset", Value: "UTF-8"}},
	}}
}

// Interface guards
var (
	_ caddy.Provisioner = (*Basic)(nil)
	_ authn.Scheme      = (*Basic)(nil)
	_ authn.Throttled   = (*Basic)(nil)

	_ capability.Rechecker = (*Basic)(nil)
)
