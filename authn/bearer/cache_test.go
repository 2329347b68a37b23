package bearer

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unique"

	"github.com/caddyserver/caddy/v2"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/block"
	"github.com/excorp/caddy-require-auth/internal/keyset"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/memory"
)

var cacheSecret = []byte("a secret of more than thirty-two bytes")

// remembering is a scheme with a clock that can be moved, and its keys.
type remembering struct {
	*Bearer
	static *keyset.Static
	clock  time.Time
}

func newRemembering(tb testing.TB) *remembering {
	tb.Helper()
	set, err := keyset.FromSecret(cacheSecret)
	if err != nil {
		tb.Fatal(err)
	}
	r := &remembering{static: keyset.NewStatic(set), clock: time.Unix(1_000_000_000, 0)}
	r.Bearer = &Bearer{Issuer: "https://idp.example.com", Audiences: []string{"api"}, HMACSecret: block.Secrets{string(cacheSecret)}}
	r.setDefaults()
	r.cache, r.keys = newCache(defaultCacheSize), sources{{keys: r.static}}
	r.now = func() time.Time { return r.clock }
	r.UseStore(memory.New())
	return r
}

func (r *remembering) mint(tb testing.TB, subject, audience string) string {
	tb.Helper()
	return r.mintUntil(tb, subject, audience, time.Unix(1_000_000_060, 0))
}

func (r *remembering) mintUntil(tb testing.TB, subject, audience string, expires time.Time) string {
	tb.Helper()
	claims := fmt.Sprintf(`{"iss":"https://idp.example.com","aud":%q,"sub":%q,"exp":%d,"scope":"read write","realm_access":{"roles":["a","b"]}}`, audience, subject, expires.Unix())
	token, err := jws.Sign([]byte(claims), jws.WithKey(jwa.HS256, cacheSecret))
	if err != nil {
		tb.Fatal(err)
	}
	return string(token)
}

func (r *remembering) verify(token, gate string) authn.Outcome {
	return r.verifyAt(token, gate, false)
}

// verifyForURL asks at a gate that takes its audience in any case.
func (r *remembering) verifyForURL(token, gate string) authn.Outcome {
	return r.verifyAt(token, gate, true)
}

func (r *remembering) verifyAt(token, gate string, asURL bool) authn.Outcome {
	request := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
	request.SetGate(&authn.Gate{Audience: gate, AudienceAsURL: asURL})
	return r.Verify(context.Background(), request, authn.Credential{Scheme: bearerScheme, Value: token, Location: authn.AuthorizationField})
}

func TestCache(t *testing.T) {
	want := func(t *testing.T, got authn.Outcome, verdict authn.Verdict, source authn.Source, code authn.Code) {
		t.Helper()
		if got.Verdict != verdict || got.Source != source || got.Code != code {
			t.Errorf("verdict %d, source %q, code %q; want %d, %q, %q (%v)", got.Verdict, got.Source, got.Code, verdict, source, code, got.Reason)
		}
	}
	t.Run("a good token is remembered", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "api")
		want(t, r.verify(token, ""), authn.Accepted, authn.SourceLocal, "")
		second := r.verify(token, "")
		want(t, second, authn.Accepted, authn.SourceCache, "")
		if second.Identity.ID != "alice" {
			t.Errorf("identity %+v", second.Identity)
		}
	})
	t.Run("every letter of it counts", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "api")
		r.verify(token, "")
		want(t, r.verify(token[:len(token)-2]+"AA", ""), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
	})
	t.Run("a bad token is not", func(t *testing.T) {
		r := newRemembering(t)
		for range 2 {
			want(t, r.verify(r.mint(t, "alice", "other"), ""), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
		}
		if r.cache.EstimatedSize() != 0 {
			t.Error("it takes room")
		}
	})
	t.Run("R9700-1 JWT-10: it expires all the same", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "api")
		r.verify(token, "")
		r.clock = r.clock.Add(89 * time.Second) // exp and 30 s of leeway, less one
		want(t, r.verify(token, ""), authn.Accepted, authn.SourceCache, "")
		r.clock = r.clock.Add(time.Second)
		want(t, r.verify(token, ""), authn.Rejected, authn.SourceLocal, authn.CodeExpiredToken)
	})
	t.Run("a withdrawn key ends it", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "api")
		r.verify(token, "")
		other, err := keyset.FromSecret([]byte("another secret of more than thirty-two bytes"))
		if err != nil {
			t.Fatal(err)
		}
		r.static.Replace(other)
		want(t, r.verify(token, ""), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
	})
	t.Run("MCP-6 R9700-1: a token for one gate is not recalled for another", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "gate")
		want(t, r.verify(token, "gate"), authn.Accepted, authn.SourceLocal, "")
		want(t, r.verify(token, "gate"), authn.Accepted, authn.SourceCache, "")
		want(t, r.verify(token, "other"), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
		want(t, r.verify(token, ""), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
	})
	t.Run("MCP-12: a spelling that one gate takes is not recalled for a gate that does not", func(t *testing.T) {
		r := newRemembering(t)
		token := r.mint(t, "alice", "HTTPS://GATE.example/mcp")
		const gate = "https://gate.example/mcp"
		want(t, r.verifyForURL(token, gate), authn.Accepted, authn.SourceLocal, "")
		want(t, r.verifyForURL(token, gate), authn.Accepted, authn.SourceCache, "")
		want(t, r.verify(token, gate), authn.Rejected, authn.SourceLocal, authn.CodeInvalidToken)
	})
	t.Run("R9700-2: the memory is bounded and holds digests instead of tokens", func(t *testing.T) {
		r := newRemembering(t)
		for i := range 200 {
			r.verify(r.mint(t, fmt.Sprint("user", i), "api"), "")
		}
		r.cache.CleanUp()
		if weight := r.cache.WeightedSize(); weight < 200*300 || weight > defaultCacheSize || r.cache.GetMaximum() != defaultCacheSize {
			t.Errorf("weight %d of at most %d", weight, r.cache.GetMaximum())
		}
		token := r.mint(t, "user1", "api")
		for key, entry := range r.cache.All() {
			if strings.Contains(fmt.Sprintf("%s %+v", key, entry), token[strings.LastIndexByte(token, '.')+1:]) {
				t.Fatal("a part of a token is kept")
			}
		}
	})
}

