package model

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// holder has a key that tokens may be bound to.
type holder struct{ key *ecdsa.PrivateKey }

func newHolder(t testing.TB) holder { return holder{newKey(t)} }

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
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
	folder := t.TempDir()
	save := func(name, kind string, der []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	own, other := issue(t, "authority", nil, 1), issue(t, "another authority", nil, 1)
	site := issue(t, "localhost", &own, 1)
	key, err := x509.MarshalPKCS8PrivateKey(site.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pki{
		authority:   save("authority.pem", "CERTIFICATE", own.Certificate[0]),
		certificate: save("site.pem", "CERTIFICATE", site.Certificate[0]),
		key:         save("site.key", "PRIVATE KEY", key),
		ofClients: map[string]tls.Certificate{
			"good":       issue(t, "alice", &own, 1),
			"wrong":      issue(t, "alice", &other, 1),
			"expired":    issue(t, "alice", &own, -1),
			"unreadable": issue(t, "alice\x00.example", &own, 1),
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

// issue makes a certificate that ends in some hours; without an issuer it is an
// authority.
func issue(t testing.TB, name string, issuer *tls.Certificate, hours time.Duration) tls.Certificate {
	t.Helper()
	key, now := newKey(t), time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(hours * time.Hour), BasicConstraintsValid: true, IsCA: issuer == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	parent, signer := template, any(key)
	if issuer != nil {
		parent, signer = issuer.Leaf, issuer.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// secure is the address with TLS.
func secure(address string) string { return strings.Replace(address, "http://", "https://", 1) }
