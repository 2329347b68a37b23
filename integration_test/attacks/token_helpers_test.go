package attacks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// secret is what the gate of /hs and a forger of HS256 tokens share only if the
// forger is the issuer.
var secret = []byte(harness.Secret)

// keys are those of an issuer, one pair of each family.
type keys struct {
	rsa     *rsa.PrivateKey
	ecdsa   *ecdsa.PrivateKey
	ed25519 ed25519.PrivateKey
}

// issuerKeys are the issuer's in every test, and strangerKeys those of others. An
// RSA key takes long to generate.
var issuerKeys, strangerKeys = sync.OnceValue(newKeys), sync.OnceValue(newKeys)

func newKeys() keys {
	_, d, err := ed25519.GenerateKey(rand.Reader)
	return keys{must(rsa.GenerateKey(rand.Reader, 2048)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)), must(d, err)}
}

// signer makes a signature; the standard library is asked, and not what the gate
// verifies with.
type signer func(signed string) []byte

func (k keys) rs256(signed string) []byte {
	sum := sha256.Sum256([]byte(signed))
	return must(rsa.SignPKCS1v15(nil, k.rsa, crypto.SHA256, sum[:]))
}

func (k keys) ps256(signed string) []byte {
	sum := sha256.Sum256([]byte(signed))
	return must(rsa.SignPSS(rand.Reader, k.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
}

func (k keys) es256(signed string) []byte {
	sum := sha256.Sum256([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, k.ecdsa, sum[:])
	return concat(must(r, err), s)
}

// concat is the form of ECDSA signatures in JOSE (RFC 7518 §3.4).
func concat(r, s *big.Int) []byte {
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return signature
}

func (k keys) eddsa(signed string) []byte { return ed25519.Sign(k.ed25519, []byte(signed)) }

// hs signs by HMAC with any bytes for a key.
func hs(key []byte) signer {
	return func(signed string) []byte {
		mac := hmac.New(sha256.New, key)
		_, _ = mac.Write([]byte(signed)) // a hash takes every write
		return mac.Sum(nil)
	}
}

func hs512(key []byte) signer {
	return func(signed string) []byte {
		mac := hmac.New(sha512.New, key)
		_, _ = mac.Write([]byte(signed))
		return mac.Sum(nil)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// forge makes a token of a header and claims that need not be JSON.
func forge(header, claims string, sign signer) string {
	signed := b64(header) + "." + b64(claims)
	return signed + "." + base64.RawURLEncoding.EncodeToString(sign(signed))
}

func b64[T ~string | ~[]byte](text T) string {
	return base64.RawURLEncoding.EncodeToString([]byte(text))
}

// claims are good ones, with members added as text.
func claims(more ...string) string {
	all := append([]string{`"iss":"` + harness.Issuer + `"`, `"aud":"` + harness.Audience + `"`, `"sub":"alice"`, `"scope":"read"`, later()}, more...)
	return "{" + strings.Join(all, ",") + "}"
}

// claimsWith are good ones in which one text is replaced by another.
func claimsWith(t *testing.T, old, replacement string) string {
	t.Helper()
	good := claims()
	if !strings.Contains(good, old) {
		t.Fatalf("%s has no %s", good, old)
	}
	return strings.Replace(good, old, replacement, 1)
}

func unix(moment time.Time) string { return strconv.FormatInt(moment.Unix(), 10) }

func later() string { return fmt.Sprintf(`"exp":%d`, time.Now().Add(time.Hour).Unix()) }

// target is a gate for each family of keys, before an upstream that counts.
type target struct {
	*harness.Server
	keys
	reached atomic.Int64
	user    atomic.Value // string, as the upstream was told
	fields  atomic.Value // http.Header, all that it was told
}

// The paths of the gates. /all has all public keys, each pinned to its
// algorithms, by key ids.
const (
	rsGate, esGate, edGate, hsGate, allGate = "/rs", "/es", "/ed", "/hs", "/all"
)

func newTarget(t *testing.T) *target {
	t.Helper()
	site, folder := &target{keys: issuerKeys()}, t.TempDir()
	site.guard(t, map[string]gate{
		rsGate:  {scheme: "key_file " + site.pem(t, folder, "rs", &site.rsa.PublicKey)},
		esGate:  {scheme: "key_file " + site.pem(t, folder, "es", &site.ecdsa.PublicKey)},
		edGate:  {scheme: "key_file " + site.pem(t, folder, "ed", site.ed25519.Public())},
		hsGate:  {scheme: "hmac_secret " + harness.Secret},
		allGate: {scheme: "jwks " + site.jwks(t, folder)},
	})
	return site
}

// gate is what one has besides issuer and audience: lines of its bearer scheme,
// and lines of its own.
type gate struct{ scheme, lines string }

// guard starts Caddy with gates at these paths, before an upstream that counts.
func (s *target) guard(t *testing.T, gates map[string]gate) {
	t.Helper()
	upstream := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.reached.Add(1)
		s.user.Store(r.Header.Get("X-User"))
		s.fields.Store(r.Header.Clone())
	}))
	t.Cleanup(upstream.Close)
	var written strings.Builder
	for path, gate := range gates {
		fmt.Fprintf(&written, "require_auth %s {\nbearer {\nissuer %s\naudience %s\n%s\n}\nforward X-User {http.auth.user.id}\n%s\n}\n",
			path, harness.Issuer, harness.Audience, gate.scheme, gate.lines)
	}
	s.Server = harness.Start(t, "{\nauto_https off\n}\nhttp://localhost:8080 {\n"+written.String()+
		"reverse_proxy "+strings.TrimPrefix(upstream.URL, "http://")+"\n}")
}

func (s *target) pem(t *testing.T, folder, name string, public any) string {
	t.Helper()
	return write(t, folder, name+".pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(public))}))
}

func (s *target) jwks(t *testing.T, folder string) string {
	t.Helper()
	e := must(s.ecdsa.PublicKey.Bytes())
	set := map[string]any{"keys": []any{
		map[string]any{"kid": "rs", "kty": "RSA", "alg": "RS256", "n": b64(s.rsa.N.Bytes()), "e": "AQAB"},
		map[string]any{"kid": "ps", "kty": "RSA", "alg": "PS256", "n": b64(s.rsa.N.Bytes()), "e": "AQAB"},
		map[string]any{"kid": "es", "kty": "EC", "crv": "P-256", "alg": "ES256", "x": b64(e[1:33]), "y": b64(e[33:])},
		map[string]any{"kid": "ed", "kty": "OKP", "crv": "Ed25519", "x": b64(s.ed25519.Public().(ed25519.PublicKey))},
	}}
	return write(t, folder, "keys.json", must(json.Marshal(set)))
}

func write(t *testing.T, folder, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(folder, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// accepts is the honest twin of an attack.
func (s *target) accepts(t *testing.T, path, token string) {
	t.Helper()
	before := s.reached.Load()
	if r := s.Get(path, harness.Bearer(token)); r.Status != 200 || s.reached.Load() != before+1 {
		t.Fatalf("the honest twin gets %d %s\n%v", r.Status, r.Body, s.lastReason())
	}
}

// refuses wants the whole denial of a bad token, no part of it in the output, and no
// request at the upstream.
func (s *target) refuses(t *testing.T, path, token string) {
	t.Helper()
	before := s.reached.Load()
	r := s.Get(path, harness.Bearer(token))
	if r.Status != 401 {
		t.Fatalf("status %d %s", r.Status, r.Body)
	}
	want := `Bearer realm="api", error="invalid_token", error_description="The access token is invalid"`
	if got := r.Problem().Code; got != "invalid_token" || len(r.Challenges()) != 1 || r.Challenges()[0] != want {
		t.Errorf("code %s, challenges %q", got, r.Challenges())
	}
	if s.reached.Load() != before {
		t.Error("the upstream was reached")
	}
	s.keepsSilent(t, r, token)
}

// keepsSilent looks for parts of a token in the answer and in the log.
func (s *target) keepsSilent(t *testing.T, r *harness.Response, token string) {
	t.Helper()
	for part := range strings.SplitSeq(token, ".") {
		if len(part) < 24 {
			continue
		}
		if strings.Contains(r.Body+fmt.Sprint(r.Header), part) {
			t.Errorf("the answer repeats %.12s…", part)
		}
		if strings.Contains(s.LogText(), part) {
			t.Errorf("the log repeats %.12s…", part)
		}
	}
}

func (s *target) lastReason() any {
	decisions := s.Decisions()
	if len(decisions) == 0 {
		return nil
	}
	return decisions[len(decisions)-1]["reason"]
}
