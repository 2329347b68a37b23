package keyset

import (
	"bytes"
	"crypto/ecdh"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/idp"
)

func TestParsePEM(t *testing.T) {
	rsaPrivate, ecPrivate := rsaKey(t, 2048), ecKey(t, elliptic.P256())
	rsaPEM := pemOf(t, &rsaPrivate.PublicKey)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "issuer"},
		NotAfter:     time.Now().Add(-time.Hour), // expired, which is not for us to judge
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &ecPrivate.PublicKey, ecPrivate)
	if err != nil {
		t.Fatal(err)
	}
	exchange, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecDER, err := x509.MarshalECPrivateKey(ecPrivate)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		data []byte
		want []string // one algorithm of each key
		fail string
	}{
		{"PUBLIC KEY", rsaPEM, []string{"RS256"}, ""},
		{"RSA PUBLIC KEY", pemBlock("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaPrivate.PublicKey)), []string{"PS512"}, ""},
		{"CERTIFICATE", pemBlock("CERTIFICATE", certificate), []string{"ES256"}, ""},
		{"several, with text around", slices.Concat([]byte("first\n"), rsaPEM, []byte("second\n"), pemOf(t, edKey(t))), []string{"RS256", "EdDSA"}, ""},
		{"JWT-4: RSA below 2048 bits", pemOf(t, &rsaKey(t, 1024).PublicKey), nil, "too short"},
		{"a curve without an algorithm", pemOf(t, &ecKey(t, elliptic.P224()).PublicKey), nil, "curve"},
		{"a key for key exchange", pemOf(t, exchange.PublicKey()), nil, "not supported"},
		{"JWT-14: a private key", pemBlock("EC PRIVATE KEY", ecDER), nil, "configure the public key"},
		{"a private key after a public one", slices.Concat(rsaPEM, pemBlock("PRIVATE KEY", nil)), nil, "block 2: a private key"},
		{"another type", pemBlock("CERTIFICATE REQUEST", nil), nil, "invalid type"},
		{"not the type it says", pemBlock("CERTIFICATE", ecDER), nil, "block 1"},
		{"a block that is cut off", append(slices.Clone(rsaPEM), rsaPEM[:len(rsaPEM)/2]...), nil, "1 of 2"},
		{"too many blocks", bytes.Repeat(pemMarker, maxKeys+2), nil, "may have 2000 blocks"},
		{"empty", []byte(" \n"), nil, "empty"},
		{"neither", []byte("secret"), nil, "neither"},
		{"JWT-14: too large", make([]byte, idp.MaxDocument+1), nil, "1048576"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			set, err := Parse(test.data)
			if test.fail != "" {
				if err == nil || !strings.Contains(err.Error(), test.fail) {
					t.Errorf("got error %v, want %q", err, test.fail)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if set.Len() != len(test.want) {
				t.Fatalf("got %v", set.keys)
			}
			for i, alg := range test.want {
				if !set.keys[i].Allows(alg) || set.keys[i].ID != "" {
					t.Errorf("key %d is %v, want one for %s", i+1, set.keys[i], alg)
				}
			}
		})
	}
}

func TestFromSecret(t *testing.T) {
	for size, want := range map[int][]string{
		0: nil, 31: nil,
		32: {"HS256"}, 47: {"HS256"},
		48: {"HS256", "HS384"}, 63: {"HS256", "HS384"},
		64: {"HS256", "HS384", "HS512"},
	} {
		t.Run(fmt.Sprintf("JWT-4: %d bytes", size), func(t *testing.T) {
			secret := bytes.Repeat([]byte{'x'}, size)
			set, err := FromSecret(secret)
			if want == nil {
				if err == nil {
					t.Fatal("accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(set.Algorithms(), want) {
				t.Errorf("got %v, want %v", set.Algorithms(), want)
			}
			secret[0] = 'y'
			if stored := set.keys[0].Public.([]byte); stored[0] != 'x' {
				t.Error("the caller can change the secret")
			}
			for _, text := range []string{fmt.Sprintf("%v %+v %#v", set.keys, set.keys[0], set.keys[0]), string(toJSON(t, set.keys))} {
				if strings.Contains(text, "xxx") || strings.Contains(text, "120") || strings.Contains(text, "eHh4") {
					t.Errorf("the secret shows: %s", text)
				}
			}
		})
	}
	t.Run("JWT-3: a public key is never an HMAC secret", func(t *testing.T) {
		for _, document := range [][]byte{pemOf(t, edKey(t)), publish(t, "a"), pemBlock("PRIVATE KEY", make([]byte, 64))} {
			if _, err := FromSecret(document); err == nil {
				t.Errorf("accepted %s", document)
			}
		}
	})
}
