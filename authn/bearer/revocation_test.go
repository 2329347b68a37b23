package bearer

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

func TestRevocation(t *testing.T) {
	for name, revocation := range map[string]func(r *remembering, token string) store.Revocation{
		"its subject": func(r *remembering, _ string) store.Revocation { return store.Revocation{Subject: "alice"} },
		"its subject at the issuer": func(r *remembering, _ string) store.Revocation {
			return store.Revocation{Subject: "alice", Issuer: r.Issuer}
		},
		"a digest of it": func(_ *remembering, token string) store.Revocation {
			return store.Revocation{Digest: store.DigestOfToken(token)}
		},
	} {
		t.Run("R6750-8: a remembered token is revoked by "+name, func(t *testing.T) {
			r := newRemembering(t)
			token := r.mint(t, "alice", "api")
			for range 2 {
				if got := r.verify(token, ""); got.Verdict != authn.Accepted {
					t.Fatal(got.Reason)
				}
			}
			publish(t, r.store, revocation(r, token))
			if got := r.verify(token, ""); got.Verdict != authn.Rejected || got.Code != authn.CodeRevokedToken {
				t.Errorf("it gets %+v", got)
			}
			if got := r.verify(r.mint(t, "bob", "api"), ""); got.Verdict != authn.Accepted {
				t.Error("another one is refused:", got.Reason)
			}
		})
	}
	t.Run("R6750-8: a token is revoked by its user, where user_claim names another claim", func(t *testing.T) {
		b := &Bearer{store: memory.New()}
		token := revocable("alice@example.com", map[string]any{"sub": "1", "email": "alice@example.com"})
		publish(t, b.store, store.Revocation{Subject: "bob@example.com"})
		if outcome := token.check(b); outcome != nil {
			t.Error(outcome.Reason)
		}
		publish(t, b.store, store.Revocation{Subject: "alice@example.com"})
		if token.check(b) == nil {
			t.Error("it is good")
		}
	})
	t.Run("R6750-8: a token is revoked by its session", func(t *testing.T) {
		b := &Bearer{store: memory.New()}
		publish(t, b.store, store.Revocation{Session: "s", Issuer: "https://other.example.com"})
		token := revocable("", map[string]any{"sub": "1", "sid": "s"})
		if outcome := token.check(b); outcome != nil {
			t.Error(outcome.Reason)
		}
		publish(t, b.store, store.Revocation{Session: "s"})
		if token.check(b) == nil {
			t.Error("it is good")
		}
	})
	long := strings.Repeat("x", 5_000)
	for name, test := range map[string]struct {
		claims, user string
		revocation   store.Revocation
		kept         bool
	}{
		"its id":           {`{"jti":"a","sub":"alice"}`, "alice", store.Revocation{TokenID: "a"}, true},
		"its session":      {`{"sid":"s","sub":"1"}`, "alice", store.Revocation{Session: "s"}, true},
		"its subject":      {`{"sub":"1"}`, "alice", store.Revocation{Subject: "1"}, true},
		"its user":         {`{"sub":"1"}`, "alice", store.Revocation{Subject: "alice"}, true},
		"a long id":        {`{"jti":"` + long + `"}`, "alice", store.Revocation{TokenID: long}, false},
		"claims not found": {`[]`, "alice", store.Revocation{TokenID: "another"}, false},
	} {
		t.Run("R6750-8: a remembered token reads its names again, and is revoked by "+name, func(t *testing.T) {
			b := &Bearer{store: memory.New()}
			token := revocable(test.user, nil)
			token.identity.Claims = new(authn.Claims)
			token.identity.Claims.DecodeLater("h."+base64.RawURLEncoding.EncodeToString([]byte(test.claims))+".s", jose.Claims)
			if outcome := token.check(b); outcome != nil || token.more().names != nil {
				t.Fatalf("without a revocation: %+v", outcome)
			}
			publish(t, b.store, test.revocation)
			for range 2 {
				if token.check(b) == nil {
					t.Error("it is good")
				}
				if kept := token.more().names != nil; kept != test.kept {
					t.Errorf("its names are kept: %t", kept)
				}
			}
		})
	}
	t.Run("R6750-8: of another issuer's subject it is not", func(t *testing.T) {
		r := newRemembering(t)
		publish(t, r.store, store.Revocation{Subject: "alice", Issuer: "https://other.example.com"})
		if got := r.verify(r.mint(t, "alice", "api"), ""); got.Verdict != authn.Accepted {
			t.Error(got.Reason)
		}
	})
	t.Run("R6750-8: what was issued later is good", func(t *testing.T) {
		claims := map[string]any{"sub": "alice", "jti": "1", "iat": int64(100)}
		b := &Bearer{store: memory.New()}
		publish(t, b.store, store.Revocation{Subject: "alice", Before: time.Unix(100, 0)})
		if outcome := revocable("", claims).check(b); outcome != nil {
			t.Error(outcome.Reason)
		}
		claims["iat"] = int64(99)
		if revocable("", claims).check(b) == nil {
			t.Error("what was issued before is good too")
		}
		publish(t, b.store, store.Revocation{TokenID: "1"})
		claims["iat"] = int64(100)
		if revocable("", claims).check(b) == nil {
			t.Error("its id was revoked, and it is good")
		}
	})
	t.Run("R6750-8: names that are numbers are revoked by their digits", func(t *testing.T) {
		for name, test := range map[string]struct {
			claims     map[string]any
			revocation store.Revocation
			good       bool
		}{
			"jti":         {map[string]any{"jti": int64(12)}, store.Revocation{TokenID: "12"}, false},
			"sub":         {map[string]any{"sub": int64(-7)}, store.Revocation{Subject: "-7"}, false},
			"another jti": {map[string]any{"jti": int64(12)}, store.Revocation{TokenID: "1"}, true},
			"none":        {map[string]any{"jti": true, "sub": []any{"12"}}, store.Revocation{TokenID: "true"}, true},
		} {
			b := &Bearer{store: memory.New()}
			publish(t, b.store, test.revocation)
			if outcome := revocable("", test.claims).check(b); (outcome == nil) != test.good {
				t.Errorf("%s: %+v", name, outcome)
			}
		}
	})
	t.Run("O-2: without knowing what is revoked nothing is decided", func(t *testing.T) {
		r := newRemembering(t)
		r.UseStore(unready{r.store})
		if got := r.verify(r.mint(t, "alice", "api"), ""); got.Verdict != authn.TemporarilyUnavailable {
			t.Errorf("got %+v", got)
		}
	})
}

// revocableToken is a token that the cache has, and what a request knows of it.
type revocableToken struct {
	*cachedToken
	identity *authn.Identity
}

func revocable(user string, claims map[string]any) revocableToken {
	return revocableToken{&cachedToken{user: user}, &authn.Identity{ID: user, Claims: authn.ClaimsOf(claims)}}
}

func (r revocableToken) check(b *Bearer) *authn.Outcome {
	return b.checkRevocation(r.cachedToken, r.identity, "")
}

func publish(t *testing.T, store store.Store, revocation store.Revocation) {
	t.Helper()
	entry, err := revocation.Entry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Publish(context.Background(), entry); err != nil {
		t.Fatal(err)
	}
}

// unready is a store that has not read the marks yet.
type unready struct{ store.Store }

func (unready) HasRevocations() (bool, error) { return false, errors.New("not yet") }