// TestAge has a token that is good for a year.
func TestAge(t *testing.T) {
	t.Run("R9700-2: a token is remembered for five minutes at most", func(t *testing.T) {
		b, year := scheme(t), testNow.Add(365*24*time.Hour).Unix()
		token := sign(t, "ES256", nil, map[string]any{"exp": year})
		wantAccepted(t, b, token)
		entry, found := b.cache.GetIfPresent(new(authn.Request).DigestOf(token))
		if !found || entry.until != testNow.Add(5*time.Minute).UnixMilli() {
			t.Errorf("found %t: %+v", found, entry)
		}
	})
	t.Run("R9700-2: the cache removes tokens that have ended", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRemembering(t)
			defer func() { _, _ = r.cache.Destruct(), r.store.(caddy.Destructor).Destruct() }()
			for _, step := range []struct {
				after   time.Duration
				subject string
				want    int
			}{{0, "alice", 1}, {2 * time.Minute, "bob", 2}, {3 * time.Minute, "carol", 2}, {4 * time.Minute, "dave", 3}, {-time.Hour, "erin", 4}, {5 * time.Minute, "frank", 4}} {
				r.clock = r.clock.Add(step.after)
				if outcome := r.verify(r.mintUntil(t, step.subject, "api", r.clock.Add(3*time.Minute)), ""); outcome.Verdict != authn.Accepted {
					t.Fatal(outcome.Reason)
				}
				synctest.Wait()
				if size := r.cache.EstimatedSize(); size != step.want {
					t.Errorf("with %s there are %d, want %d", step.subject, size, step.want)
				}
			}
		})
	})
}

// TestWeight has tokens with long texts: whatever is kept of them counts.
func TestWeight(t *testing.T) {
	long := strings.Repeat("x", 5_000)
	for name, claims := range map[string]map[string]any{
		"the user":                     {"user": long},
		"scopes":                       {"scope": long},
		"a key that it is bound to":    {"cnf": map[string]any{"jkt": long}},
		"a certificate it is bound to": {"cnf": map[string]any{"x5t#S256": long}},
		"an audience of the gate":      {"aud": long},
	} {
		t.Run("R9700-2: "+name, func(t *testing.T) {
			b := scheme(t, func(b *Bearer) { b.UserClaim = "user" })
			r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
			r.SetGate(&authn.Gate{Audience: long})
			b.Verify(context.Background(), r, authn.Credential{Scheme: bearerScheme, Value: sign(t, "ES256", nil, claims), Location: authn.AuthorizationField})
			b.cache.CleanUp()
			if weight := b.cache.WeightedSize(); weight < 5_000 {
				t.Errorf("it weighs %d", weight)
			}
		})
	}
}

