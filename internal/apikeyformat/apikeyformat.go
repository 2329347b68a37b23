// Package apikeyformat generates API keys that secret scanners recognize: a prefix, 256
// random bits and a checksum, in letters and digits only. One regular expression finds
// them, and the checksum distinguishes them from other text.
package apikeyformat

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"math/big"
	"regexp"
)

// DefaultPrefix is the prefix of keys without a chosen one.
const DefaultPrefix = "cra_"

const (
	randomBytes = 32
	// randomLength and checkLength are the number of base 62 digits for 256 and 32
	// bits.
	randomLength = 43
	checkLength  = 6
)

// Pattern is a regular expression that finds keys with the default prefix.
const Pattern = `\bcra_[0-9A-Za-z]{49}\b`

var prefixForm = regexp.MustCompile(`^[A-Za-z0-9_]{1,31}_$`)

// New returns a key. The prefix has letters, digits and `_`, and ends in `_`.
func New(prefix string) (string, error) {
	if !prefixForm.MatchString(prefix) {
		return "", fmt.Errorf("the prefix %q: write 1 to 31 letters, digits or _, and a _ at the end, such as acme_", prefix)
	}
	random := make([]byte, randomBytes)
	if _, err := rand.Read(random); err != nil {
		return "", err
	}
	key := prefix + base62(new(big.Int).SetBytes(random), randomLength)
	return key + checksum(key), nil
}

var shape = regexp.MustCompile(`^[A-Za-z0-9_]{1,31}_[0-9A-Za-z]{49}$`)

// ChecksumMismatch reports whether a key has the form of New and a wrong checksum.
func ChecksumMismatch(key string) bool {
	if !shape.MatchString(key) {
		return false
	}
	body := key[:len(key)-checkLength]
	return checksum(body) != key[len(body):]
}

// Digest is the digest of a key as in a configuration.
func Digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return "sha256:" + hex.EncodeToString(sum[:])
}

// checksum is CRC-32 (IEEE). It distinguishes a key from other text, and is no
// protection against forged keys.
func checksum(text string) string {
	return base62(new(big.Int).SetUint64(uint64(crc32.ChecksumIEEE([]byte(text)))), checkLength)
}

// base62 writes a number with leading zeros.
func base62(number *big.Int, length int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base, rest := big.NewInt(int64(len(digits))), new(big.Int)
	written := make([]byte, length)
	for i := range written {
		number, rest = new(big.Int).DivMod(number, base, rest)
		written[length-1-i] = digits[rest.Int64()]
	}
	return string(written)
}
