package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	password = "correct horse battery staple"
	apiKey   = "soak-0123456789abcdef0123456789abcdef"
)

func keyDigest() string {
	sum := sha256.Sum256([]byte(apiKey))
	return hex.EncodeToString(sum[:])
}

// good, bad and so on are the answers that a kind may get.
var (
	good      = []int{http.StatusOK}
	bad       = []int{http.StatusUnauthorized}
	throttled = []int{http.StatusUnauthorized, http.StatusTooManyRequests}
	ambiguous = []int{http.StatusBadRequest}
	little    = []int{http.StatusForbidden}
	// Nothing is known of it here, and the provider may be away.
	introspected = []int{http.StatusOK, http.StatusServiceUnavailable}
	// The keys may have changed, and the provider may be away.
	unknown = []int{http.StatusUnauthorized, http.StatusServiceUnavailable}
)

const often, seldom = 5 * time.Millisecond, 50 * time.Millisecond

func newClients(s *server, p *provider) (*clients, error) {
	wire := &again{transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	c := &clients{server: s, provider: p, wire: wire, http: &http.Client{Timeout: 20 * time.Second, Transport: wire}}
	stranger, err := newKey("")
	if err != nil {
		return nil, err
	}
	unknownKey, err := newKey("unknown-key")
	if err != nil {
		return nil, err
	}
	prover, err := newProver("http://" + s.site)
	if err != nil {
		return nil, err
	}
	c.kinds = append(c.withTokens(stranger, unknownKey), c.withSecrets()...)
	c.kinds = append(c.kinds,
		kind{"a token with a proof", seldom, good, func(r *http.Request) error { return prover.prove(r, p) }},
		kind{"a proof again", seldom, bad, prover.replay})
	return c, nil
}

// withTokens are kinds that send tokens, good ones and those that others made.
func (c *clients) withTokens(stranger, unknownKey jwk.Key) []kind {
	signed := func(key func() jwk.Key, more map[string]any) func(*http.Request) error {
		return func(r *http.Request) error {
			token, err := c.provider.sign(key(), more)
			r.Header.Set("Authorization", "Bearer "+token)
			return err
		}
	}
	own := c.provider.key
	// forging names a key of the provider's and signs with another.
	forging := func() jwk.Key {
		if err := stranger.Set(jwk.KeyIDKey, own().KeyID()); err != nil {
			panic(err) // a name fits into a key
		}
		return stranger
	}
	var warm string
	var number int
	return []kind{
		{"a token again", time.Millisecond, good, func(r *http.Request) error {
			if number++; number%5000 == 1 {
				token, err := c.provider.sign(own(), nil)
				if err != nil {
					return err
				}
				warm = token
			}
			r.Header.Set("Authorization", "Bearer "+warm)
			return nil
		}},
		{"a new token", often, good, signed(own, nil)},
		{"a token that has expired", often, bad, signed(own, map[string]any{"exp": 1_000_000_000})},
		{"a token for somebody else", often, bad, signed(own, map[string]any{"aud": "https://other.example"})},
		{"a forged token", often, bad, signed(forging, nil)},
		{"a token of an unknown key", often, unknown, signed(func() jwk.Key { return unknownKey }, nil)},
		{"too little scope", often, little, func(r *http.Request) error {
			r.URL.Path = "/admin"
			return signed(own, nil)(r)
		}},
		{"an opaque token", often, introspected, func(r *http.Request) error {
			r.Header.Set("Authorization", fmt.Sprint("Bearer opaque-", c.requests.Load()/5000))
			return nil
		}},
		{"an opaque token that nobody knows", seldom, unknown, func(r *http.Request) error {
			r.Header.Set("Authorization", fmt.Sprint("Bearer made-up-", c.requests.Load()))
			return nil
		}},
	}
}

// withSecrets are kinds that send passwords and keys, from many addresses where
// they are wrong.
func (c *clients) withSecrets() []kind {
	return []kind{
		{"no credential", often, bad, func(*http.Request) error { return nil }},
		{"two credentials", seldom, ambiguous, func(r *http.Request) error {
			r.Header.Set("X-Api-Key", apiKey)
			r.SetBasicAuth("alice", password)
			return nil
		}},
		{"a password", often, good, func(r *http.Request) error {
			r.SetBasicAuth("alice", password)
			return nil
		}},
		{"a wrong password from anywhere", 4 * seldom, throttled, func(r *http.Request) error {
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("2001:db8:%x::1", c.requests.Load()&0xffff))
			r.SetBasicAuth("alice", fmt.Sprint("guess ", c.requests.Load()))
			return nil
		}},
		{"a password of an unknown user", 4 * seldom, throttled, func(r *http.Request) error {
			r.Header.Set("X-Forwarded-For", "198.51.100.1")
			r.SetBasicAuth(fmt.Sprint("user", c.requests.Load()), "guess")
			return nil
		}},
		{"a key", often, good, func(r *http.Request) error {
			r.Header.Set("X-Api-Key", apiKey)
			return nil
		}},
		{"a wrong key", seldom, throttled, func(r *http.Request) error {
			r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.0.1", c.requests.Load()%256))
			r.Header.Set("X-Api-Key", fmt.Sprint("guess-", c.requests.Load()))
			return nil
		}},
	}
}

func newKey(id string) (jwk.Key, error) {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return nil, err
	}
	return key, key.Set(jwk.KeyIDKey, id)
}

// prover makes proofs of possession (RFC 9449).
type prover struct {
	key        jwk.Key
	public     jwk.Key
	thumbprint string
	site       string
	current    [2]string    // a token and a proof that are being sent
	used       atomic.Value // [2]string: those before, which were answered
	number     atomic.Int64
}

func newProver(site string) (*prover, error) {
	key, err := newKey("")
	if err != nil {
		return nil, err
	}
	if err := key.Remove(jwk.KeyIDKey); err != nil {
		return nil, err
	}
	public, err := key.PublicKey()
	if err != nil {
		return nil, err
	}
	sum, err := public.Thumbprint(crypto.SHA256)
	return &prover{key: key, public: public, thumbprint: base64.RawURLEncoding.EncodeToString(sum), site: site}, err
}

func (p *prover) prove(r *http.Request, issuer *provider) error {
	token, err := issuer.sign(issuer.key(), map[string]any{"cnf": map[string]any{"jkt": p.thumbprint}})
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(token))
	claims, err := json.Marshal(map[string]any{
		"jti": fmt.Sprint("proof-", p.number.Add(1), "-", time.Now().UnixNano()), "htm": http.MethodGet, "htu": p.site + "/", "iat": time.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(sum[:]),
	})
	if err != nil {
		return err
	}
	header := jws.NewHeaders()
	for name, value := range map[string]any{jws.TypeKey: "dpop+jwt", jws.JWKKey: p.public} {
		if err := header.Set(name, value); err != nil {
			return err
		}
	}
	proof, err := jws.Sign(claims, jws.WithKey(jwa.ES256, p.key, jws.WithProtectedHeaders(header)))
	if err != nil {
		return err
	}
	if p.current[0] != "" {
		p.used.Store(p.current)
	}
	p.current = [2]string{token, string(proof)}
	p.set(r, token, string(proof))
	return nil
}

// replay sends a proof a second time, or none before the first one.
func (p *prover) replay(r *http.Request) error {
	if used, ok := p.used.Load().([2]string); ok {
		p.set(r, used[0], used[1])
	}
	return nil
}

func (p *prover) set(r *http.Request, token, proof string) {
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", proof)
}