func TestCacheOutlivesConfiguration(t *testing.T) {
	secret, size, off := strings.Repeat("s", 32), uint64(1<<20), uint64(0)
	open := func(change func(*Bearer)) *Bearer {
		b := &Bearer{Issuer: testIssuer, Audiences: []string{testAudience}, HMACSecret: block.Secrets{secret}}
		change(b)
		return mustProvision(t, b)
	}
	before := open(func(*Bearer) {})
	token, keys := sign(t, "ES256", nil, map[string]any{"exp": time.Now().Add(time.Hour).Unix()}), scheme(t).keys
	before.keys = keys
	before.UseStore(memory.New())
	if outcome := verify(before, token); outcome.Verdict != authn.Accepted {
		t.Fatal(outcome.Reason)
	}
	for name, test := range map[string]struct {
		change       func(*Bearer)
		cache, token bool // the same one
	}{
		"the same":        {func(*Bearer) {}, true, true},
		"another claim":   {func(b *Bearer) { b.UserClaim = "email" }, true, false},
		"another profile": {func(b *Bearer) { b.Profile = profileAccessToken }, true, false},
		"another secret":  {func(b *Bearer) { b.HMACSecret = block.Secrets{strings.Repeat("t", 32)} }, true, false},
		"another size":    {func(b *Bearer) { b.TokenCache = &size }, false, false},
		"none":            {func(b *Bearer) { b.TokenCache = &off }, false, false},
	} {
		t.Run("GW-5: schemes share one memory, and a token is only for those that are configured alike: "+name, func(t *testing.T) {
			b := open(test.change)
			if (b.cache == before.cache) != test.cache || (b.cache == nil) != (name == "none") {
				t.Errorf("the same memory: %t", b.cache == before.cache)
			}
			r := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
			if _, _, found := b.lookup(r, cacheKey{r.DigestOf(token), b.config}, keys.Fingerprint(), token); found != test.token {
				t.Errorf("the token is found: %t", found)
			}
		})
	}
}

// TestIsCached shows that a stream whose token the cache has needs no signature check,
// until the keys change.
func TestIsCached(t *testing.T) {
	r := newRemembering(t)
	token := r.mint(t, "alice", "api")
	if r.isCached(token) {
		t.Error("cached before it was verified")
	}
	if outcome := r.verify(token, ""); outcome.Verdict != authn.Accepted || !r.isCached(token) {
		t.Errorf("%+v, cached %t", outcome, r.isCached(token))
	}
	if r.static.Replace(&keyset.Set{}); r.isCached(token) {
		t.Error("cached by the keys of before")
	}
}

// TestCacheEntry compares what the cache has of a token with what the checks found.
func TestCacheEntry(t *testing.T) {
	for name, claims := range map[string]map[string]any{
		"R9068-4: nothing":          {"scope": nil},
		"R9068-4: lists":            {"scope": "read write", "roles": []string{"a", "b c", "d,e", ""}, "client_id": "web"},
		"R9068-4: many":             {"scope": strings.Repeat("s ", 20) + "t", "roles": []string{"a", "b"}},
		"R9068-4: a NUL in a role":  {"roles": []string{"user\x00admin"}},
		"R9068-4: a NUL among many": {"scope": strings.Repeat("s ", 20) + "t", "roles": []string{"user\x00admin"}},
		"R9068-4: an empty role":    {"roles": []string{""}},
		"R9068-4: one empty of two": {"roles": []string{"", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			b, token := scheme(t), sign(t, "ES256", nil, claims)
			first, again := wantAccepted(t, b, token), wantAccepted(t, b, token)
			if !slices.Equal(first.Scopes, again.Scopes) || !slices.Equal(first.Roles, again.Roles) || first.Client != again.Client || first.Issuer != again.Issuer {
				t.Errorf("%+v, and then %+v", first, again)
			}
		})
	}
	t.Run("R9700-2: one token at many configurations takes bounded room", func(t *testing.T) {
		c, token := newCache(defaultCacheSize), store.Key{1}
		for i := range byte(2 * maxConfigs) {
			c.add(token, &cachedToken{grant: unique.Make(grant{config: unique.Make([32]byte{i})}), until: int64(i)})
		}
		var count int
		for entry, _ := c.GetIfPresent(token); entry != nil; entry = entry.more().next {
			count++
		}
		if last := c.token(cacheKey{token, unique.Make([32]byte{2*maxConfigs - 1})}); count != maxConfigs || last == nil || c.token(cacheKey{token, unique.Make([32]byte{0})}) != nil {
			t.Errorf("%d are kept, the last one: %v", count, last)
		}
		c.add(token, &cachedToken{grant: unique.Make(grant{config: unique.Make([32]byte{9})}), until: 99})
		if again := c.token(cacheKey{token, unique.Make([32]byte{9})}); again.until != 99 {
			t.Errorf("it is until %d", again.until)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := newRemembering(b)
	token := r.mint(b, "alice", "api")
	request := authn.NewRequest(httptest.NewRequest("GET", "/", nil))
	credential := authn.Credential{Scheme: bearerScheme, Value: token, Location: authn.AuthorizationField}
	for _, bench := range []struct {
		name  string
		reset bool
	}{{"new", true}, {"known", false}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if bench.reset {
					r.cache.InvalidateAll()
				}
				if r.Verify(context.Background(), request, credential).Verdict != authn.Accepted {
					b.Fatal("refused")
				}
			}
		})
	}
}
