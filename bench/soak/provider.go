package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

// ahead is how long a new key is published before it is used: longer than the
// gate waits between two fetches.
const ahead = 40 * time.Second

// provider publishes keys and knows opaque tokens.
type provider struct {
	server *httptest.Server
	away   atomic.Bool

	mutex     sync.Mutex
	published []dated // the newest last

	rotations, outages atomic.Int64
}

// dated is a key with its private half, and when it was published.
type dated struct {
	jwk.Key
	since time.Time
}

func newProvider() (*provider, error) {
	p := new(provider)
	if err := p.rotate(); err != nil {
		return nil, err
	}
	p.rotations.Store(0)
	p.server = httptest.NewServer(p)
	return p, nil
}

// rotate publishes a new key. Of the old ones the last two stay.
func (p *provider) rotate() error {
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return err
	}
	if err := key.Set(jwk.KeyIDKey, fmt.Sprint("key-", p.rotations.Add(1))); err != nil {
		return err
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.published = append(p.published, dated{key, time.Now()})
	if len(p.published) > 3 {
		p.published = p.published[1:]
	}
	return nil
}

// key is the one to sign with: the newest that was published long enough ago, or
// the oldest.
func (p *provider) key() jwk.Key {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, key := range slices.Backward(p.published) {
		if time.Since(key.since) >= ahead {
			return key.Key
		}
	}
	return p.published[0].Key
}

// ServeHTTP answers for the key set and for introspection, or with an error
// while the provider is away.
func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case p.away.Load():
		w.WriteHeader(http.StatusBadGateway)
	case r.URL.Path == "/introspect":
		active := strings.HasPrefix(r.PostFormValue("token"), "opaque-")
		fmt.Fprintf(w, `{"active":%t,"sub":"olga","aud":"https://api.example.com","scope":"read"}`, active)
	default:
		if err := p.writeKeys(w); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}
}

func (p *provider) writeKeys(w http.ResponseWriter) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	set := jwk.NewSet()
	for _, key := range p.published {
		public, err := key.PublicKey()
		if err != nil {
			return err
		}
		if err := set.AddKey(public); err != nil {
			return err
		}
	}
	return json.NewEncoder(w).Encode(set)
}

// sign makes a token, good for an hour unless the claims say something else.
func (p *provider) sign(key jwk.Key, more map[string]any) (string, error) {
	now := time.Now()
	claims := map[string]any{
		"iss": "https://idp.example.com", "aud": "https://api.example.com", "sub": "alice", "scope": "read",
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "jti": strconv.FormatInt(now.UnixNano(), 10),
	}
	maps.Copy(claims, more)
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	token, err := jws.Sign(payload, jws.WithKey(jwa.ES256, key))
	return string(token), err
}
