package keyset

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestParseJWK(t *testing.T) {
	rsaJWK := jwkOf(t, "r", &rsaKey(t, 2048).PublicKey)
	ecJWK := jwkOf(t, "e", &ecKey(t, elliptic.P256()).PublicKey)
	edJWK := jwkOf(t, "d", edKey(t))
	tests := []struct {
		name string
		key  entry
		want []string
	}{
		{"JWT-3: RSA allows both paddings", rsaJWK, rsaAlgorithms},
		{"JWT-3: alg narrows RSA to one", rsaJWK.with("alg", "PS384"), []string{"PS384"}},
		{"JWT-3: P-256 is for ES256", ecJWK, []string{"ES256"}},
		{"JWT-3: P-384 is for ES384", jwkOf(t, "", &ecKey(t, elliptic.P384()).PublicKey), []string{"ES384"}},
		{"JWT-3: P-521 is for ES512", jwkOf(t, "", &ecKey(t, elliptic.P521()).PublicKey), []string{"ES512"}},
		{"JWT-2: Ed25519 has two names", edJWK, []string{"EdDSA", "Ed25519"}},
		{"JWT-2: alg EdDSA means both", edJWK.with("alg", "EdDSA"), []string{"EdDSA", "Ed25519"}},
		{"JWT-2: alg Ed25519 means both", edJWK.with("alg", "Ed25519"), []string{"EdDSA", "Ed25519"}},
		{"use sig", ecJWK.with("use", "sig"), []string{"ES256"}},
		{"key_ops verify among unknown ones", ecJWK.with("key_ops", []string{"x-audit", "verify"}), []string{"ES256"}},
		{"null counts as absent", ecJWK.with("d", nil).with("use", nil).with("key_ops", nil), []string{"ES256"}},
		{"JWT-6: x5u and a broken x5c are not looked at", ecJWK.with("x5u", 7).with("x5c", "?"), []string{"ES256"}},
		{"an RSA exponent of three", rsaJWK.with("e", "Aw"), rsaAlgorithms},
		{"an RSA exponent with leading zeros", rsaJWK.with("e", "AAAAAAEAAQ"), rsaAlgorithms},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, document := range [][]byte{jwksOf(t, test.key), toJSON(t, test.key)} {
				set, err := Parse(document)
				if err != nil {
					t.Fatal(err)
				}
				if set.Len() != 1 || !slices.Equal(set.keys[0].Algorithms, test.want) {
					t.Errorf("got %v, want one key for %v", set.keys, test.want)
				}
			}
		})
	}
}

func TestParseSkipsJWK(t *testing.T) {
	rsaJWK := jwkOf(t, "r", &rsaKey(t, 2048).PublicKey)
	ecJWK := jwkOf(t, "e", &ecKey(t, elliptic.P256()).PublicKey)
	edJWK := jwkOf(t, "d", edKey(t))
	good := jwkOf(t, "good", edKey(t))
	tests := []struct {
		name   string
		key    any
		reason string
	}{
		{"JWT-4: RSA below 2048 bits", jwkOf(t, "r", &rsaKey(t, 1024).PublicKey), "too short"},
		{"JWT-4: a point off its curve", ecJWK.with("y", ecJWK["x"]), "not valid on its curve"},
		{"JWT-4: the point of another curve", ecJWK.with("crv", "P-384"), "not valid on its curve"},
		{"JWT-4: the point at infinity", ecJWK.with("x", "AA").with("y", "AA"), "not valid on its curve"},
		{"JWT-4: an Ed25519 key of 31 bytes", edJWK.with("x", base64URL(make([]byte, 31))), "32 bytes"},
		{"JWT-14: an Ed25519 key of small order", edJWK.with("x", base64URL(make([]byte, 32))), "small order"},
		{"JWT-14: an Ed25519 key above the prime", edJWK.with("x", base64URL(slices.Concat([]byte{0xed}, slices.Repeat([]byte{0xff}, 30), []byte{0x7f}))), "invalid point"},
		{"JWT-14: an invalid point of Ed25519", edJWK.with("x", base64URL(slices.Concat([]byte{2}, make([]byte, 31)))), "invalid point"},
		{"an RSA key too long to verify with", rsaJWK.with("n", base64URL(slices.Repeat([]byte{0xff}, 4096))), "too long"},
		{"an RSA modulus that is even", rsaJWK.with("n", base64URL(slices.Concat(slices.Repeat([]byte{0xff}, 255), []byte{0xfe}))), "odd"},
		{"an RSA exponent of one", rsaJWK.with("e", "AQ"), "odd"},
		{"an RSA exponent that is even", rsaJWK.with("e", "BA"), "odd"},
		{"an RSA exponent that would be cut off", rsaJWK.with("e", base64URL([]byte{1, 0, 0, 0, 0, 0, 1, 0, 1})), "too large"},
		{"JWT-3: alg for another type", rsaJWK.with("alg", "ES256"), "does not fit"},
		{"JWT-3: alg for another curve", ecJWK.with("alg", "ES384"), "does not fit"},
		{"JWT-3: a public key for HMAC", rsaJWK.with("alg", "HS256"), "does not fit"},
		{"JWT-2: alg none", rsaJWK.with("alg", "none"), "does not fit"},
		{"JWT-3: alg for encryption", rsaJWK.with("alg", "RSA-OAEP"), "does not fit"},
		{"JWT-14: use enc", rsaJWK.with("use", "enc"), "use"},
		{"JWT-14: key_ops without verify", rsaJWK.with("key_ops", []string{"encrypt"}), "key_ops"},
		{"JWT-14: key_ops empty", rsaJWK.with("key_ops", []string{}), "key_ops"},
		{"JWT-14: key_ops no list", rsaJWK.with("key_ops", "verify"), "key_ops"},
		{"JWT-14: private EC member", ecJWK.with("d", "c2VjcmV0"), "private member d"},
		{"JWT-14: private RSA member", rsaJWK.with("dp", "c2VjcmV0"), "private member dp"},
		{"JWT-14: symmetric key", entry{"kty": "oct", "k": "c2VjcmV0"}, "symmetric"},
		{"unknown kty", entry{"kty": "AKP", "kid": "p", "pub": "AA"}, "AKP"},
		{"curve without signatures", edJWK.with("crv", "X25519"), "not supported"},
		{"curve that is not of JOSE's", ecJWK.with("crv", "secp256k1"), "secp256k1"},
		{"kid that is a number", edJWK.with("kid", 7), "kid is not a string"},
		{"alg that is a list", edJWK.with("alg", []string{"EdDSA"}), "alg is not a string"},
		{"not an object", "key", "not a JSON object"},
		{"null", nil, "invalid key type"},
		{"members missing", entry{"kty": "RSA"}, "missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			alone := toJSON(t, map[string]any{"keys": []any{test.key}})
			_, err := Parse(alone)
			if err == nil || !strings.Contains(err.Error(), test.reason) {
				t.Errorf("alone: got error %v, want %q", err, test.reason)
			}
			if err != nil && strings.Contains(err.Error(), "c2VjcmV0") {
				t.Errorf("the reason shows key material: %v", err)
			}
			set, err := Parse(toJSON(t, map[string]any{"keys": []any{test.key, good}}))
			if err != nil {
				t.Fatalf("beside a good key: %v", err)
			}
			if set.Len() != 1 || !set.Has("good") || len(set.Skipped()) != 1 {
				t.Errorf("beside a good key: got %v, skipped %q", set.keys, set.Skipped())
			}
		})
	}
}

