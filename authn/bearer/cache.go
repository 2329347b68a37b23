package bearer

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unique"

	"github.com/caddyserver/caddy/v2"
	"github.com/maypok86/otter/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/capability"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/store"
)

const (
	// defaultCacheSize bounds the memory of verified tokens, in bytes as
	// [cachedToken.weigh] estimates them: some 100,000 tokens.
	defaultCacheSize = 40 << 20

	// cacheFor is how long a token is remembered at most. It bounds for how
	// long a key set that should no longer be used still counts.
	cacheFor = 5 * time.Minute

	// maxConfigs is for how many configurations one token is remembered.
	maxConfigs = 8
)

// cacheKey names a token and the configuration of the scheme that verified it. No
// scheme finds what a scheme with another configuration verified.
type cacheKey struct {
	digest store.Key
	config configID
}

// configID is the digest of a configuration.
type configID = unique.Handle[[sha256.Size]byte]

// cachedToken is what the cache keeps of a token that passed the checks: what
// nearly every request needs, and no part of the token itself. The claims are
// decoded from the token that comes with the request.
type cachedToken struct {
	until   int64 // Unix milliseconds; from then on it is checked again
	expires int64 // Unix milliseconds
	user    string
	grant   unique.Handle[grant] // set by [Bearer.remember]
	extra   atomic.Pointer[extra]
}

// grant is what many tokens have in common. These are the tokens of one client with the
// same scopes and roles, verified by the same keys for the same configuration.
type grant struct {
	config         configID
	keys           uint64 // the fingerprint of the keys
	client, issuer string

	// The scopes and then the roles, in a form that can be compared: in few, or joined in
	// many if there are more.
	scopes, names int // how many of them are scopes, and of both
	few           [fewNames]string
	many          string
}

// fewNames is how many scopes and roles nearly all tokens have together.
const fewNames = 6

// nameEnd separates names that are joined. A token with a role that has it is not
// remembered.
const nameEnd = "\x00"

// grantOf returns the grant of a verified token.
func grantOf(v *verification) unique.Handle[grant] {
	identity := v.identity
	g := grant{
		config: v.key.config, keys: v.keys, client: identity.Client, issuer: identity.Issuer,
		scopes: len(identity.Scopes), names: len(identity.Scopes) + len(identity.Roles),
	}
	if g.names <= fewNames {
		copy(g.few[copy(g.few[:], identity.Scopes):], identity.Roles)
	} else {
		g.many = strings.Join(slices.Concat(identity.Scopes, identity.Roles), nameEnd)
	}
	return unique.Make(g)
}

// weigh estimates the memory of the texts of a grant, in bytes.
func (g *grant) weigh() int {
	weight := len(g.client) + len(g.issuer) + len(g.many)
	for _, name := range g.few {
		weight += len(name)
	}
	return weight
}

// extra is what few tokens have. It never changes.
type extra struct {
	audience string // that of the gate, if the token is good only there
	bound    confirmation
	names    *names       // nil until a revocation asks, see [cachedToken.namesIn]
	next     *cachedToken // the same token at another configuration
}

var noExtra extra

func (c *cachedToken) more() *extra { return cmp.Or(c.extra.Load(), &noExtra) }

// newCachedToken returns what is kept of a verified token.
func (b *Bearer) newCachedToken(v *verification) *cachedToken {
	identity := v.identity
	c := &cachedToken{
		user: identity.ID, expires: identity.Expires.UnixMilli(),
		until: min(identity.Expires.Add(b.skew).UnixMilli(), b.now().Add(cacheFor).UnixMilli()),
	}
	if v.bound != (confirmation{}) || v.audience != "" {
		c.extra.Store(&extra{audience: v.audience, bound: v.bound})
	}
	return c
}

// outcome is the answer for a token that the cache has.
func (c *cachedToken) outcome(token string) authn.Outcome {
	found := new(struct {
		authn.Identity
		claims authn.Claims
		few    [fewNames]string
	})
	grant := c.grant.Value()
	found.few = grant.few
	names := found.few[:min(grant.names, fewNames)]
	if grant.names > fewNames {
		names = strings.Split(grant.many, nameEnd)
	}
	found.Identity = authn.Identity{
		ID: c.user, Client: grant.client, Issuer: grant.issuer,
		Scopes: names[:grant.scopes:grant.scopes], Roles: names[grant.scopes:len(names):len(names)],
		Claims: &found.claims, Expires: time.UnixMilli(c.expires),
	}
	found.claims.DecodeLater(token, jose.Claims)
	return authn.Accept(&found.Identity, authn.SourceCache)
}

