package attacks

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

const dpopGate = "/dpop"

// holder has a key, and a token that is good only with it.
type holder struct {
	*target
	key   *ecdsa.PrivateKey
	token string
}

func newHolder(t *testing.T) *holder {
	t.Helper()
	h := &holder{target: &target{keys: issuerKeys()}}
	h.guard(t, map[string]gate{dpopGate: {scheme: "dpop required\nkey_file " + h.pem(t, t.TempDir(), "rs", &h.rsa.PublicKey)}})
	h.key = must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	h.token = h.bound(t, "1")
	h.admits(t, h.proof(t, nil, nil))
	return h
}

// bound makes a token for the holder's key.
func (h *holder) bound(t *testing.T, id string) string {
	t.Helper()
	return forge(`{"alg":"RS256"}`, claims(`"jti":"`+id+`"`, `"cnf":{"jkt":"`+dpoptest.Thumbprint(t, h.key.Public())+`"}`), h.rs256)
}

// proof is one for GET of the gate, with claims and header parameters replaced.
func (h *holder) proof(t *testing.T, claims, header map[string]any) string {
	t.Helper()
	all := map[string]any{"htm": "GET", "htu": h.URL(dpopGate), "ath": dpoptest.Hash(h.token)}
	maps.Copy(all, claims)
	return dpoptest.Proof(t, h.key, all, header)
}

func (h *holder) send(method, path, token string, proofs ...string) *harness.Response {
	return h.Do(method, h.URL(path), harness.Header("Authorization", "DPoP "+token), func(r *http.Request) { r.Header["Dpop"] = proofs })
}

func (h *holder) admits(t *testing.T, proof string) {
	t.Helper()
	before := h.reached.Load()
	if r := h.send("GET", dpopGate, h.token, proof); r.Status != 200 || h.reached.Load() != before+1 {
		t.Fatalf("the honest twin gets %d %s\n%v", r.Status, r.Body, h.lastReason())
	}
}

// rejects wants the whole denial of a bad proof.
func (h *holder) rejects(t *testing.T, proofs ...string) {
	t.Helper()
	before := h.reached.Load()
	h.wantDenied(t, before, h.send("GET", dpopGate, h.token, proofs...), proofs...)
}

func (h *holder) wantDenied(t *testing.T, before int64, r *harness.Response, proofs ...string) {
	t.Helper()
	if r.Status != 401 || r.Problem().Code != "invalid_dpop_proof" {
		t.Fatalf("status %d %s", r.Status, r.Body)
	}
	if c := r.Challenges(); len(c) != 1 || !strings.HasPrefix(c[0], `DPoP realm="api", error="invalid_dpop_proof", algs="`) {
		t.Errorf("challenges %q", c)
	}
	if h.reached.Load() != before {
		t.Error("the upstream was reached")
	}
	h.keepsSilent(t, r, h.token)
	records := h.Decisions()
	output := r.Body + fmt.Sprint(r.Header, records[len(records)-1]) // Caddy's own records of a proxied request have its fields
	for part := range strings.SplitSeq(strings.Join(proofs, "."), ".") {
		if len(part) >= 24 && strings.Contains(output, part) {
			t.Errorf("the answer or the record repeats %.12s…", part)
		}
	}
}

