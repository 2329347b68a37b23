package clientcert

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
)

// noon is the time at which the certificates of the tests are good.
var noon = time.Date(2000, 1, 1, 12, 0, 0, 0, time.UTC)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// create makes a certificate that is good for an hour around noon, unless
// change says otherwise. Without an issuer it signs itself.
func create(t testing.TB, issuer *authority, change func(*x509.Certificate)) *authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xbeef),
		Subject:      pkix.Name{CommonName: "robot", Organization: []string{"Example"}},
		NotBefore:    noon.Add(-time.Hour),
		NotAfter:     noon.Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	if change != nil {
		change(template)
	}
	created := &authority{key: newKey(t)}
	parent, signer := template, created.key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, created.key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	if created.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return created
}

// asAuthority makes a certificate one that may sign others.
func asAuthority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject = pkix.Name{CommonName: name}
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.ExtKeyUsage = true, true, x509.KeyUsageCertSign, nil
		c.NotBefore, c.NotAfter = noon.Add(-24*time.Hour), noon.Add(24*time.Hour)
	}
}

func (a *authority) leaf(t testing.TB, change func(*x509.Certificate)) *x509.Certificate {
	t.Helper()
	return create(t, a, change).cert
}

func encode(certs ...*x509.Certificate) string {
	var text []byte
	for _, cert := range certs {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return string(text)
}

// file writes a file of the test and returns its path.
func file(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load loads the scheme as Caddy does.
func load(t testing.TB, config string) (*ClientCert, error) {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	module, err := ctx.LoadModuleByID("auth.schemes.client_cert", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return module.(*ClientCert), nil
}

// scheme loads the scheme and sets its clock to noon.
func scheme(t testing.TB, config ClientCert) *ClientCert {
	t.Helper()
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := load(t, string(text))
	if err != nil {
		t.Fatal(err)
	}
	loaded.now = func() time.Time { return noon }
	return loaded
}

// trusting is a configuration that trusts the authorities.
func trusting(t testing.TB, config ClientCert, authorities ...*authority) ClientCert {
	t.Helper()
	for _, authority := range authorities {
		config.TrustPool = append(config.TrustPool, file(t, encode(authority.cert)))
	}
	return config
}

// unverifiedState is a connection with certificates that Caddy did not verify.
func unverifiedState(certs ...*x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: certs}
}

// verifiedState is a connection on which Caddy verified the chain.
func verifiedState(chain ...*x509.Certificate) *tls.ConnectionState {
	return &tls.ConnectionState{PeerCertificates: chain[:1], VerifiedChains: [][]*x509.Certificate{chain}}
}

// try asks the scheme about a request over the connection.
func try(t testing.TB, c *ClientCert, connection *tls.ConnectionState) authn.Outcome {
	t.Helper()
	r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
	r.TLS = connection
	credential, err := c.Find(r)
	if err != nil || !credential.Found() {
		t.Fatalf("found %+v, %v", credential, err)
	}
	return c.Verify(context.Background(), r, credential)
}
