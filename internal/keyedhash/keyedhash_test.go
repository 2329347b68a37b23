package keyedhash

import (
	"strings"
	"testing"
)

func TestDigests(t *testing.T) {
	t.Run("LEAK-5: a digest depends on the key of the process", func(t *testing.T) {
		text, list := Of("secret"), OfList("alice", "secret")
		before := key
		defer func() { key = before }()
		if key = newKey(); Of("secret") == text || OfList("alice", "secret") == list || key == before {
			t.Error("the same digest under another key")
		}
	})
	t.Run("LEAK-5: no two lists have one digest", func(t *testing.T) {
		lists := [][]string{{"a", "b", "c"}, {"ab", "", "c"}, {"a", "bc", ""}, {"", "ab", "c"}, {"abc", "", ""}, {"", "", "abc"}, {"abc"}, {}}
		seen := make(map[Digest][]string)
		for _, list := range lists {
			if other := seen[OfList(list...)]; other != nil {
				t.Errorf("%q and %q", list, other)
			}
			seen[OfList(list...)] = list
		}
	})
	t.Run("a long list is read to its end", func(t *testing.T) {
		long := strings.Repeat("x", 1000)
		if OfList("a", long+"y") == OfList("a", long+"z") {
			t.Error("the same digest")
		}
	})
	t.Run("LEAK-5: a short list takes no memory", func(t *testing.T) {
		if n := testing.AllocsPerRun(100, func() { OfList("a user", "a hash", "a password") }); n != 0 {
			t.Errorf("%v allocations", n)
		}
	})
}
