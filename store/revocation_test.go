package store

import (
	"strings"
	"testing"
	"time"
)

func TestRevocationEntry(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	for name, test := range map[string]struct {
		revocation Revocation
		want       Entry
		about      string
	}{
		"a token id": {Revocation{TokenID: "a"}, Entry{Key: KeyOfTokenID("", "a"), Until: now.Add(KeepRevocation)}, `{"jti":"a"}`},
		"a token id of an issuer, for a time": {
			Revocation{TokenID: "a", Issuer: "i", Until: now.Add(1)},
			Entry{Key: KeyOfTokenID("i", "a"), Until: now.Add(1)},
			`{"jti":"a","issuer":"i"}`,
		},
		"a subject, up to now": {Revocation{Subject: "s"}, Entry{Key: KeyOfSubject("", "s"), Before: now, Until: now.Add(KeepRevocation)}, `{"sub":"s"}`},
		"a subject, up to an instant": {
			Revocation{Subject: "s", Before: now.Add(-1)},
			Entry{Key: KeyOfSubject("", "s"), Before: now.Add(-1), Until: now.Add(KeepRevocation)},
			`{"sub":"s"}`,
		},
		"a caller of a scheme, whenever the credential was issued": {
			Revocation{Subject: "s", Scheme: "keys"},
			Entry{Key: keyOfCaller("keys", "s"), Until: now.Add(KeepRevocation)},
			`{"sub":"s","scheme":"keys"}`,
		},
		"a session, whenever its tokens were issued": {
			Revocation{Session: "s", Issuer: "i"},
			Entry{Key: KeyOfSession("i", "s"), Until: now.Add(KeepRevocation)},
			`{"sid":"s","issuer":"i"}`,
		},
		"a session, up to an instant": {
			Revocation{Session: "s", Before: now.Add(-1)},
			Entry{Key: KeyOfSession("", "s"), Before: now.Add(-1), Until: now.Add(KeepRevocation)},
			`{"sid":"s"}`,
		},
		"a digest": {
			Revocation{Digest: Key{1}},
			Entry{Key: KeyOfToken(Key{1}), Until: now.Add(KeepRevocation)},
			`{"digest":"01` + strings.Repeat("00", 31) + `"}`,
		},
		"a name that is too long to be listed": {
			Revocation{TokenID: strings.Repeat("é", 300)},
			Entry{Key: KeyOfTokenID("", strings.Repeat("é", 300)), Until: now.Add(KeepRevocation)},
			`{"jti":"` + strings.Repeat("é", 128) + `…"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.want.Kind, test.want.Created, test.want.About = EntryRevoked, now, test.about
			if got, err := test.revocation.Entry(now); err != nil || got != test.want {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
	for name, revocation := range map[string]Revocation{
		"nothing":                   {},
		"an issuer alone":           {Issuer: "i"},
		"two at once":               {TokenID: "a", Subject: "b"},
		"one that has ended":        {TokenID: "a", Until: now},
		"a scheme alone":            {Scheme: "keys"},
		"a scheme beside an issuer": {Subject: "b", Scheme: "keys", Issuer: "i"},
		"a scheme for a token id":   {TokenID: "a", Scheme: "keys"},
		"a session and a subject":   {Subject: "b", Session: "c"},
		"a digest beside a subject": {Subject: "b", Digest: Key{1}},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			if _, err := revocation.Entry(now); err == nil {
				t.Error("it is accepted")
			}
		})
	}
}

func TestEntry(t *testing.T) {
	now := time.Unix(1_000_000_000, 0)
	before := Entry{Before: now}
	for name, test := range map[string]struct {
		mark   Entry
		issued time.Time
		want   bool
	}{
		"issued before":                   {before, now.Add(-1), true},
		"issued at that instant":          {before, now, false},
		"issued after":                    {before, now.Add(1), false},
		"it is not known when":            {before, time.Time{}, true},
		"whenever it was":                 {Entry{}, now, true},
		"whenever it was, nobody says so": {Entry{}, time.Time{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := test.mark.Covers(test.issued); got != test.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	seen := map[Key]int{}
	for i, parts := range [][]string{{"a"}, {"a", ""}, {"a", "b"}, {"ab"}, {"a", "b", ""}, {"a", "", "b"}, {"a", "\x00\x00\x00\x01b"}} {
		if other, twice := seen[KeyOf(parts[0], parts[1:]...)]; twice {
			t.Errorf("%q has the key of number %d", parts, other)
		}
		seen[KeyOf(parts[0], parts[1:]...)] = i
	}
}

func TestDigestOfToken(t *testing.T) {
	const header = "eyJhbGciOiJFUzI1NiJ9" // {"alg":"ES256"}
	same := func(a, b string) bool { return DigestOfToken(a) == DigestOfToken(b) }
	for name, test := range map[string]struct {
		a, b string
		same bool
	}{
		"a signed token with another signature":      {header + ".e30.AA", header + ".e30.BB", true},
		"a signed token with other claims":           {header + ".e30.AA", header + ".e31.AA", false},
		"an opaque token":                            {"abc", "abc", true},
		"another opaque token":                       {"abc", "abd", false},
		"opaque tokens of three parts that differ":   {"v1.tenant.a", "v1.tenant.b", false},
		"opaque tokens of two parts that differ":     {"tenant.a", "tenant.b", false},
		"a first part that is JSON, but no object":   {"bnVsbA.e30.AA", "bnVsbA.e30.BB", false},
		"an encrypted token":                         {header + ".a.b.c.AA", header + ".a.b.c.BB", false},
		"a signed token and what its signature says": {header + ".e30.AA", header + ".e30.", true},
	} {
		if got := same(test.a, test.b); got != test.same {
			t.Errorf("%s: %t", name, got)
		}
	}
}
