package harness

import (
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// demonstrationHash is the hash in the pages and examples. Its cost is the default
// of caddy hash-password, so it takes about a second to compare.
const demonstrationHash = "$2a$14$XPj.RKKq.qtvfeX8eu1Q7.vjurU9hltoGAhuoaNzsgGw5sKrOmBXy"

var quickHash = sync.OnceValues(func() ([]byte, error) {
	return bcrypt.GenerateFromPassword([]byte("correct horse"), bcrypt.MinCost)
})

// WithQuickHash replaces the hash of the pages by a quick one of the same password.
func WithQuickHash(config string) string {
	hash, err := quickHash()
	if err != nil {
		panic(err)
	}
	return strings.ReplaceAll(config, demonstrationHash, string(hash))
}
