package model

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// holder has a key that tokens may be bound to.
type holder struct{ key *ecdsa.PrivateKey }

func newHolder(t testing.TB) holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return holder{key}
}

// binding is the claim that binds a token to the key.
func (h holder) binding(t testing.TB) harness.Claims {
	t.Helper()
	return harness.Claims{"cnf": map[string]any{"jkt": dpoptest.Thumbprint(t, h.key.Public())}}
}

// proof is good for one request with a token.
func (h holder) proof(t testing.TB, method, target, token string) string {
	t.Helper()
	return dpoptest.Proof(t, h.key, map[string]any{"htm": method, "htu": target, "ath": dpoptest.Hash(token)}, nil)
}

// pki are the certificates of a test: the files that Caddy reads, and what
// clients have, by the words of the table.
type pki struct {
	authority, certificate, key string
	ofClients                   map[string]tls.Certificate
}

func newPKI(t testing.TB) pki {
	t.Helper()
	own, other := harness.Certificate(t, "authority", nil, time.Hour), harness.Certificate(t, "another authority", nil, time.Hour)
	authority, _ := harness.SaveCertificate(t, own)
	certificate, key := harness.SaveCertificate(t, harness.Certificate(t, "localhost", &own, time.Hour))
	return pki{
		authority:   authority,
		certificate: certificate,
		key:         key,
		ofClients: map[string]tls.Certificate{
			"good":       harness.Certificate(t, "alice", &own, time.Hour),
			"wrong":      harness.Certificate(t, "alice", &other, time.Hour),
			"expired":    harness.Certificate(t, "alice", &own, -time.Hour),
			"unreadable": harness.Certificate(t, "alice\x00.example", &own, time.Hour),
		},
	}
}

// tls are the lines of a site. Caddy verifies nothing: the scheme does.
func (p pki) tls() string {
	return "tls " + p.certificate + " " + p.key + " {\nclient_auth {\nmode request\n}\n}\n"
}

// clients are one for each certificate, and one without.
func (p pki) clients(t *testing.T) map[string]*http.Client {
	all := map[string]*http.Client{}
	for word, certificate := range p.ofClients {
		all[word] = client(t, certificate)
	}
	all[""] = client(t)
	return all
}

func client(t *testing.T, certificates ...tls.Certificate) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true, Certificates: certificates}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// secure is the address with TLS.
func secure(address string) string { return strings.Replace(address, "http://", "https://", 1) }
