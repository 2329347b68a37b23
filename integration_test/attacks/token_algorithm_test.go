package attacks

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

func noSignature(string) []byte { return nil }

// TestNone tries unsigned tokens.
func TestNone(t *testing.T) {
	s := newTarget(t)
	honest := forge(`{"alg":"RS256"}`, claims(), s.rs256)
	s.accepts(t, rsGate, honest)
	for _, algorithm := range []string{"none", "None", "NONE", "nOnE", "noNe", "none ", " none", "", "null", "None\\u0000", "n\\u006fne", "ｎone"} {
		header := `{"alg":"` + algorithm + `"}`
		for form, token := range map[string]string{
			"without a signature":     forge(header, claims(), noSignature),
			"without the third part":  b64(header) + "." + b64(claims()),
			"with the good signature": forge(header, claims(), s.rs256),
			"with a signature of a":   forge(header, claims(), func(string) []byte { return []byte("a") }),
		} {
			t.Run("JWT-2: alg "+algorithm+" "+form, func(t *testing.T) {
				for _, path := range []string{rsGate, hsGate, allGate} {
					s.refuses(t, path, token)
				}
			})
		}
	}
	for name, header := range map[string]string{
		"no alg": `{}`, "alg null": `{"alg":null}`, "alg false": `{"alg":false}`, "alg 0": `{"alg":0}`,
		"alg in a list": `{"alg":["RS256"]}`, "alg in an object": `{"alg":{"RS256":1}}`, "alg and typ only": `{"typ":"JWT"}`,
	} {
		t.Run("JWT-2: "+name, func(t *testing.T) {
			s.refuses(t, rsGate, forge(header, claims(), s.rs256))
			s.refuses(t, rsGate, forge(header, claims(), noSignature))
		})
	}
}

// TestConfusion signs by HMAC with everything that a public key may be taken for.
func TestConfusion(t *testing.T) {
	s := newTarget(t)
	s.accepts(t, hsGate, forge(`{"alg":"HS256"}`, claims(), hs(secret)))
	for kind, public := range map[string]any{"RSA": &s.rsa.PublicKey, "EC": &s.ecdsa.PublicKey, "Ed25519": s.ed25519.Public()} {
		spki := must(x509.MarshalPKIXPublicKey(public))
		text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})
		encodings := map[string][]byte{
			"PEM": text, "PEM without its last line break": bytes.TrimSpace(text), "PEM with CRLF": bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")),
			"PEM in one line": bytes.ReplaceAll(text, []byte("\n"), nil), "PEM ended by NUL": append(bytes.Clone(text), 0),
			"DER": spki, "DER in base64": []byte(base64.StdEncoding.EncodeToString(spki)), "DER in base64url": []byte(b64(spki)),
			"certificate": certificate(t, s, public, false), "certificate in PEM": certificate(t, s, public, true), "nothing": {}, "a NUL": {0},
			"JWK": []byte(jwk(s, kind)), "JWK set": []byte(`{"keys":[` + jwk(s, kind) + `]}`), "kid": []byte("rs"),
		}
		if key, ok := public.(*rsa.PublicKey); ok {
			pkcs1 := x509.MarshalPKCS1PublicKey(key)
			encodings["PKCS #1"], encodings["modulus"] = pkcs1, key.N.Bytes()
			encodings["PKCS #1 in PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1})
			encodings["modulus in decimal"] = []byte(key.N.String())
		}
		for name, key := range encodings {
			t.Run("JWT-3: HMAC with the public key of "+kind+" as "+name, func(t *testing.T) {
				for _, path := range []string{rsGate, esGate, edGate, allGate} {
					s.refuses(t, path, forge(`{"alg":"HS256"}`, claims(), hs(key)))
					s.refuses(t, path, forge(`{"alg":"HS512","kid":"rs"}`, claims(), hs512(key)))
				}
			})
		}
	}
}

// jwk writes a public key as its owner would.
func jwk(s *target, kind string) string {
	switch kind {
	case "RSA":
		return `{"kty":"RSA","n":"` + b64(s.rsa.N.Bytes()) + `","e":"AQAB"}`
	case "EC":
		point := must(s.ecdsa.PublicKey.Bytes())
		return `{"kty":"EC","crv":"P-256","x":"` + b64(point[1:33]) + `","y":"` + b64(point[33:]) + `"}`
	default:
		return `{"kty":"OKP","crv":"Ed25519","x":"` + b64(s.ed25519[32:]) + `"}`
	}
}

func certificate(t *testing.T, s *target, public any, asText bool) []byte {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "idp"}, NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, public, s.rsa))
	if asText {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	return der
}

// TestPinned signs with a key of the issuer by an algorithm that is not the
// key's, and names algorithms that there are not.
func TestPinned(t *testing.T) {
	s := newTarget(t)
	for kid, sign := range map[string]signer{"rs": s.rs256, "ps": s.ps256, "es": s.es256, "ed": s.eddsa} {
		algorithm := map[string]string{"rs": "RS256", "ps": "PS256", "es": "ES256", "ed": "EdDSA"}[kid]
		s.accepts(t, allGate, forge(`{"alg":"`+algorithm+`","kid":"`+kid+`"}`, claims(), sign))
		for _, other := range []string{
			"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed448", "HS256", "HS384", "HS512",
			"RSA-OAEP", "dir", "A128KW", "rs256", "Es256", "eddsa", "RS1", "HS1", "MD5", "ES256 ", "SHA256withRSA",
			"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
		} {
			if other == algorithm {
				continue
			}
			t.Run("JWT-3: the key "+kid+" under the name "+other, func(t *testing.T) {
				s.refuses(t, allGate, forge(`{"alg":"`+other+`","kid":"`+kid+`"}`, claims(), sign))
			})
		}
		for other := range map[string]bool{"rs": true, "ps": true, "es": true, "ed": true} {
			if other == kid {
				continue
			}
			t.Run("JWT-3: "+algorithm+" with the key id "+other, func(t *testing.T) {
				s.refuses(t, allGate, forge(`{"alg":"`+algorithm+`","kid":"`+other+`"}`, claims(), sign))
			})
		}
	}
	t.Run("JWT-3: RSA by PSS where the set says PKCS #1", func(t *testing.T) {
		s.refuses(t, allGate, forge(`{"alg":"PS256","kid":"rs"}`, claims(), s.ps256))
	})
	larger := must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))
	byLarger := func(signed string) []byte {
		sum := sha512.Sum384([]byte(signed))
		r, v, err := ecdsa.Sign(rand.Reader, larger, sum[:])
		signature := make([]byte, 96)
		must(r, err).FillBytes(signature[:48])
		v.FillBytes(signature[48:])
		return signature
	}
	t.Run("JWT-3: ES384 by a key of its own, and the same as ES256", func(t *testing.T) {
		s.refuses(t, esGate, forge(`{"alg":"ES384"}`, claims(), byLarger))
		s.refuses(t, esGate, forge(`{"alg":"ES256"}`, claims(), byLarger))
	})
	t.Run("JWT-3: signed by a stranger's keys", func(t *testing.T) {
		stranger := strangerKeys()
		s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claims(), stranger.rs256))
		s.refuses(t, esGate, forge(`{"alg":"ES256"}`, claims(), stranger.es256))
		s.refuses(t, edGate, forge(`{"alg":"EdDSA"}`, claims(), stranger.eddsa))
		s.refuses(t, hsGate, forge(`{"alg":"HS256"}`, claims(), hs([]byte(harnessLike))))
	})
}

// harnessLike is nearly the secret.
const harnessLike = "a-secret-for-tests-of-32-bytes-or-more!?"
