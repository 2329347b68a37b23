package attacks

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// keyGate has a set of keys with a sound one, rs, and one that is none.
const keyGate = "/keys"

// withKey starts a gate with one more key in its set.
func withKey(t *testing.T, key string) *target {
	t.Helper()
	s := &target{keys: issuerKeys()}
	sound := strings.Replace(jwk(s, "RSA"), "{", `{"kid":"rs",`, 1)
	set := write(t, t.TempDir(), "keys.json", []byte(`{"keys":[`+sound+","+key+`]}`))
	s.guard(t, map[string]gate{keyGate: {scheme: "jwks " + set}})
	s.accepts(t, keyGate, forge(`{"alg":"RS256","kid":"rs"}`, claims(), s.rs256))
	return s
}

// smallOrder are the points of Edwards25519 whose order divides eight, in every
// encoding that a decoder may accept. These have y below and above the prime, and both
// signs of x.
var smallOrder = map[string]string{
	"order 1":                            "0100000000000000000000000000000000000000000000000000000000000000",
	"order 1, with a sign":               "0100000000000000000000000000000000000000000000000000000000000080",
	"order 1, above the prime":           "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 2":                            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 2, with a sign":               "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"order 4":                            "0000000000000000000000000000000000000000000000000000000000000000",
	"order 4, with a sign":               "0000000000000000000000000000000000000000000000000000000000000080",
	"order 4, above the prime":           "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"order 8":                            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"order 8, with a sign":               "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"order 8, the other one":             "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"order 8, the other one with a sign": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
}

// TestSmallOrder has keys under which any client can sign. Their point has few
// multiples, so the signature hardly depends on the text.
func TestSmallOrder(t *testing.T) {
	for name, encoded := range smallOrder {
		t.Run("JWT-14: an Ed25519 key of "+name, func(t *testing.T) {
			public := ed25519.PublicKey(must(hex.DecodeString(encoded)))
			s := withKey(t, `{"kid":"weak","kty":"OKP","crv":"Ed25519","x":"`+b64(public)+`"}`)
			s.refuses(t, keyGate, forgeUnder(t, public))
		})
	}
}

// forgeUnder finds claims for which a signature of the neutral point and zero is
// good. The standard library says that it is.
func forgeUnder(t *testing.T, public ed25519.PublicKey) string {
	t.Helper()
	signature := append([]byte{1}, make([]byte, 63)...)
	for i := range 1000 {
		token := forge(`{"alg":"EdDSA","kid":"weak"}`, claims(fmt.Sprintf(`"jti":"%d"`, i)), func(string) []byte { return signature })
		if ed25519.Verify(public, []byte(token[:strings.LastIndexByte(token, '.')]), signature) {
			return token
		}
	}
	t.Fatal("nothing was forged, so this proves nothing")
	return ""
}

// TestWeakKeys has keys in the set of an issuer that must not verify anything,
// and tokens that are good by them.
func TestWeakKeys(t *testing.T) {
	own := strangerKeys()
	public := func(members string) string {
		return strings.Replace(jwk(&target{keys: own}, "RSA"), "{", `{"kid":"weak",`+members, 1)
	}
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	byShort := func(signed string) []byte {
		sum := sha256.Sum256([]byte(signed))
		return must(rsa.SignPKCS1v15(nil, short, crypto.SHA256, sum[:]))
	}
	const rs256 = `{"alg":"RS256","kid":"weak"}`
	for name, test := range map[string]struct {
		key, header string
		sign        signer
	}{
		"JWT-4: RSA of 1024 bits": {`{"kid":"weak","kty":"RSA","e":"AQAB","n":"` + b64(short.N.Bytes()) + `"}`, rs256, byShort},
		"JWT-14: RSA with the exponent 1": {
			`{"kid":"weak","kty":"RSA","e":"AQ","n":"` + b64(own.rsa.N.Bytes()) + `"}`, rs256,
			func(signed string) []byte { return paddedHash(signed, own.rsa.Size()) }, // to the power of 1 it is itself
		},
		"JWT-14: a key for encryption":             {public(`"use":"enc",`), rs256, own.rs256},
		"JWT-14: a key for wrapping":               {public(`"key_ops":["wrapKey"],`), rs256, own.rs256},
		"JWT-14: a key for signing alone":          {public(`"key_ops":["sign"],`), rs256, own.rs256},
		"JWT-14: a key for RSA-OAEP":               {public(`"alg":"RSA-OAEP",`), rs256, own.rs256},
		"JWT-14: a key for no algorithm":           {public(`"alg":"none",`), rs256, own.rs256},
		"JWT-14: a key whose private part is told": {public(`"d":"` + b64(own.rsa.D.Bytes()) + `",`), rs256, own.rs256},
		"JWT-14: a key with one factor told":       {public(`"p":"` + b64(own.rsa.Primes[0].Bytes()) + `",`), rs256, own.rs256},
		"JWT-3: a secret among public keys":        {`{"kid":"weak","kty":"oct","k":"` + b64(secret) + `"}`, `{"alg":"HS256","kid":"weak"}`, hs(secret)},
		"JWT-3: a secret that says its algorithm":  {`{"kid":"weak","kty":"oct","alg":"HS256","k":"` + b64(secret) + `"}`, `{"alg":"HS256","kid":"weak"}`, hs(secret)},
		"JWT-3: an empty secret":                   {`{"kid":"weak","kty":"oct","k":""}`, `{"alg":"HS256","kid":"weak"}`, hs(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			withKey(t, test.key).refuses(t, keyGate, forge(test.header, claims(), test.sign))
		})
	}
	t.Run("the same key without a weakness", func(t *testing.T) {
		withKey(t, public("")).accepts(t, keyGate, forge(rs256, claims(), own.rs256))
	})
}

