package attacks

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// resign puts a signature in the place of a token's own.
func resign(token string, signature []byte) string {
	return token[:strings.LastIndexByte(token, '.')+1] + b64(signature)
}

func signatureOf(token string) []byte {
	return must(base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:]))
}

// schemeGroup is a way to sign, with the gate that takes it.
type keyKind struct {
	path, header string
	sign         signer
}

func keyKinds(s *target) map[string]keyKind {
	return map[string]keyKind{
		"RS256": {rsGate, `{"alg":"RS256"}`, s.rs256},
		"PS256": {rsGate, `{"alg":"PS256"}`, s.ps256},
		"ES256": {esGate, `{"alg":"ES256"}`, s.es256},
		"EdDSA": {edGate, `{"alg":"EdDSA"}`, s.eddsa},
		"HS256": {hsGate, `{"alg":"HS256"}`, hs(secret)},
	}
}

// TestSignature cuts, fills and turns signatures.
func TestSignature(t *testing.T) {
	s := newTarget(t)
	for name, kind := range keyKinds(s) {
		token := forge(kind.header, claims(), kind.sign)
		s.accepts(t, kind.path, token)
		good := signatureOf(token)
		for change, signature := range map[string][]byte{
			"cut at its end":             good[:len(good)-1],
			"cut at its beginning":       good[1:],
			"cut to half":                good[:len(good)/2],
			"cut to a byte":              good[:1],
			"with a zero behind":         append(bytes.Clone(good), 0),
			"with a zero before":         append([]byte{0}, good...),
			"twice":                      append(bytes.Clone(good), good...),
			"of zeros":                   make([]byte, len(good)),
			"of ones":                    bytes.Repeat([]byte{0xff}, len(good)),
			"of zeros and a one":         append(make([]byte, len(good)-1), 1),
			"backwards":                  reverse(good),
			"of other claims":            signatureOf(forge(kind.header, claims(`"a":1`), kind.sign)),
			"of the claims alone":        kind.sign(strings.Split(token, ".")[1]),
			"of the header alone":        kind.sign(strings.Split(token, ".")[0]),
			"of what stands decoded":     kind.sign(kind.header + "." + claims()),
			"in hexadecimal":             []byte(hex.EncodeToString(good)),
			"with its first bit less":    flipBit(good, 0),
			"with its last bit more":     flipBit(good, len(good)*8-1),
			"with a bit in its middle":   flipBit(good, len(good)*4),
			"with a bit of its 2nd half": flipBit(good, len(good)*6+3),
		} {
			if bytes.Equal(signature, good) {
				continue
			}
			t.Run("JWT-4: "+name+", "+change, func(t *testing.T) { s.refuses(t, kind.path, resign(token, signature)) })
		}
	}
}

func reverse(data []byte) []byte {
	turned := bytes.Clone(data)
	slices.Reverse(turned)
	return turned
}

func flipBit(data []byte, bit int) []byte {
	changed := bytes.Clone(data)
	changed[bit/8] ^= 0x80 >> (bit % 8)
	return changed
}

// TestECDSA has numbers that a careless check takes: zero, the order of the
// curve, and the other form, DER.
func TestECDSA(t *testing.T) {
	s := newTarget(t)
	token := forge(`{"alg":"ES256"}`, claims(), s.es256)
	s.accepts(t, esGate, token)
	signature := signatureOf(token)
	r, v := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	n, p, one, zero := elliptic.P256().Params().N, elliptic.P256().Params().P, big.NewInt(1), new(big.Int)
	less := new(big.Int).Sub(n, one)
	for name, pair := range map[string][2]*big.Int{
		"r and s zero": {zero, zero}, "r zero": {zero, v}, "s zero": {r, zero}, "r and s one": {one, one},
		"r the order": {n, v}, "s the order": {r, n}, "both the order": {n, n}, "r the order, s one": {n, one},
		"both below the order": {less, less}, "r the prime": {p, v}, "exchanged": {v, r}, "r one": {one, v}, "s one": {r, one},
	} {
		t.Run("JWT-4: ECDSA with "+name, func(t *testing.T) { s.refuses(t, esGate, resign(token, concat(pair[0], pair[1]))) })
	}
	der := must(asn1.Marshal(struct{ R, S *big.Int }{r, v}))
	t.Run("JWT-4: ECDSA in DER", func(t *testing.T) { s.refuses(t, esGate, resign(token, der)) })
	t.Run("JWT-4: ECDSA in DER, filled to 64 bytes", func(t *testing.T) {
		s.refuses(t, esGate, resign(token, append(bytes.Clone(der), make([]byte, 72)...)[:64]))
		s.refuses(t, esGate, resign(token, der[:64]))
	})
	t.Run("JWT-4: ECDSA with numbers of 48 bytes", func(t *testing.T) {
		wide := make([]byte, 96)
		r.FillBytes(wide[:48])
		v.FillBytes(wide[48:])
		s.refuses(t, esGate, resign(token, wide))
	})
}