// TestProofElsewhere uses sound proofs for what they were not made for.
func TestProofElsewhere(t *testing.T) {
	h := newHolder(t)
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run("R9449-5: with "+method, func(t *testing.T) {
			proof, before := h.proof(t, nil, nil), h.reached.Load()
			h.wantDenied(t, before, h.send(method, dpopGate, h.token, proof), proof)
			h.admits(t, proof) // it is not used up by who has stolen it
		})
	}
	t.Run("R9449-5: with a method that another field overrides", func(t *testing.T) {
		proof, before := h.proof(t, map[string]any{"htm": "DELETE"}, nil), h.reached.Load()
		r := h.Do("GET", h.URL(dpopGate), harness.Header("Authorization", "DPoP "+h.token), harness.Header("Dpop", proof), harness.Header("X-Http-Method-Override", "DELETE"))
		h.wantDenied(t, before, r, proof)
	})
	t.Run("R9449-6: with a host that another field names", func(t *testing.T) {
		proof, before := h.proof(t, map[string]any{"htu": "https://evil.example" + dpopGate}, nil), h.reached.Load()
		r := h.Do("GET", h.URL(dpopGate), harness.Header("Authorization", "DPoP "+h.token), harness.Header("Dpop", proof),
			harness.Header("X-Forwarded-Host", "evil.example"), harness.Header("X-Forwarded-Proto", "https"), harness.Header("Forwarded", "host=evil.example;proto=https"))
		h.wantDenied(t, before, r, proof)
	})
	t.Run("R9449-8: with another token of the same key", func(t *testing.T) {
		proof, before := h.proof(t, nil, nil), h.reached.Load()
		h.wantDenied(t, before, h.send("GET", dpopGate, h.bound(t, "2"), proof), proof)
	})
	t.Run("R9449-11: again, and again in other letters", func(t *testing.T) {
		proof := h.proof(t, nil, nil)
		h.admits(t, proof)
		h.rejects(t, proof)
		signature := signatureOf(proof)
		s := new(big.Int).SetBytes(signature[32:])
		h.rejects(t, resign(proof, concat(new(big.Int).SetBytes(signature[:32]), s.Sub(elliptic.P256().Params().N, s))))
	})
	t.Run("R9449-11: its jti in another proof", func(t *testing.T) {
		h.admits(t, h.proof(t, map[string]any{"jti": "chosen"}, nil))
		h.rejects(t, h.proof(t, map[string]any{"jti": "chosen"}, nil))
		h.rejects(t, h.proof(t, map[string]any{"jti": "chosen", "iat": time.Now().Unix() - 5, "htu": h.URL(dpopGate) + "?a=b"}, nil))
	})
	t.Run("R9449-10: the proof as the token, the token as the proof", func(t *testing.T) {
		h.rejects(t, h.token)
		proof, before := h.proof(t, nil, nil), h.reached.Load()
		if r := h.send("GET", dpopGate, proof, proof); r.Status != 401 || r.Problem().Code != "invalid_token" || h.reached.Load() != before {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
	for name, proofs := range map[string]func() []string{
		"none": func() []string { return nil }, "an empty one": func() []string { return []string{""} },
		"two":         func() []string { return []string{h.proof(t, nil, nil), h.proof(t, nil, nil)} },
		"one twice":   func() []string { p := h.proof(t, nil, nil); return []string{p, p} },
		"two joined":  func() []string { return []string{h.proof(t, nil, nil) + "," + h.proof(t, nil, nil)} },
		"one, quoted": func() []string { return []string{`"` + h.proof(t, nil, nil) + `"`} },
		"a good one behind a bad one": func() []string {
			return []string{h.proof(t, map[string]any{"htm": "PUT"}, nil), h.proof(t, nil, nil)}
		},
	} {
		t.Run("R9449-2: proofs: "+name, func(t *testing.T) { h.rejects(t, proofs()...) })
	}
}

// TestProofClaims has proofs that nearly fit.
func TestProofClaims(t *testing.T) {
	h := newHolder(t)
	url := h.URL(dpopGate)
	host := strings.TrimSuffix(strings.TrimPrefix(url, "http://"), dpopGate)
	for _, same := range []string{url + "?a=b", url + "#x", strings.Replace(url, "http", "HTTP", 1), strings.Replace(url, "localhost", "LOCALHOST", 1), strings.Replace(url, "dpop", "%64pop", 1)} {
		h.admits(t, h.proof(t, map[string]any{"htu": same}, nil))
	}
	now := time.Now().Unix()
	tests := map[string]map[string]any{
		"R9449-4: two letters of the token's hash exchanged": {"ath": reversedText(dpoptest.Hash(h.token))},
	}
	for name, target := range map[string]any{
		"a user": "http://a@" + host + dpopGate, "a user that is the host": "http://" + host + "@evil.example" + dpopGate, "https": "https://" + host + dpopGate,
		"another port": "http://localhost:1" + dpopGate, "no port": "http://localhost" + dpopGate, "an address for a name": strings.Replace(url, "localhost", "127.0.0.1", 1),
		"a dot behind the host": strings.Replace(url, "localhost", "localhost.", 1), "a domain behind": strings.Replace(url, "localhost", "localhost.evil.example", 1),
		"a slash behind": url + "/", "two slashes": "http://" + host + "/" + dpopGate, "more behind": url + "x", "in capitals": "http://" + host + "/DPOP",
		"a slash encoded": "http://" + host + "/%2Fdpop", "encoded twice": "http://" + host + "/%2564pop", "a semicolon": url + ";x", "a semicolon encoded": url + "%3B",
		"a backslash": "http://" + host + `\dpop`, "one slash": "http:/" + host + dpopGate, "no scheme": "//" + host + dpopGate, "a path": dpopGate,
		"a space behind": url + " ", "a line break behind": url + "\n", "NUL behind": url + "\x00", "a tab within": "http://local\thost" + dpopGate, "a query encoded": url + "%3Fa",
		"a dot segment that leaves": url + "/../x", "empty": "", "null": json.RawMessage("null"), "a number": 1, "a list": []string{url}, "an object": map[string]any{url: true},
		"a star": "*", "the root": "http://" + host, "a Cyrillic letter": strings.Replace(url, "o", "о", 1), "a wide slash": "http://" + host + "／dpop",
		"in quotes": `"` + url + `"`, "two joined": url + " " + url, "another scheme": "ftp://" + host + dpopGate,
	} {
		tests["R9449-6: htu is "+name] = map[string]any{"htu": target}
	}
	for name, method := range map[string]any{
		"in lower case": "get", "HEAD": "HEAD", "a star": "*", "empty": "", "null": json.RawMessage("null"), "a list": []string{"GET"}, "a space behind": "GET ",
		"two": "GET,POST", "NUL behind": "GET\x00", "missing": nil, "true": true,
	} {
		tests["R9449-5: htm is "+name] = map[string]any{"htm": method}
	}
	for name, id := range map[string]any{
		"missing": nil, "empty": "", "a number": 1, "null": json.RawMessage("null"), "a list": []string{"a"}, "an object": map[string]any{"a": 1},
		"of 257 letters": strings.Repeat("j", 257), "of 4 KiB": strings.Repeat("j", 4<<10), "true": true,
	} {
		tests["R9449-3: jti is "+name] = map[string]any{"jti": id}
	}
	for name, issued := range map[string]any{
		"missing": nil, "a text": unix(time.Now()), "null": json.RawMessage("null"), "a list": []int64{now}, "true": true, "0": 0, "negative": -now, "in milliseconds": now * 1000,
		"two minutes ago": now - 120, "a minute ahead": now + 60, "1e400": json.RawMessage("1e400"), "beyond int64": json.RawMessage("18446744073709551616"),
		"the last of int64": json.RawMessage("9223372036854775807"), "a date": time.Now().Format(time.RFC3339), "-0": json.RawMessage("-0"), "1e-400": json.RawMessage("1e-400"),
	} {
		tests["R9449-7: iat is "+name] = map[string]any{"iat": issued}
	}
	sum := must(base64.RawURLEncoding.DecodeString(dpoptest.Hash(h.token)))
	for name, hash := range map[string]any{
		"missing": nil, "empty": "", "in hexadecimal": hex.EncodeToString(sum), "padded": dpoptest.Hash(h.token) + "=", "cut": dpoptest.Hash(h.token)[:42], "a list": []string{dpoptest.Hash(h.token)},
		"of nothing": dpoptest.Hash(""), "of the whole field": dpoptest.Hash("DPoP " + h.token), "null": json.RawMessage("null"), "the token": h.token,
	} {
		tests["R9449-8: ath is "+name] = map[string]any{"ath": hash}
	}
	for name, claims := range tests {
		t.Run(name, func(t *testing.T) { h.rejects(t, h.proof(t, claims, nil)) })
	}
}

func reversedText(text string) string { return string(reverse([]byte(text))) }

// TestProofKey has proofs by other keys, and by none.
func TestProofKey(t *testing.T) {
	h := newHolder(t)
	thief := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	with := func(name string, value any) map[string]any {
		key := dpoptest.JWK(t, h.key.Public())
		key[name] = value
		return map[string]any{"jwk": key}
	}
	h.admits(t, h.proof(t, nil, map[string]any{"kid": "x", "typ": "application/DPoP+jwt"}))
	for name, header := range map[string]map[string]any{
		"none": {"alg": "none"}, "None": {"alg": "None"}, "no alg": {"alg": nil}, "HS256": {"alg": "HS256"}, "ES384": {"alg": "ES384"}, "alg in a list": {"alg": []string{"ES256"}},
		"no jwk": {"jwk": nil}, "kid for jwk": {"jwk": nil, "kid": "rs"}, "x5c for jwk": {"jwk": nil, "x5c": []string{stdBase64(certificate(t, h.target, h.key.Public(), false))}},
		"jku for jwk": {"jwk": nil, "jku": h.URL("/keys")}, "jwk in a list": {"jwk": []any{dpoptest.JWK(t, h.key.Public())}}, "jwk null": {"jwk": json.RawMessage("null")},
		"a private member": with("d", b64(must(h.key.Bytes()))), "an empty private member": with("d", ""), "a private member in capitals": with("D", "AA"), "a secret beside": with("k", "AA"),
		"a symmetric key": {"alg": "HS256", "jwk": map[string]any{"kty": "oct", "k": b64(secret)}}, "another kty": with("kty", "OKP"), "another curve": with("crv", "P-384"),
		"no point of the curve": with("y", b64(make([]byte, 32))), "a coordinate padded": with("x", dpoptest.JWK(t, h.key.Public())["x"].(string)+"="),
		"no typ": {"typ": nil}, "typ JWT": {"typ": "JWT"}, "typ at+jwt": {"typ": "at+jwt"}, "typ with more": {"typ": "dpop+jwt;a"}, "typ in a list": {"typ": []string{"dpop+jwt"}},
		"crit": {"crit": []string{"exp"}}, "an empty crit": {"crit": []string{}}, "b64": {"b64": false}, "the key of a thief": {"jwk": dpoptest.JWK(t, thief.Public())},
	} {
		t.Run("R9449-4: "+name, func(t *testing.T) { h.rejects(t, h.proof(t, nil, header)) })
	}
	t.Run("R9449-4: unsigned", func(t *testing.T) {
		proof := h.proof(t, nil, nil)
		h.rejects(t, proof[:strings.LastIndexByte(proof, '.')+1])
		h.rejects(t, resign(proof, make([]byte, 64)))
		h.rejects(t, b64(`{"typ":"dpop+jwt","alg":"none"}`)+"."+strings.Split(proof, ".")[1]+".")
	})
	t.Run("R9449-2: an example of RFC 9449, whose time is over", func(t *testing.T) { h.rejects(t, rfcProof) })
	t.Run("R9449-9: signed by a thief with his own key", func(t *testing.T) {
		own := *h
		own.key = thief
		before := h.reached.Load()
		proof := own.proof(t, nil, nil)
		if r := h.send("GET", dpopGate, h.token, proof); r.Status != 401 || r.Problem().Code != "invalid_token" || h.reached.Load() != before {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}