// with returns a copy without the names, which is followed by what the token is at
// another configuration. It shares no memory with a token that was just verified.
func (c *cachedToken) with(next *cachedToken) *cachedToken {
	copied, more := &cachedToken{until: c.until, expires: c.expires, user: strings.Clone(c.user), grant: c.grant}, c.more()
	if next != nil || more.audience != "" || more.bound != (confirmation{}) {
		copied.extra.Store(&extra{
			audience: strings.Clone(more.audience),
			bound:    confirmation{strings.Clone(more.bound.thumbprint), strings.Clone(more.bound.certificate)},
			next:     next,
		})
	}
	return copied
}

// maxNames bounds the names that an entry keeps, in bytes. [cachedToken.weigh] has
// room for them.
const maxNames = 128

// namesIn returns what the token can be revoked by. The cache reads it from the claims
// at the first revocation: without one it needs no memory. It is nil if the claims
// cannot be read.
func (c *cachedToken) namesIn(claims *authn.Claims) *names {
	more := *c.more()
	if more.names != nil {
		return more.names
	}
	members := claims.All()
	if members == nil {
		return nil
	}
	found := namesOf(members)
	if len(found.tokenID)+len(found.subject)+len(found.session) > maxNames {
		return &found
	}
	found.tokenID, found.session = strings.Clone(found.tokenID), strings.Clone(found.session)
	if found.subject == c.user {
		found.subject = c.user
	} else {
		found.subject = strings.Clone(found.subject)
	}
	more.names = &found
	c.extra.Store(&more)
	return &found
}

// weigh estimates the memory of an entry, in bytes.
func (c *cachedToken) weigh() uint32 {
	weight := 0
	for ; c != nil; c = c.more().next {
		grant, more := c.grant.Value(), c.more()
		weight += 280 + len(c.user) + grant.weigh()
		if more != &noExtra {
			weight += 200 + len(more.audience) + len(more.bound.thumbprint) + len(more.bound.certificate)
		}
	}
	return uint32(weight)
}

// cache remembers the verified tokens of all schemes, by the digest of the whole
// token. It remembers bad tokens for a moment and apart, so that bad tokens cannot
// push out good ones.
type cache struct {
	*otter.Cache[store.Key, *cachedToken]
	refusals boundedMap[cacheKey, refusal]
	swept    atomic.Int64 // when [cache.sweep] began last, in Unix milliseconds
}

func newCache(size uint64) *cache {
	return &cache{Cache: otter.Must(&otter.Options[store.Key, *cachedToken]{
		MaximumWeight: size,
		Weigher:       func(_ store.Key, c *cachedToken) uint32 { return c.weigh() },
		Executor:      func(maintain func()) { maintain() }, // cheaper than a goroutine for some reads
	})}
}

// sweep removes the tokens that must be checked again, once in [cacheFor]. Otter could do
// so itself, but that takes 16 bytes for each token, and reads the clock for each request.
func (c *cache) sweep(now time.Time) {
	last := c.swept.Load()
	since := now.UnixMilli() - last // negative after the clock was set back
	if 0 <= since && since < cacheFor.Milliseconds() || !c.swept.CompareAndSwap(last, now.UnixMilli()) {
		return
	}
	go func() {
		for digest, entry := range c.All() {
			for entry != nil && now.UnixMilli() >= entry.until {
				entry = entry.more().next
			}
			if entry == nil {
				c.Invalidate(digest)
			}
		}
	}()
}

// Destruct ends the cache once no configuration uses it.
func (c *cache) Destruct() error {
	c.StopAllGoroutines()
	return nil
}

// token returns the entry of a token for a configuration, or nil.
func (c *cache) token(key cacheKey) *cachedToken {
	entry, _ := c.GetIfPresent(key.digest)
	for entry != nil && entry.grant.Value().config != key.config {
		entry = entry.more().next
	}
	return entry
}

// add remembers a token, beside what it is at other configurations.
func (c *cache) add(digest store.Key, entry *cachedToken) {
	others := make([]*cachedToken, 0, maxConfigs-1)
	other, _ := c.GetIfPresent(digest)
	for ; other != nil && len(others) < maxConfigs-1; other = other.more().next {
		if other.grant.Value().config != entry.grant.Value().config {
			others = append(others, other)
		}
	}
	var next *cachedToken
	for _, other := range slices.Backward(others) { // copied, because an entry never changes
		next = other.with(next)
	}
	c.Set(digest, entry.with(next))
}

