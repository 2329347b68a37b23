package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"
)

const (
	issuer   = "https://idp.example.com/realms/main"
	audience = "https://api.example.com"
	apiKey   = "bench-0123456789abcdef0123456789abcdef"
	password = "correct horse battery staple"
)

// signers are the private keys of the issuer, by algorithm.
type signers struct {
	file string // the public keys, as a JWK Set
	keys map[jwa.SignatureAlgorithm]jwk.Key
	set  jwk.Set
}

var algorithms = []jwa.SignatureAlgorithm{jwa.RS256, jwa.ES256, jwa.EdDSA}

func newSigners(folder string) (*signers, error) {
	s := &signers{file: filepath.Join(folder, "keys.json"), keys: make(map[jwa.SignatureAlgorithm]jwk.Key), set: jwk.NewSet()}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	for algorithm, raw := range map[jwa.SignatureAlgorithm]any{jwa.RS256: rsaKey, jwa.ES256: ecKey, jwa.EdDSA: edKey} {
		if err := s.add(algorithm, raw); err != nil {
			return nil, err
		}
	}
	document, err := json.Marshal(s.set)
	if err != nil {
		return nil, err
	}
	return s, os.WriteFile(s.file, document, 0o600)
}

func (s *signers) add(algorithm jwa.SignatureAlgorithm, raw any) error {
	key, err := jwk.FromRaw(raw)
	if err != nil {
		return err
	}
	for name, value := range map[string]any{jwk.KeyIDKey: "key-" + algorithm.String(), jwk.AlgorithmKey: algorithm} {
		if err := key.Set(name, value); err != nil {
			return err
		}
	}
	public, err := key.PublicKey()
	if err != nil {
		return err
	}
	s.keys[algorithm] = key
	return s.set.AddKey(public)
}

// claims are those of an access token as providers make them, some 500 bytes.
func claims(number int, lifetime time.Duration, more map[string]any) []byte {
	now := time.Now()
	all := map[string]any{
		"iss": issuer, "aud": []string{audience, "account"}, "sub": fmt.Sprintf("5f0c6a2e-31d7-4c0e-9b1f-%012d", number),
		"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "jti": fmt.Sprintf("0d9b3c58-7a44-4a57-8d0e-%012d", number),
		"azp": "web", "client_id": "web", "scope": "openid profile orders:read orders:write",
		"realm_access": map[string]any{"roles": []string{"offline_access", "user"}},
		"email":        fmt.Sprintf("user-%d@example.com", number), "name": fmt.Sprintf("User Number %d", number),
	}
	maps.Copy(all, more)
	payload, err := json.Marshal(all)
	if err != nil {
		panic(err) // of our own making
	}
	return payload
}

// token signs one token.
func (s *signers) token(algorithm jwa.SignatureAlgorithm, number int) string {
	return s.sign(algorithm, claims(number, time.Hour, nil))
}

// ofTenant signs a token of a tenant.
func (s *signers) ofTenant(tenant string) string {
	issuer := strings.ReplaceAll(tenantIssuer, "{tenantid}", tenant)
	return s.sign(jwa.RS256, claims(1, time.Hour, map[string]any{"iss": issuer, "tid": tenant}))
}

func (s *signers) sign(algorithm jwa.SignatureAlgorithm, claims []byte) string {
	signed, err := jws.Sign(claims, jws.WithKey(algorithm, s.keys[algorithm]))
	if err != nil {
		panic(err) // of our own making
	}
	return string(signed)
}

// tokens signs many different ones, with all processors.
func (s *signers) tokens(algorithm jwa.SignatureAlgorithm, first, count int) []string {
	all := make([]string, count)
	var signing sync.WaitGroup
	parts := runtime.NumCPU()
	for part := range parts {
		signing.Go(func() {
			for i := part; i < count; i += parts {
				all[i] = s.token(algorithm, first+i)
			}
		})
	}
	signing.Wait()
	return all
}

// forged are requests with different tokens of 8 KB. Their signature does not fit the
// named key, and their claims cost most to read.
func (s *signers) forged(round, count int) [][]byte {
	encode := base64.RawURLEncoding.EncodeToString
	header := encode([]byte(`{"alg":"ES256","kid":"key-ES256"}`))
	all := make([][]byte, count)
	for i := range all {
		number := fmt.Sprintf("%016d", round*count+i)
		claims := `{"iss":"` + issuer + `","jti":"` + number + `","x":[` + strings.Repeat(`{"":0},`, 800) + `0]}`
		signature := sha512.Sum512([]byte(number))
		all[i] = bearer(header + "." + encode([]byte(claims)) + "." + encode(signature[:]))
	}
	return all
}

// pem is the public key of an algorithm.
func (s *signers) pem(algorithm jwa.SignatureAlgorithm) ([]byte, error) {
	public, err := s.keys[algorithm].PublicKey()
	if err != nil {
		return nil, err
	}
	return jwk.Pem(public)
}