func TestParseRefusesJWKDocument(t *testing.T) {
	many := slices.Repeat([]entry{jwkOf(t, "", edKey(t))}, maxKeys+1)
	if set, err := Parse(jwksOf(t, many[:maxKeys]...)); err != nil || set.Len() != maxKeys {
		t.Errorf("%d keys: %v", maxKeys, err)
	}
	for name, document := range map[string]string{
		"no keys":           `{"keys":[]}`,
		"keys null":         `{"keys":null}`,
		"keys no list":      `{"keys":{}}`,
		"exact names":       `{"Keys":[{"kty":"OKP"}]}`,
		"something else":    `{"error":"not found"}`,
		"cut off":           `{"keys":[`,
		"trailing data":     string(publish(t, "a")) + "{}",
		"more than maxKeys": string(jwksOf(t, many...)),
	} {
		t.Run(name, func(t *testing.T) {
			if set, err := Parse([]byte(document)); err == nil {
				t.Errorf("got %d keys", set.Len())
			}
		})
	}
}

func TestParseBoundsItsReasons(t *testing.T) {
	bad := make([]entry, 1000)
	for i := range bad {
		bad[i] = entry{"kty": strings.Repeat("é", 200), "kid": strings.Repeat("é", 200)}
	}
	_, err := Parse(jwksOf(t, bad...))
	if err == nil || len(err.Error()) > 4096 || !strings.Contains(err.Error(), "and 992 more") {
		t.Errorf("got %v", err)
	}
}

func TestParseKeepsDuplicateIDs(t *testing.T) {
	first, second := jwkOf(t, "same", edKey(t)), jwkOf(t, "same", edKey(t))
	other := jwkOf(t, "same", &ecKey(t, elliptic.P256()).PublicKey)
	set, err := Parse(jwksOf(t, first, second, other))
	if err != nil {
		t.Fatal(err)
	}
	if found := set.Find("same", "EdDSA"); len(found) != 2 {
		t.Errorf("EdDSA: got %v", found)
	}
	found := set.Find("same", "ES256")
	if len(found) != 1 {
		t.Fatalf("ES256: got %v", found)
	}
	if _, ok := found[0].Public.(*ecdsa.PublicKey); !ok {
		t.Errorf("ES256: got a %T", found[0].Public)
	}
}

func FuzzParse(f *testing.F) {
	rsaJWK := jwkOf(f, "r", &rsaKey(f, 2048).PublicKey)
	f.Add(jwksOf(f, rsaJWK, jwkOf(f, "", &ecKey(f, elliptic.P256()).PublicKey), jwkOf(f, "d", edKey(f))))
	f.Add(toJSON(f, rsaJWK.with("alg", "PS256").with("use", "sig").with("key_ops", []string{"verify"})))
	f.Add(pemOf(f, &rsaKey(f, 2048).PublicKey))
	f.Add(append(pemOf(f, edKey(f)), pemOf(f, &ecKey(f, elliptic.P521()).PublicKey)...))
	f.Add([]byte(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},null,7,{"kty":"OKP","crv":"Ed25519","x":""}]}`))
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := Parse(data)
		if err != nil {
			return
		}
		if set.Len() == 0 {
			t.Fatal("a set without keys is an error")
		}
		for _, key := range set.keys {
			if len(key.Algorithms) == 0 {
				t.Fatalf("%v verifies nothing", key)
			}
			for _, alg := range key.Algorithms {
				if strings.HasPrefix(alg, "HS") || len(set.Find(key.ID, alg)) == 0 {
					t.Fatalf("%v: wrong answer for %s", key, alg)
				}
			}
			if algorithms, err := algorithmsOf(key.Public); err != nil || len(algorithms) == 0 {
				t.Fatal(fmt.Errorf("%v is not sound: %w", key, err))
			}
		}
	})
}
