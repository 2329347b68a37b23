package basic

import (
	"fmt"
	"testing"
)

// newMixedDirectory are users with hashes of two kinds, one of ten with the second.
func newMixedDirectory(t *testing.T, many int) *directory {
	t.Helper()
	var accounts []account
	for i := range many {
		kind := "$2a$10$"
		if i%10 == 9 {
			kind = "$argon2id$v=19$m=47104,t=1,p=1$"
		}
		accounts = append(accounts, account{name: fmt.Sprint("user-", i), hash: fmt.Appendf(nil, "%s%030d", kind, i*i)})
	}
	directory, err := newDirectory(accounts)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestDecoys(t *testing.T) {
	kinds := func(d *directory) (all []string) {
		for i := range 1000 {
			all = append(all, hashParameters(d.decoy(fmt.Sprint("nobody-", i)).hash))
		}
		return all
	}
	differ := func(one, other []string) (times int) {
		for i := range one {
			if one[i] != other[i] {
				times++
			}
		}
		return times
	}
	first := kinds(newMixedDirectory(t, 20))
	t.Run("LEAK-2: an unknown name keeps its kind of hash at a reload, and has it at every instance", func(t *testing.T) {
		for range 5 {
			if n := differ(first, kinds(newMixedDirectory(t, 20))); n != 0 {
				t.Fatalf("%d of 1,000 names have another kind", n)
			}
		}
	})
	t.Run("LEAK-2: with a user more, too, apart from a few", func(t *testing.T) {
		if n := differ(first, kinds(newMixedDirectory(t, 21))); n > 50 {
			t.Errorf("%d of 1,000 names have another kind", n)
		}
	})
	t.Run("LEAK-2: kinds are as frequent as among users", func(t *testing.T) {
		argon := 0
		for _, kind := range first {
			if kind == "$argon2id$v=19$m=47104,t=1,p=1" {
				argon++
			}
		}
		if argon < 70 || argon > 130 {
			t.Errorf("%d of 1,000 names have the kind that one user of ten has", argon)
		}
	})
}