// TestEdDSA has the second form that S can be written in (RFC 8032 §5.1.7).
func TestEdDSA(t *testing.T) {
	s := newTarget(t)
	token := forge(`{"alg":"EdDSA"}`, claims(), s.eddsa)
	s.accepts(t, edGate, token)
	s.accepts(t, edGate, forge(`{"alg":"Ed25519"}`, claims(), s.eddsa))
	signature := signatureOf(token)
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	t.Run("JWT-4: S with the order of the group added", func(t *testing.T) {
		scalar := new(big.Int).SetBytes(reverse(signature[32:]))
		for range 3 {
			scalar.Add(scalar, order)
			wide := make([]byte, 32)
			scalar.FillBytes(wide)
			s.refuses(t, edGate, resign(token, append(bytes.Clone(signature[:32]), reverse(wide)...)))
		}
	})
	for name, point := range map[string][]byte{
		"the neutral point": append([]byte{1}, make([]byte, 31)...), "a point of order two": append(append([]byte{0xec}, bytes.Repeat([]byte{0xff}, 30)...), 0x7f),
		"no point": bytes.Repeat([]byte{0xff}, 32), "a point of order four": make([]byte, 32),
	} {
		t.Run("JWT-4: R is "+name, func(t *testing.T) {
			s.refuses(t, edGate, resign(token, append(bytes.Clone(point), signature[32:]...)))
			s.refuses(t, edGate, resign(token, append(bytes.Clone(point), make([]byte, 32)...)))
		})
	}
}

