package basic

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/excorp/caddy-require-auth/store"
)

// decoyAccount is compared with the passwords of unknown users. It is the account that
// represents all accounts whose hashes take the same time.
type decoyAccount struct {
	*account
	users float64 // the number of users with such hashes
}

// hashParameters returns the part of a hash that decides the time of a comparison: the
// algorithm and its parameters, without the salt and the digest.
func hashParameters(hash []byte) string {
	fields := strings.SplitN(string(hash), "$", 5)
	return strings.Join(fields[:max(1, len(fields)-1)], "$")
}

// newDecoys returns one account for each kind of hash: the one with the smallest hash.
// A change of users seldom changes it.
func newDecoys(accounts []account) []decoyAccount {
	var all []decoyAccount
	locations := make(map[string]int)
	for i := range accounts {
		kind := hashParameters(accounts[i].hash)
		at, found := locations[kind]
		if !found {
			at, locations[kind] = len(all), len(all)
			all = append(all, decoyAccount{account: &accounts[i]})
		}
		all[at].users++
		if bytes.Compare(accounts[i].hash, all[at].hash) < 0 {
			all[at].account = &accounts[i]
		}
	}
	return all
}

// decoy returns the account whose hash is computed for an unknown name. Each kind of
// hash is chosen as often as users have it. A name always has the same kind: a name
// with varying response times would be recognized as unknown. The choice depends on the
// hashes themselves, so it is secret, and equal at every load and every instance.
//
// It is a weighted rendezvous hash: when users change, few names get another kind.
func (d *directory) decoy(name string) *account {
	var drawn *account
	best := -1.0
	for _, candidate := range d.decoys {
		digest := store.KeyOf("basic: stand-in", string(candidate.hash), name)
		share := (float64(binary.BigEndian.Uint64(digest[:])>>12) + 0.5) / (1 << 52) // between 0 and 1
		if score := candidate.users / -math.Log(share); score > best {
			best, drawn = score, candidate.account
		}
	}
	return drawn
}
