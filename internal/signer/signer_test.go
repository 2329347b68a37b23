package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/store"
)

// clock is a signer whose time the test sets.
type clock struct {
	*Signer
	time time.Time
}

func newClocked(t *testing.T) *clock {
	t.Helper()
	c := &clock{New(), time.Unix(1_000_000_000, 0)}
	c.now = func() time.Time { return c.time }
	t.Cleanup(func() { _ = c.Destruct() })
	if err := c.Rotate(); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *clock) sign(t *testing.T, claims map[string]any, ttl time.Duration, expires time.Time) string {
	t.Helper()
	token, err := c.Sign(claims, ttl, expires)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// read verifies a JWT with the published keys, and returns its claims.
func (c *clock) read(t *testing.T, token string, target store.SharedKeys) map[string]any {
	t.Helper()
	document, err := c.Document(t.Context(), target)
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwk.Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify([]byte(token), jws.WithKeySet(set))
	if err != nil {
		t.Fatalf("the published keys do not verify it: %v", err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

var claimsOf = func(user string) map[string]any { return map[string]any{"sub": user, "aud": "a"} }

func TestSign(t *testing.T) {
	c := newClocked(t)
	began := c.time.Unix()
	first := c.sign(t, claimsOf("alice"), time.Minute, time.Time{})
	claims := c.read(t, first, nil)
	if claims["sub"] != "alice" || claims["aud"] != "a" || claims["iat"] != float64(began) || claims["exp"] != float64(began+60) {
		t.Errorf("the claims are %v", claims)
	}
	message, err := jws.ParseString(first)
	if err != nil {
		t.Fatal(err)
	}
	header := message.Signatures()[0].ProtectedHeaders()
	if header.Type() != "JWT" || header.Algorithm() != jwa.ES256 || header.KeyID() == "" {
		t.Errorf("the header is %v", header)
	}
	t.Run("one signature is used until a quarter of the life is left", func(t *testing.T) {
		for second := range 46 {
			c.time = time.Unix(began+int64(second), 0)
			if c.sign(t, claimsOf("alice"), time.Minute, time.Time{}) != first {
				t.Fatalf("signed again after %d s", second)
			}
		}
		c.time = time.Unix(began+46, 0)
		if c.sign(t, claimsOf("alice"), time.Minute, time.Time{}) == first {
			t.Error("used for too long")
		}
		if signatures := c.signatures.Load(); signatures != 2 {
			t.Errorf("%d signatures", signatures)
		}
	})
	t.Run("requests at the same time share a signature", func(t *testing.T) {
		before := c.signatures.Load()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { c.sign(t, claimsOf("carol"), time.Minute, time.Time{}) })
		}
		all.Wait()
		if signatures := c.signatures.Load() - before; signatures != 1 {
			t.Errorf("%d signatures", signatures)
		}
	})
	t.Run("ID-1: other claims and another life are another JWT", func(t *testing.T) {
		seen := map[string]bool{}
		for _, claims := range []map[string]any{claimsOf("alice"), claimsOf("bob"), {"sub": "alice", "aud": "b"}, {"sub": "alice", "aud": "a", "act": "x"}, {"sub": "alice"}} {
			for _, ttl := range []time.Duration{time.Minute, 2 * time.Minute} {
				token := c.sign(t, claims, ttl, time.Time{})
				if seen[token] {
					t.Errorf("%v has the JWT of others", claims)
				}
				seen[token] = true
				if got := c.read(t, token, nil); got["sub"] != claims["sub"] || got["aud"] != claims["aud"] {
					t.Errorf("%v got %v", claims, got)
				}
			}
		}
	})
	t.Run("ID-1: it does not outlast the credential", func(t *testing.T) {
		c := newClocked(t)
		long := c.sign(t, claimsOf("alice"), time.Minute, time.Time{})
		for lifetime, want := range map[time.Duration]int64{time.Hour: 60, 30 * time.Second: 30, 5 * time.Second: 10, -20 * time.Second: 10} {
			token := c.sign(t, claimsOf("alice"), time.Minute, c.time.Add(lifetime))
			if got := c.read(t, token, nil)["exp"]; got != float64(c.time.Unix()+want) {
				t.Errorf("with %s left it ends after %v s", lifetime, got.(float64)-float64(c.time.Unix()))
			}
			if lifetime < time.Minute && token == long {
				t.Errorf("with %s left it is that of a longer credential", lifetime)
			}
		}
	})
	t.Run("claims over the bound are not signed", func(t *testing.T) {
		for length, good := range map[int]bool{1000: true, maxToken: false, 1 << 20: false} {
			_, err := c.Sign(map[string]any{"sub": strings.Repeat("a", length)}, time.Minute, time.Time{})
			if good != (err == nil) || !good && !errors.Is(err, errTooLong) {
				t.Errorf("%d bytes: %v", length, err)
			}
		}
	})
}

// TestRotation lets days go by.
func TestRotation(t *testing.T) {
	c := newClocked(t)
	published := func() map[string]bool {
		found := make(map[string]bool)
		for id := range c.own() {
			found[id] = true
		}
		return found
	}
	signers := make(map[string]bool)
	since := make(map[string]time.Time) // published
	for minutes := 0; minutes < 4*24*60; minutes++ {
		if err := c.Rotate(); err != nil {
			t.Fatal(err)
		}
		now := published()
		for id := range now {
			if since[id].IsZero() {
				since[id] = c.time
			}
		}
		maps.DeleteFunc(since, func(id string, _ time.Time) bool { return !now[id] })
		current := c.pairs.Load().current(c.time).id
		if !signers[current] && len(signers) > 0 && c.time.Sub(since[current]) < overlap {
			t.Fatalf("a key signs that was published for %s", c.time.Sub(since[current]))
		}
		signers[current] = true
		if len(now) > 3 {
			t.Fatalf("%d keys are published", len(now))
		}
		if minutes%30 == 0 { // a verifier has a document that is an hour old, or a JWT that was signed ten minutes ago
			token := c.sign(t, claimsOf(fmt.Sprint(minutes)), MaxTTL, time.Time{})
			c.time = c.time.Add(MaxTTL)
			if err := c.Rotate(); err != nil {
				t.Fatal(err)
			}
			c.read(t, token, nil)
			minutes += int(MaxTTL / time.Minute)
		}
		c.time = c.time.Add(time.Minute)
	}
	if len(signers) < 4 || len(signers) > 5 {
		t.Errorf("%d keys signed in four days", len(signers))
	}
	t.Run("a machine that slept keeps its order", func(t *testing.T) {
		c.time = c.time.Add(30 * 24 * time.Hour)
		before := c.pairs.Load().current(c.time).id
		if err := c.Rotate(); err != nil {
			t.Fatal(err)
		}
		if c.pairs.Load().current(c.time).id != before {
			t.Error("a key signs that no verifier knows yet")
		}
		c.time = c.time.Add(overlap)
		if c.pairs.Load().current(c.time).id == before {
			t.Error("the next key does not sign")
		}
	})
	t.Run("a clock that went back still signs", func(t *testing.T) {
		c.time = time.Unix(0, 0)
		c.read(t, c.sign(t, claimsOf("alice"), time.Minute, time.Time{}), nil)
	})
}

// memory is a store in the test.
type memory struct {
	keys   map[string]string
	err    error
	writes int
	reads  int
}

func (m *memory) ShareKeys(_ context.Context, keys map[string]string, _ time.Duration) error {
	m.writes++
	if m.err == nil {
		maps.Copy(m.keys, keys)
	}
	return m.err
}

func (m *memory) KeysOfAll(context.Context) (map[string]string, error) {
	m.reads++
	return maps.Clone(m.keys), m.err
}

// TestShared has two instances with one store.
func TestShared(t *testing.T) {
	store := &memory{keys: map[string]string{}}
	one, other := newClocked(t), newClocked(t)
	share := func(t *testing.T, c *clock) {
		t.Helper()
		if err := c.Share(t.Context(), store); err != nil {
			t.Error(err)
		}
	}
	share(t, one)
	share(t, other)
	token := other.sign(t, claimsOf("alice"), time.Minute, time.Time{})
	t.Run("one publishes the keys of the other", func(t *testing.T) { one.read(t, token, store) })
	t.Run("the store is not asked for each request", func(t *testing.T) {
		for range 100 {
			one.read(t, token, store)
			share(t, one)
		}
		if store.reads > 1 || store.writes > 2 {
			t.Errorf("%d reads, %d writes", store.reads, store.writes)
		}
	})
	t.Run("keys are written again in time", func(t *testing.T) {
		one.time = one.time.Add(renewEvery)
		share(t, one)
		if store.writes != 3 {
			t.Errorf("%d writes", store.writes)
		}
		share(t, one)
		if err := one.Share(t.Context(), &memory{keys: map[string]string{}}); err != nil {
			t.Error(err)
		}
		if store.writes != 3 {
			t.Errorf("%d writes", store.writes)
		}
	})
	t.Run("while the store is away, known keys stay", func(t *testing.T) {
		one.read(t, token, store)
		store.err = errors.New("away")
		one.time = one.time.Add(2 * readEvery)
		document, err := one.Document(t.Context(), store)
		if err == nil || !strings.Contains(string(document), `"kid":"`+other.pairs.Load().current(other.time).id) {
			t.Errorf("the document is %s with error %v", document, err)
		}
		if err := other.Share(t.Context(), store); err != nil {
			t.Errorf("keys that are written do not need the store: %v", err)
		}
		other.time = other.time.Add(renewEvery)
		if other.Share(t.Context(), store) == nil {
			t.Error("no error")
		}
		one.time = one.time.Add(sharedFor)
		if document, _ = one.Document(t.Context(), store); strings.Count(string(document), "kid") != 1 {
			t.Errorf("they stay for too long: %s", document)
		}
		store.err = nil
	})
	t.Run("ID-2: what is not a key for ES256 is not published", func(t *testing.T) {
		good := one.pairs.Load().current(one.time)
		for name, text := range map[string]string{
			"not JSON": "x", "a secret": `{"kty":"oct","k":"AAAA"}`, "an RSA key": `{"kty":"RSA","n":"AQAB","e":"AQAB"}`,
			"a point that is not on the curve": `{"kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`,
			"the key of another ID":            good.public,
		} {
			store.keys = map[string]string{"id": text}
			one.time = one.time.Add(2 * readEvery)
			document, err := one.Document(t.Context(), store)
			if err == nil || strings.Count(string(document), "kty") != 1 {
				t.Errorf("%s: the document is %s with error %v", name, document, err)
			}
		}
		id, more := other.pairs.Load().current(other.time).id, strings.Replace(other.pairs.Load().current(other.time).public, "{", `{"x5u":"https://evil.example","d":"AAAA",`, 1)
		store.keys = map[string]string{id: more}
		one.time = one.time.Add(2 * readEvery)
		if document, _ := one.Document(t.Context(), store); strings.Contains(string(document), "x5u") || strings.Contains(string(document), `"d"`) {
			t.Errorf("the document is %s", document)
		}
	})
}
