package dpop

import (
	"encoding/json"
	"errors"
	"net/url"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

// FuzzVerify signs what it is given, or appends a signature. No input may cause a
// panic, and an accepted proof must have the claims of the request.
func FuzzVerify(f *testing.F) {
	key := edKey(f)
	sound := proof(f, key, nil, nil)
	header, claims := part(f, sound, 0), part(f, sound, 1)
	for _, algorithm := range Algorithms() {
		f.Add(toJSON(f, members{"typ": "dpop+jwt", "alg": algorithm, "jwk": members{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}}), claims, "AA")
	}
	f.Add(toJSON(f, members{"typ": "dpop+jwt", "alg": "RS256", "jwk": members{"kty": "RSA", "n": "AA", "e": "AQAB"}}), claims, "AA")
	f.Add([]byte(`{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"kty":"OKP","crv":"Ed25519","x":""}}`), claims, "AA")
	f.Add(header, claims, "")
	f.Add(header, []byte(`{"iat":1e300}`), "")
	f.Add([]byte(nil), []byte(nil), ".")
	verifier := &Verifier{Nonces: nil, Now: at(start)}
	f.Fuzz(func(t *testing.T, header, claims []byte, signature string) {
		field := encode(header) + "." + encode(claims) + "." + signature
		if signature == "" {
			field = dpoptest.Sign(t, key, "EdDSA", header, claims)
		}
		got, err := verifier.Verify(request(field))
		if err != nil {
			var invalid *InvalidError
			if !errors.As(err, &invalid) || got != nil {
				t.Fatalf("got %v, %v", got, err)
			}
			return
		}
		var decoded struct {
			JTI, HTM, HTU, ATH string
			IAT                float64
		}
		if err := json.Unmarshal(claims, &decoded); err != nil {
			t.Fatalf("encoding/json refuses what was accepted: %v", err)
		}
		if decoded.JTI != got.ID || decoded.HTM != "GET" || decoded.ATH != dpoptest.Hash(token) || decoded.IAT < float64(start.Unix()-60) || decoded.IAT > float64(start.Unix()+10) {
			t.Fatalf("accepted %s", claims)
		}
		if signature == "" && !got.Fits(dpoptest.Thumbprint(t, key.Public())) {
			t.Fatalf("thumbprint %s", got.Thumbprint)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"HTTPS://A:443/%7e/../b?c#d", "http://[::1]:8080//..//a/.", "https://a/%2E%2e/%c3", "http://a", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		once, err := normalize(uri)
		if err != nil {
			return
		}
		if twice, err := normalize(once); err != nil || twice != once {
			t.Fatalf("%q: %q, then %q, %v", uri, once, twice, err)
		}
		if parsed, err := url.Parse(once); err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" {
			t.Fatalf("%q: net/url does not accept %q: %v", uri, once, err)
		}
	})
}
