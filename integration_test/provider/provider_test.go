// Package provider asks a running Caddy whose identity provider is down, slow,
// broken, another one than expected, or changes its keys.
package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// The places of metadata, before and after the path of an issuer.
const (
	rfc8414  = "/.well-known/oauth-authorization-server"
	openID   = "/.well-known/openid-configuration"
	keysPath = "/keys"
)

// provider is an identity provider on 127.0.0.1. It has its address before it
// runs and keeps it when it stops, so that it can be down and up again.
type provider struct {
	t       *testing.T
	address string
	path    string // of the issuer
	key     *ecdsa.PrivateKey

	mutex   sync.Mutex
	answers map[string]http.HandlerFunc // by path
	asked   []string                    // the paths, in order
	server  *http.Server
	release chan struct{} // ends what hangs
}

// newProvider makes a provider that is down. It publishes one key, k1, and its
// metadata at the place of RFC 8414.
func newProvider(t *testing.T, path string) *provider {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	p := &provider{
		t: t, address: listener.Addr().String(), path: path, key: newKey(t),
		answers: make(map[string]http.HandlerFunc), release: make(chan struct{}),
	}
	p.answer(rfc8414+strings.TrimRight(path, "/"), p.metadata(nil))
	p.publish(map[string]*ecdsa.PrivateKey{"k1": p.key})
	t.Cleanup(func() {
		close(p.release)
		p.down()
	})
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (p *provider) origin() string { return "http://" + p.address }
func (p *provider) issuer() string { return p.origin() + p.path }

func (p *provider) up() *provider {
	p.t.Helper()
	listener, err := net.Listen("tcp", p.address)
	if err != nil {
		p.t.Fatal(err)
	}
	p.server = &http.Server{Handler: http.HandlerFunc(p.serve), ReadHeaderTimeout: time.Second}
	server := p.server
	go func() { _ = server.Serve(listener) }()
	return p
}

func (p *provider) down() {
	if p.server != nil {
		_ = p.server.Close()
	}
}

func (p *provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mutex.Lock()
	p.asked = append(p.asked, r.URL.Path)
	answer := p.answers[r.URL.Path]
	p.mutex.Unlock()
	if answer == nil {
		answer = http.NotFound
	}
	answer(w, r)
}

// requests returns the paths that were asked for, in order.
func (p *provider) requests() []string {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return slices.Clone(p.asked)
}

// fetches counts the requests for the key set.
func (p *provider) fetches() (count int) {
	for _, path := range p.requests() {
		if path == keysPath {
			count++
		}
	}
	return count
}

// answer has a path answered like this from now on; nil takes it away.
func (p *provider) answer(path string, answer http.HandlerFunc) *provider {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.answers[path] = answer
	return p
}

// metadata answers with the document of the issuer, with members changed.
func (p *provider) metadata(changes map[string]any) http.HandlerFunc {
	document := map[string]any{"issuer": p.issuer(), "jwks_uri": p.origin() + keysPath}
	for name, value := range changes {
		document[name] = value
	}
	return documentOf("application/json", document)
}

// publish has these keys served by their ids.
func (p *provider) publish(keys map[string]*ecdsa.PrivateKey) *provider {
	p.t.Helper()
	all := []any{}
	for id, key := range keys {
		all = append(all, public(p.t, key, map[string]any{"kid": id}))
	}
	return p.answer(keysPath, documentOf("application/jwk-set+json", map[string]any{"keys": all}))
}

// public is the JWK of a key with further members.
func public(t *testing.T, key *ecdsa.PrivateKey, members map[string]any) jwk.Key {
	t.Helper()
	document, err := jwk.FromRaw(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range members {
		if err := document.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return document
}

func documentOf(mediaType string, document any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		_ = json.NewEncoder(w).Encode(document)
	}
}

func text(status int, mediaType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// hang does not answer before the test ends.
func (p *provider) hang(_ http.ResponseWriter, r *http.Request) {
	select {
	case <-p.release:
	case <-r.Context().Done():
	}
}

// token is signed by k1 for the issuer.
func (p *provider) token(claims ...harness.Claims) harness.Option {
	p.t.Helper()
	return p.signed(p.key, "k1", claims...)
}

// signed is a token of the issuer by any key.
func (p *provider) signed(key *ecdsa.PrivateKey, id string, claims ...harness.Claims) harness.Option {
	p.t.Helper()
	return harness.Bearer(harness.Sign(p.t, jwa.ES256, key, map[string]any{"kid": id}, append([]harness.Claims{{"iss": p.issuer()}}, claims...)...))
}