// TestRSA forges paddings.
func TestRSA(t *testing.T) {
	s := newTarget(t)
	token := forge(`{"alg":"RS256"}`, claims(), s.rs256)
	signed := token[:strings.LastIndexByte(token, '.')]
	sum := sha256.Sum256([]byte(signed))
	// The plaintext of a valid signature with SHA-256: 00 01 FF… 00, the name of the hash,
	// the hash (RFC 8017 §9.2).
	info := append([]byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}, sum[:]...)
	padded := func(kind byte, filling []byte, behind []byte) []byte {
		block := append([]byte{0, kind}, filling...)
		block = append(append(append(block, 0), info...), behind...)
		return block
	}
	withoutNull := slices.Delete(bytes.Clone(info), 15, 17)
	withoutNull[1], withoutNull[3] = 0x2f, 0x0b
	full := s.rsa.Size() - len(info) - 3
	s.accepts(t, rsGate, resign(token, raw(s, padded(1, bytes.Repeat([]byte{0xff}, full), nil))))
	random := make([]byte, full)
	_, _ = rand.Read(random) // never fails
	for name, block := range map[string][]byte{
		"rubbish behind the hash":           padded(1, bytes.Repeat([]byte{0xff}, 8), make([]byte, full-8)),
		"rubbish of ones behind":            padded(1, bytes.Repeat([]byte{0xff}, 8), bytes.Repeat([]byte{0xff}, full-8)),
		"no filling":                        padded(1, nil, make([]byte, full)),
		"a filling of zeros":                padded(1, make([]byte, full), nil),
		"a filling with one other byte":     padded(1, append(bytes.Repeat([]byte{0xff}, full-1), 0xfe), nil),
		"type 2, as for encryption":         padded(2, random, nil),
		"type 0":                            padded(0, make([]byte, full), nil),
		"the hash without its name":         append(append([]byte{0, 1}, append(bytes.Repeat([]byte{0xff}, s.rsa.Size()-35), 0)...), sum[:]...),
		"the name of the hash without NULL": append(append([]byte{0, 1}, append(bytes.Repeat([]byte{0xff}, full+2), 0)...), withoutNull...),
		"nothing but the hash":              append(make([]byte, s.rsa.Size()-32), sum[:]...),
	} {
		t.Run("JWT-4: RSA with "+name, func(t *testing.T) { s.refuses(t, rsGate, resign(token, raw(s, block))) })
	}
	good := new(big.Int).SetBytes(signatureOf(token))
	t.Run("JWT-4: RSA with the modulus added", func(t *testing.T) {
		s.refuses(t, rsGate, resign(token, new(big.Int).Add(good, s.rsa.N).Bytes()))
	})
	for name, value := range map[string]*big.Int{"0": new(big.Int), "1": big.NewInt(1), "the modulus": s.rsa.N, "the modulus less one": new(big.Int).Sub(s.rsa.N, big.NewInt(1))} {
		t.Run("JWT-4: RSA with the signature "+name, func(t *testing.T) {
			s.refuses(t, rsGate, resign(token, value.FillBytes(make([]byte, s.rsa.Size()))))
		})
	}
	t.Run("JWT-4: RSA without the zero that it begins with, and with one more", func(t *testing.T) {
		token := beginningWithZero(s)
		s.accepts(t, rsGate, token)
		s.refuses(t, rsGate, resign(token, signatureOf(token)[1:]))
		s.refuses(t, rsGate, resign(token, append([]byte{0}, signatureOf(token)...)))
	})
	for name, length := range map[string]int{"a salt of 1": 1, "a salt of 20": 20, "the longest salt": s.rsa.Size() - 34} {
		t.Run("JWT-4: PSS with "+name, func(t *testing.T) {
			token := forge(`{"alg":"PS256"}`, claims(), func(signed string) []byte {
				sum := sha256.Sum256([]byte(signed))
				return must(rsa.SignPSS(rand.Reader, s.rsa, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: length}))
			})
			s.refuses(t, rsGate, token)
		})
	}
}

// beginningWithZero finds a token whose signature begins with a zero, as one of
// 256 does (RFC 8017 §8.2.2 wants it written all the same).
func beginningWithZero(s *target) string {
	for i := 0; ; i++ {
		token := forge(`{"alg":"RS256"}`, claims(`"jti":"`+strconv.Itoa(i)+`"`), s.rs256)
		if signatureOf(token)[0] == 0 {
			return token
		}
	}
}

// raw is the bare operation with the private key.
func raw(s *target, block []byte) []byte {
	m := new(big.Int).SetBytes(block)
	return m.Exp(m, s.rsa.D, s.rsa.N).FillBytes(make([]byte, s.rsa.Size()))
}

// TestEachLetter changes every letter of a token, one at a time. The gate refuses a
// text that differs in any character from the signed one.
func TestEachLetter(t *testing.T) {
	s := newTarget(t)
	for name, kind := range keyKinds(s) {
		token := forge(kind.header, claims(), kind.sign)
		s.accepts(t, kind.path, token)
		t.Run("JWT-1 JWT-4: every letter of a token of "+name, func(t *testing.T) {
			before := s.reached.Load()
			for i := range len(token) {
				for _, other := range []byte("Aw_.=") {
					if token[i] == other {
						continue
					}
					changed := token[:i] + string(other) + token[i+1:]
					if r := s.Get(kind.path, harness.Bearer(changed)); r.Status != 401 || len(r.Challenges()) != 1 {
						t.Fatalf("%q for %q at %d: status %d", other, token[i], i, r.Status)
					}
				}
			}
			if s.reached.Load() != before {
				t.Error("the upstream was reached")
			}
			s.accepts(t, kind.path, token)
		})
	}
}