// paddedHash is what a good RS256 signature is to the power of the exponent
// (RFC 8017 §9.2).
func paddedHash(signed string, size int) []byte {
	sum := sha256.Sum256([]byte(signed))
	info := append(must(hex.DecodeString("003031300d060960864801650304020105000420")), sum[:]...)
	return append(append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, size-2-len(info))...), info...)
}

// TestCubeRoot forges as Bleichenbacher described in 2006: with the exponent 3
// the root of a padding with rubbish behind the hash needs no private key.
func TestCubeRoot(t *testing.T) {
	key := exponentThree(t)
	s := withKey(t, `{"kid":"three","kty":"RSA","e":"Aw","n":"`+b64(key.N.Bytes())+`"}`)
	const header = `{"alg":"RS256","kid":"three"}`
	s.accepts(t, keyGate, forge(header, claims(), func(signed string) []byte {
		return new(big.Int).Exp(new(big.Int).SetBytes(paddedHash(signed, key.Size())), key.D, key.N).FillBytes(make([]byte, key.Size()))
	}))
	for name, fill := range map[string]int{"with eight bytes of filling": 8, "with one byte of filling": 1, "with no filling": 0} {
		t.Run("JWT-4: a cube root "+name, func(t *testing.T) {
			s.refuses(t, keyGate, forge(header, claims(), func(signed string) []byte {
				short := paddedHash(signed, 2+fill+20+sha256.Size)
				block := new(big.Int).SetBytes(append(short, bytes.Repeat([]byte{0xff}, key.Size()-len(short))...))
				root := cubeRoot(block)
				if cube := new(big.Int).Exp(root, big.NewInt(3), nil).FillBytes(make([]byte, key.Size())); !bytes.HasPrefix(cube, short) {
					t.Fatal("the root is none, so this proves nothing")
				}
				return root.FillBytes(make([]byte, key.Size()))
			}))
		})
	}
}

// cubeRoot is the greatest number whose cube is not above n.
func cubeRoot(n *big.Int) *big.Int {
	root := new(big.Int)
	for bit := n.BitLen()/3 + 1; bit >= 0; bit-- {
		root.SetBit(root, bit, 1)
		if new(big.Int).Exp(root, big.NewInt(3), nil).Cmp(n) > 0 {
			root.SetBit(root, bit, 0)
		}
	}
	return root
}

// exponentThree is an RSA key that the standard library does not make.
func exponentThree(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	one, three := big.NewInt(1), big.NewInt(3)
	prime := func() (p, less *big.Int) { // less one, it has an inverse of three
		for {
			p = must(rand.Prime(rand.Reader, 1024))
			if less = new(big.Int).Sub(p, one); new(big.Int).Mod(less, three).Sign() != 0 {
				return p, less
			}
		}
	}
	p, pLess := prime()
	q, qLess := prime()
	d := new(big.Int).ModInverse(three, new(big.Int).Mul(pLess, qLess))
	return &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 3}, D: d, Primes: []*big.Int{p, q}}
}

// TestNarrowed has gates that take less than their key could verify.
func TestNarrowed(t *testing.T) {
	s, folder := &target{keys: issuerKeys()}, t.TempDir()
	long := strings.Repeat("long secret!", 6) // enough for HS512
	s.guard(t, map[string]gate{
		rsGate: {scheme: "algorithms RS256\nkey_file " + s.pem(t, folder, "rs", &s.rsa.PublicKey)},
		hsGate: {scheme: "algorithms HS512\nhmac_secret \"" + long + `"`},
	})
	s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claims(), s.rs256))
	s.accepts(t, hsGate, forge(`{"alg":"HS512"}`, claims(), hs512([]byte(long))))
	byHash := func(hash crypto.Hash) signer {
		return func(signed string) []byte {
			sum := hash.New()
			_, _ = sum.Write([]byte(signed)) // a hash takes every write
			return must(rsa.SignPKCS1v15(nil, s.rsa, hash, sum.Sum(nil)))
		}
	}
	for name, token := range map[string]string{
		"RS384":            forge(`{"alg":"RS384"}`, claims(), byHash(crypto.SHA384)),
		"RS512":            forge(`{"alg":"RS512"}`, claims(), byHash(crypto.SHA512)),
		"PS256":            forge(`{"alg":"PS256"}`, claims(), s.ps256),
		"RS512 for RS256":  forge(`{"alg":"RS256"}`, claims(), byHash(crypto.SHA512)),
		"SHA-1 for RS256":  forge(`{"alg":"RS256"}`, claims(), byHash(crypto.SHA1)),
		"HS256 with RSA's": forge(`{"alg":"HS256"}`, claims(), hs([]byte(long))),
	} {
		t.Run("JWT-2: RS256 alone, and "+name, func(t *testing.T) { s.refuses(t, rsGate, token) })
	}
	for name, token := range map[string]string{
		"HS256":              forge(`{"alg":"HS256"}`, claims(), hs([]byte(long))),
		"HS384":              forge(`{"alg":"HS384"}`, claims(), hs([]byte(long))),
		"HS256 for HS512":    forge(`{"alg":"HS512"}`, claims(), hs([]byte(long))),
		"HS512 cut to HS256": forge(`{"alg":"HS256"}`, claims(), func(signed string) []byte { return hs512([]byte(long))(signed)[:sha256.Size] }),
		"HS512 cut to half":  forge(`{"alg":"HS512"}`, claims(), func(signed string) []byte { return hs512([]byte(long))(signed)[:sha512.Size/2] }),
	} {
		t.Run("JWT-2: HS512 alone, and "+name, func(t *testing.T) { s.refuses(t, hsGate, token) })
	}
}