// remember keeps a verified token.
func (b *Bearer) remember(v *verification, token *cachedToken) {
	joinable := !slices.ContainsFunc(v.identity.Roles, func(role string) bool { return strings.Contains(role, nameEnd) })
	if b.cache != nil && v.Trace == nil && joinable {
		token.grant = grantOf(v)
		b.cache.add(v.key.digest, token)
		b.cache.sweep(b.now())
	}
}

// caches are those in use, by size. They outlive a configuration. All schemes
// without `token_cache` share one.
var caches = caddy.NewUsagePool()

// openCache finds the cache of the scheme. The keys are not part of the
// configuration: see [cachedToken.keys].
func (b *Bearer) openCache() error {
	config, err := json.Marshal(b)
	if err != nil {
		return err
	}
	b.config = unique.Make(sha256.Sum256(config))
	size := uint64(defaultCacheSize)
	if b.TokenCache != nil {
		size = *b.TokenCache
	}
	if size == 0 || len(b.keys) == 0 {
		return nil
	}
	opened, _, err := caches.LoadOrNew(size, func() (caddy.Destructor, error) { return newCache(size), nil })
	if err != nil {
		return err
	}
	b.cache = opened.(*cache)
	b.release = append(b.release, func() error {
		_, err := caches.Delete(size)
		return err
	})
	return nil
}

// Clients send bad tokens again and again, and HTTP/2 repeats one for a byte. The
// cost of reading a token depends on its sender, so the result is kept for a
// moment.
const (
	maxRefusals = 10_000
	refusedFor  = 10 * time.Second
)

// boundedMap is a map that begins again empty when it is full.
type boundedMap[K comparable, V any] struct {
	mutex  sync.Mutex
	values map[K]V
}

func (b *boundedMap[K, V]) get(key K) (V, bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	value, found := b.values[key]
	return value, found
}

func (b *boundedMap[K, V]) put(key K, value V) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.values == nil || len(b.values) >= maxRefusals {
		b.values = make(map[K]V)
	}
	b.values[key] = value
}

// refusal is why a token was refused by certain keys, and until when that holds.
type refusal struct {
	outcome authn.Outcome
	keys    uint64
	until   time.Time
}

// refusal returns why a token was refused a moment ago.
func (c *cache) refusal(key cacheKey, keys uint64, now time.Time) (authn.Outcome, bool) {
	entry, found := c.refusals.get(key)
	if !found || entry.keys != keys || !now.Before(entry.until) {
		return authn.Outcome{}, false
	}
	return entry.outcome, true
}

// rememberRefusal has a token refused for the same reason for a moment, or until
// its client may try again. The reason must depend on nothing but the token and the
// keys.
func (b *Bearer) rememberRefusal(v *verification, outcome authn.Outcome) {
	if b.cache != nil && v.Trace == nil {
		outcome.Source = authn.SourceCache
		until := b.now().Add(min(refusedFor, cmp.Or(outcome.RetryAfter, refusedFor)))
		b.cache.refusals.put(v.key, refusal{outcome: outcome, keys: v.keys, until: until})
	}
}

// Group says where the scheme looks for a token.
func (b *Bearer) Group() string {
	return fmt.Sprint("bearer ", enabled(b.DPoP), b.TokenFrom)
}

// maxIssuer is how much of an issuer is remembered, in bytes. No configured issuer
// is that long.
const maxIssuer = 2000

// issuers are those that tokens name which no cache has.
var issuers boundedMap[store.Key, string]

// IssuerOf reads the issuer that a token names, once for the same token.
func (b *Bearer) IssuerOf(r *authn.Request, credential authn.Credential) string {
	if len(credential.Value) > authn.MaxCredential {
		return ""
	}
	digest := r.DigestOf(credential.Value)
	if b.cache != nil {
		if token, found := b.cache.GetIfPresent(digest); found {
			return token.grant.Value().issuer
		}
	}
	if issuer, found := issuers.get(digest); found {
		return issuer
	}
	issuer := jose.Issuer(credential.Value)
	issuer = strings.Clone(issuer[:min(len(issuer), maxIssuer)])
	issuers.put(digest, issuer)
	return issuer
}

// AcceptsIssuer is the issuer, and with introspection also the tokens that only the
// issuer can read.
func (b *Bearer) AcceptsIssuer() (issuer string, unnamed bool) {
	if b.isTemplate() {
		return "", b.Introspection != nil
	}
	return b.Issuer, b.Introspection != nil
}

var _ capability.Grouped = (*Bearer)(nil)
