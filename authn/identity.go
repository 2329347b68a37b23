package authn

import (
	"sync"
	"time"

	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// Identity is a caller who is known. It is immutable: caches and requests
// share it.
type Identity struct {
	// ID is the user's name within the issuer, or the scheme. A token without
	// a subject has none, and so has one that a client got for itself.
	ID string

	// Client is the OAuth client that the credential was issued to, if known.
	Client string

	// Issuer is who vouches for the caller: the `iss` of a token, or the issuer
	// that was asked about one if the answer has none; else empty.
	Issuer string

	// Scopes and Roles are what the credential grants, as granted: what a
	// scope implies is applied where it is asked for.
	Scopes []string
	Roles  []string

	// Claims is everything verified about the caller; nil for nothing.
	Claims *Claims

	// Expires is when the credential ends; zero for never.
	Expires time.Time
}

// Claim finds a claim by its path, such as `realm_access.roles`.
func (i *Identity) Claim(path string) (any, bool) {
	return claimpath.Lookup(i.Claims.All(), path)
}

// Claims is everything verified about a caller. Many requests ask for none of
// it, so it can be decoded when it is asked for, out of verified bytes.
type Claims struct {
	decode  func(text string) map[string]any
	text    string
	once    sync.Once
	members map[string]any
}

// ClaimsOf makes claims of a map, which must not change any more.
func ClaimsOf(members map[string]any) *Claims { return &Claims{members: members} }

// DecodeLater has the claims decoded out of a text when somebody asks.
func (c *Claims) DecodeLater(text string, decode func(text string) map[string]any) {
	c.text, c.decode = text, decode
}

// All returns the claims. The map must not be changed.
func (c *Claims) All() map[string]any {
	if c == nil {
		return nil
	}
	if c.decode != nil {
		c.once.Do(func() { c.members = c.decode(c.text) })
	}
	return c.members
}
