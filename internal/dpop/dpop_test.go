package dpop

import (
	"context"
	"crypto"
	"crypto/elliptic"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/internal/dpop/dpoptest"
)

func TestVerifyAccepts(t *testing.T) {
	ec, rsa := ecKey(t, elliptic.P256()), rsaKey(t, 2048)
	tests := []struct {
		name   string
		key    crypto.Signer
		claims members
		header members
	}{
		{"R9449-1: ES256", ec, nil, nil},
		{"R9449-14: ES384", ecKey(t, elliptic.P384()), nil, nil},
		{"R9449-14: ES512", ecKey(t, elliptic.P521()), nil, nil},
		{"R9449-14: EdDSA", edKey(t), nil, nil},
		{"R9449-14: Ed25519", edKey(t), nil, members{"alg": "Ed25519"}},
		{"R9449-14: RS256", rsa, nil, nil},
		{"R9449-14: PS256", rsa, nil, members{"alg": "PS256"}},
		{"R9449-4: RSA of 4096 bits fits into a field", bigKey(t), nil, nil},
		{"R9449-4: typ in other letter case", ec, nil, members{"typ": "DPoP+JWT"}},
		{"R9449-4: typ with application/", ec, nil, members{"typ": "application/dpop+jwt"}},
		{"R9449-4: kid and other parameters do not matter", ec, nil, members{"kid": "../k", "jku": "https://evil.example/", "x": 1}},
		{"R9449-4: other members of jwk do not matter", ec, nil, members{"jwk": with(dpoptest.JWK(t, ec.Public()), members{"kid": 1, "use": "enc", "alg": "ES512"})}},
		{"R9449-3: iat with a fraction", ec, members{"iat": float64(start.Unix()) - 0.5}, nil},
		{"R9449-3: jti of 256 bytes", ec, members{"jti": strings.Repeat("j", 256)}, nil},
		{"R9449-3: other claims do not matter", ec, members{"exp": 1, "sub": nil, "nonce": 7}, nil},
		{"R9449-6: htu with query and fragment", ec, members{"htu": target + "?x#y"}, nil},
		{"R9449-6: htu in another spelling", ec, members{"htu": "HTTPS://API.example.com:443/%62/../%61"}, nil},
		{"R9449-7: iat 60 s ago", ec, members{"iat": start.Unix() - 60}, nil},
		{"R9449-7: iat 10 s ahead", ec, members{"iat": start.Unix() + 10}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			verifier := &Verifier{Now: at(start)}
			got, err := verifier.Verify(request(proof(t, test.key, test.claims, test.header)))
			if err != nil {
				t.Fatal(err)
			}
			if want := dpoptest.Thumbprint(t, test.key.Public()); got.Thumbprint != want || !got.Fits(want) {
				t.Errorf("thumbprint %s, want %s", got.Thumbprint, want)
			}
			if id, given := test.claims["jti"]; given && got.ID != id || !given && got.ID != "1" {
				t.Errorf("jti %q", got.ID)
			}
			if got.IssuedAt.Sub(start).Abs() > time.Minute {
				t.Errorf("issued at %v", got.IssuedAt)
			}
		})
	}
}

// TestVerifyExample is the request of RFC 9449 §7.1, with the key of §6.1.
func TestVerifyExample(t *testing.T) {
	t.Run("R9449-1: the example of the RFC", func(t *testing.T) {
		example := Request{
			Fields: []string{"eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19." +
				"eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9." +
				"2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"},
			Method: "GET",
			URL:    "https://resource.example.org/protectedresource",
			Token:  "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU",
		}
		verifier := &Verifier{Now: at(time.Unix(1562262618, 0))}
		got, err := verifier.Verify(example)
		if err != nil {
			t.Fatal(err)
		}
		if !got.Fits("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I") || got.ID != "e1j3V_bKic8-LAEB" {
			t.Errorf("got %+v", got)
		}
	})
}

func TestFits(t *testing.T) {
	for name, test := range map[string]struct {
		proof, token string
		want         bool
	}{
		"R9449-9: the same key":           {"abc", "abc", true},
		"R9449-9: another key":            {"abc", "abd", false},
		"R9449-9: another letter case":    {"abc", "ABC", false},
		"R9449-9: the token has no key":   {"abc", "", false},
		"R9449-9: neither of both has it": {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&Proof{Thumbprint: test.proof}).Fits(test.token); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func TestAlgorithms(t *testing.T) {
	t.Run("R9449-14: what a challenge shows", func(t *testing.T) {
		want := []string{"ES256", "ES384", "ES512", "EdDSA", "Ed25519", "RS256", "PS256"}
		Algorithms()[0] = "none" // the caller's own copy
		if got := Algorithms(); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestWindow(t *testing.T) {
	t.Run("R9449-7: both ends belong to it", func(t *testing.T) {
		verifier, key := &Verifier{Now: at(start)}, edKey(t)
		for seconds, valid := range map[int64]bool{-60: true, -61: false, 10: true, 11: false} {
			_, err := verifier.Verify(request(proof(t, key, members{"iat": start.Unix() + seconds}, nil)))
			if (err == nil) != valid {
				t.Errorf("iat %d: %v", seconds, err)
			}
		}
	})
}

func TestConsume(t *testing.T) {
	ctx := context.Background()
	first := &Proof{ID: "1", IssuedAt: start}
	t.Run("R9449-11: a proof works once", func(t *testing.T) {
		verifier := &Verifier{Replay: new(memory)}
		if err := verifier.Consume(ctx, first, target); err != nil {
			t.Fatal(err)
		}
		mustBeInvalid(t, verifier.Consume(ctx, first, "HTTPS://api.example.com:443/a?other"), "used before")
	})
	for name, test := range map[string]struct {
		proof  *Proof
		target string
	}{
		"R9449-11: another jti": {&Proof{ID: "2", IssuedAt: start}, target},
		"R9449-11: another htu": {first, target + "/"},
	} {
		t.Run(name, func(t *testing.T) {
			verifier := &Verifier{Replay: new(memory)}
			if err := verifier.Consume(ctx, first, target); err != nil {
				t.Fatal(err)
			}
			if err := verifier.Consume(ctx, test.proof, test.target); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("R9449-11: pairs that read alike when joined", func(t *testing.T) {
		if replayKey("1", "https://a/") == replayKey("1http", "s://a/") {
			t.Error("two pairs have one key")
		}
	})
	t.Run("R9449-11: remembered as long as it would be accepted", func(t *testing.T) {
		remembered := new(memory)
		verifier := &Verifier{Replay: remembered}
		if err := verifier.Consume(ctx, first, target); err != nil {
			t.Fatal(err)
		}
		if until := remembered.keys[replayKey("1", target)]; !until.Equal(start.Add(70 * time.Second)) {
			t.Errorf("until %v", until.Sub(start))
		}
	})
	t.Run("R9449-11: 503 when the memory cannot be asked", func(t *testing.T) {
		broken := errors.New("broken")
		err := (&Verifier{Replay: &memory{err: broken}}).Consume(ctx, first, target)
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("R9449-11: a target that is none", func(t *testing.T) {
		mustBeInvalid(t, (&Verifier{Replay: new(memory)}).Consume(ctx, first, "/a"), "not an absolute")
	})
	t.Run("R9449-11: 503 without a memory", func(t *testing.T) {
		var unavailable *UnavailableError
		if err := new(Verifier).Consume(ctx, first, target); !errors.As(err, &unavailable) {
			t.Errorf("got %v", err)
		}
	})
}
