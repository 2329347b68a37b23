package keyset

import (
	"crypto/elliptic"
	"fmt"
	"slices"
	"testing"
)

func mustParse(t testing.TB, document []byte) *Set {
	t.Helper()
	set, err := Parse(document)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestSetFind(t *testing.T) {
	named := mustParse(t, jwksOf(t, jwkOf(t, "a", edKey(t)), jwkOf(t, "b", &ecKey(t, elliptic.P256()).PublicKey)))
	file := mustParse(t, pemOf(t, edKey(t)))
	mixed := mustParse(t, jwksOf(t, jwkOf(t, "a", edKey(t)), jwkOf(t, "b", &ecKey(t, elliptic.P256()).PublicKey), jwkOf(t, "", edKey(t))))
	many := make([]entry, 20)
	for i := range many {
		many[i] = jwkOf(t, "", edKey(t))
	}
	unnamed := mustParse(t, jwksOf(t, many...))
	tests := []struct {
		name     string
		set      *Set
		kid, alg string
		want     int
	}{
		{"kid and alg fit", named, "a", "EdDSA", 1},
		{"JWT-3: kid fits, alg does not", named, "a", "ES256", 0},
		{"JWT-5: no such kid", named, "c", "EdDSA", 0},
		{"JWT-6: kid is opaque", named, "./a", "EdDSA", 0},
		{"JWT-5: no kid", named, "", "ES256", 1},
		{"JWT-5: no kid, no such alg", named, "", "RS256", 0},
		{"a key without an ID answers for any kid", file, "c", "EdDSA", 1},
		{"JWT-3: and for its own algorithms only", file, "c", "ES256", 0},
		{"a key of that ID goes before keys without one", mixed, "a", "EdDSA", 1},
		{"JWT-3: and instead of them, whatever its algorithms", mixed, "b", "EdDSA", 0},
		{"keys without an ID beside others", mixed, "c", "EdDSA", 1},
		{"no kid asks all", mixed, "", "EdDSA", 2},
		{"JWT-5: no kid, bounded", unnamed, "", "EdDSA", maxCandidates},
		{"JWT-5: keys without an ID, bounded", unnamed, "c", "EdDSA", maxCandidates},
		{"the zero set", new(Set), "a", "EdDSA", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			found := test.set.Find(test.kid, test.alg)
			if len(found) != test.want {
				t.Fatalf("got %v, want %d keys", found, test.want)
			}
			for _, key := range found {
				if !key.Allows(test.alg) {
					t.Errorf("%v does not allow %s", key, test.alg)
				}
			}
		})
	}
}

func TestSetIsImmutable(t *testing.T) {
	set := mustParse(t, publish(t, "a", "a", "a"))
	found := set.Find("a", "EdDSA")
	_ = append(found, nil)
	if again := set.Find("a", "EdDSA"); len(again) != 3 || cap(again) != 3 {
		t.Errorf("an answer has %d keys and room for %d", len(again), cap(again))
	}
}

func TestSetAlgorithms(t *testing.T) {
	set := mustParse(t, jwksOf(t, jwkOf(t, "a", edKey(t)), jwkOf(t, "b", edKey(t)), jwkOf(t, "", &ecKey(t, elliptic.P256()).PublicKey)))
	if got, want := set.Algorithms(), []string{"ES256", "Ed25519", "EdDSA"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if set.Len() != 3 || !set.Has("b") || set.Has("c") || set.Has("") {
		t.Errorf("got %v", set.keys)
	}
}

func BenchmarkSetFind(b *testing.B) {
	for _, size := range []int{1, 1000} {
		ids := make([]string, size)
		for i := range ids {
			ids[i] = fmt.Sprintf("key-%d", i)
		}
		set := mustParse(b, publish(b, ids...))
		b.Run(fmt.Sprintf("%d keys", size), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(set.Find(ids[size-1], "EdDSA")) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}
