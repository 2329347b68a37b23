package basic

import (
	"fmt"
	"strings"
	"testing"
)

// TestCosts refuses too slow and too weak hashes at load.
func TestCosts(t *testing.T) {
	bcrypt := func(cost string) string { return "$2a$" + cost + "$" + strings.Repeat("a", 53) }
	argon := func(memory, passes, threads, size int) string {
		return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$4ojZ3xpMdrg9Z3XSiJh46g$%s", memory, passes, threads, strings.Repeat("A", size))
	}
	for _, row := range []struct {
		hash    string
		refused bool
	}{
		{bcrypt("04"), false},
		{bcrypt("17"), false},
		{bcrypt("18"), true},
		{bcrypt("31"), true},
		{bcrypt("32"), true},
		{strings.Replace(bcrypt("10"), "2a", "2b", 1), false},
		{strings.Replace(bcrypt("10"), "2a", "2y", 1), false}, // as htpasswd writes it
		{strings.Replace(bcrypt("10"), "2a", "2x", 1), true},
		{bcrypt("10") + "a", true},
		{argon(47104, 1, 1, 43), false},
		{argon(8*64, 64, 64, 22), false},
		{argon(1<<20, 4, 4, 43), false},
		{argon(1<<16, 64, 1, 43), false},
		{argon(1<<20, 5, 4, 43), true},
		{argon(1<<20+1, 1, 4, 43), true},
		{argon(8, 65, 1, 43), true},
		{argon(8, 0, 1, 43), true},
		{argon(8, 1, 0, 43), true},
		{argon(8*65, 1, 65, 43), true},
		{argon(7, 1, 1, 43), true},
		{argon(47104, 1, 1, 20), true},
		{argon(-1, 1, 1, 43), true},
	} {
		t.Run(row.hash[:min(len(row.hash), 34)], func(t *testing.T) {
			if _, err := comparerFor(row.hash); (err != nil) != row.refused {
				t.Errorf("%v", err)
			} else if err != nil && strings.Contains(err.Error(), row.hash[len(row.hash)-8:]) {
				t.Errorf("the message has the hash: %v", err)
			}
		})
	}
}
