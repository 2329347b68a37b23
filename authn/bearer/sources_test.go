package bearer

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/idp"
	"github.com/excorp/caddy-require-auth/internal/keyset"
)

// TestSources has keys in several places, all of which could be the token's: a key
// of a PEM file has no ID.
func TestSources(t *testing.T) {
	former, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	before, next := file(t, public(t, signer{former})), file(t, public(t, signer{testKeys()["RS"]}))
	set := file(t, []byte(`{"keys":[`+string(jwkOf(t, "RS", map[string]string{"kid": "next"}))+`]}`))
	forged := func(token string) string { return token[:len(token)-8] + "AAAAAAAA" }
	for name, test := range map[string]struct {
		config Bearer
		kid    any
	}{
		"two PEM files, the first has it":  {Bearer{KeyFiles: []string{next, before}}, nil},
		"two PEM files, the second has it": {Bearer{KeyFiles: []string{before, next}}, nil},
		"two PEM files and a kid":          {Bearer{KeyFiles: []string{before, next}}, "next"},
		"a PEM file and a key set":         {Bearer{KeyFiles: []string{before}, JWKS: set}, "next"},
		"a PEM file and a set, no kid":     {Bearer{KeyFiles: []string{before}, JWKS: set}, nil},
	} {
		t.Run("JWT-5: "+name, func(t *testing.T) {
			test.config.Issuer = testIssuer
			b, token := mustProvision(t, &test.config), sign(t, "RS256", map[string]any{"kid": test.kid}, nil)
			wantAccepted(t, b, token)
			if ends, sure := b.Ends(context.Background(), token); !sure || !ends.After(testNow) {
				t.Errorf("ends %s, sure %t", ends, sure)
			}
			wantRefused(t, b, forged(token), authn.CodeInvalidToken)
			wantRefused(t, b, sign(t, "ES256", nil, nil), authn.CodeInvalidToken)
		})
	}
	t.Run("AVAIL-1: a set that cannot be asked may have the key of a token that no file has", func(t *testing.T) {
		b := mustProvision(t, &Bearer{Issuer: testIssuer, KeyFiles: []string{next}})
		b.keys = append(b.keys, source{keys: away{}})
		token := sign(t, "RS256", nil, nil)
		wantAccepted(t, b, token)
		if outcome := verify(b, forged(token)); outcome.Verdict != authn.TemporarilyUnavailable || outcome.RetryAfter != time.Second {
			t.Errorf("%+v", outcome)
		}
		if _, sure := b.Ends(context.Background(), forged(token)); sure {
			t.Error("it is known when a forged token ends")
		}
	})
}

// away is a provider that does not answer.
type away struct{}

func (away) Find(context.Context, keyset.Query) ([]*keyset.Key, error) {
	return nil, &idp.UnavailableError{Reason: errors.New("away"), RetryAfter: time.Second}
}

func (away) Fingerprint() uint64 { return 0 }

func (away) All() *keyset.Set { return nil }
