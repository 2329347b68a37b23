package harness

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// DefaultKeyID is the id of the key that a [Provider] publishes at first.
const DefaultKeyID = "key-1"

// Provider is a fake identity provider with metadata and a key set. It listens
// only between [Provider.Up] and [Provider.Down], always at the same address.
type Provider struct {
	Path    string       // path of the issuer
	Claimed string       // issuer in the metadata, default: the true one
	OpenID  bool         // metadata at OpenID Connect's place, not at RFC 8414's
	Fetches atomic.Int32 // requests for the key set

	t        testing.TB
	address  string
	server   *http.Server
	override atomic.Pointer[http.HandlerFunc]
	document atomic.Pointer[[]byte]

	mu   sync.Mutex
	keys map[string]*ecdsa.PrivateKey
}

// NewProvider makes a provider that is down and publishes one key.
func NewProvider(t testing.TB) *Provider {
	t.Helper()
	p := &Provider{t: t, address: "127.0.0.1:" + freePort(t), keys: make(map[string]*ecdsa.PrivateKey)}
	p.Publish(DefaultKeyID)
	t.Cleanup(p.Down)
	return p
}

// StartProvider makes a provider that is up.
func StartProvider(t testing.TB) *Provider {
	t.Helper()
	p := NewProvider(t)
	p.Up()
	return p
}

// URL returns the address of a path.
func (p *Provider) URL(path string) string { return "http://" + p.address + path }

// Issuer returns the true issuer.
func (p *Provider) Issuer() string { return p.URL(p.Path) }

// KeySet returns the URL of the key set.
func (p *Provider) KeySet() string { return p.URL("/jwks") }

// Key returns the private key with an id.
func (p *Provider) Key(id string) *ecdsa.PrivateKey {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keys[id] == nil {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			p.t.Fatal(err)
		}
		p.keys[id] = key
	}
	return p.keys[id]
}

// PublicKey returns the JWK with an id.
func (p *Provider) PublicKey(id string) jwk.Key {
	p.t.Helper()
	public, err := jwk.FromRaw(p.Key(id).Public())
	if err == nil {
		err = public.Set(jwk.KeyIDKey, id)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return public
}

// Publish replaces the key set by the keys with these ids.
func (p *Provider) Publish(ids ...string) {
	p.t.Helper()
	keys := make([]any, len(ids))
	for i, id := range ids {
		keys[i] = p.PublicKey(id)
	}
	document, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		p.t.Fatal(err)
	}
	p.document.Store(&document)
}

// Document returns the key set.
func (p *Provider) Document() []byte { return *p.document.Load() }

// Answer has a handler answer every request, or the provider itself again if
// it is nil.
func (p *Provider) Answer(handler http.HandlerFunc) {
	if handler == nil {
		p.override.Store(nil)
		return
	}
	p.override.Store(&handler)
}

// Up listens.
func (p *Provider) Up() {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: time.Minute}
	p.server = server
	go func() { _ = server.Serve(listener) }()
}

// Down closes the listener and every connection.
func (p *Provider) Down() {
	if p.server != nil {
		_ = p.server.Close()
	}
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	metadata := "/.well-known/oauth-authorization-server" + strings.TrimSuffix(p.Path, "/")
	if p.OpenID {
		metadata = strings.TrimSuffix(p.Path, "/") + "/.well-known/openid-configuration"
	}
	if r.URL.Path == "/jwks" {
		p.Fetches.Add(1)
	}
	w.Header().Set("Content-Type", "application/json")
	switch override := p.override.Load(); {
	case override != nil:
		(*override)(w, r)
	case r.URL.Path == "/jwks":
		_, _ = w.Write(p.Document())
	case r.URL.Path == metadata:
		issuer := p.Claimed
		if issuer == "" {
			issuer = p.Issuer()
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "jwks_uri": p.KeySet()})
	default:
		http.NotFound(w, r)
	}
}

// Sign makes a token, as [Token] does, with the key of an id.
func (p *Provider) Sign(id string, claims ...Claims) string {
	p.t.Helper()
	return Sign(p.t, jwa.ES256, p.Key(id), map[string]any{"kid": id}, claims...)
}

// Token makes a token with the key that is published at first.
func (p *Provider) Token(claims ...Claims) string {
	p.t.Helper()
	return p.Sign(DefaultKeyID, claims...)
}
