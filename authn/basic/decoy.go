package basic

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"

	"github.com/excorp/caddy-require-auth/store"
)

// standIn is what unknown names are compared with: one of the accounts whose
// hashes take as long to compute.
type standIn struct {
	*account
	users float64 // who have such hashes
}

// kindOf is what the time of a comparison depends on: the algorithm and its
// parameters, without the salt and the hash.
func kindOf(hash []byte) string {
	fields := strings.SplitN(string(hash), "$", 5)
	return strings.Join(fields[:max(1, len(fields)-1)], "$")
}

// newStandIns takes the account with the least hash of each kind, which is
// seldom another one when users come and go.
func newStandIns(accounts []account) []standIn {
	var all []standIn
	locations := make(map[string]int)
	for i := range accounts {
		kind := kindOf(accounts[i].hash)
		at, known := locations[kind]
		if !known {
			at, locations[kind] = len(all), len(all)
			all = append(all, standIn{account: &accounts[i]})
		}
		all[at].users++
		if bytes.Compare(accounts[i].hash, all[at].hash) < 0 {
			all[at].account = &accounts[i]
		}
	}
	return all
}

// standIn returns whose hash is computed for a name that is nobody's. Kinds are
// drawn as often as users have them, by what only the hashes themselves tell: so
// the draw is secret, and the same at every load and at every instance. A name
// that is answered now faster and now slower would be known to be nobody's.
//
// The draw is a weighted rendezvous: where users come or go, few names are drawn
// anew.
func (d *directory) standIn(name string) *account {
	var drawn *account
	best := -1.0
	for _, candidate := range d.standIns {
		digest := store.KeyOf("basic: stand-in", string(candidate.hash), name)
		share := (float64(binary.BigEndian.Uint64(digest[:])>>12) + 0.5) / (1 << 52) // between 0 and 1
		if score := candidate.users / -math.Log(share); score > best {
			best, drawn = score, candidate.account
		}
	}
	return drawn
}
