package keyset

import (
	"maps"
	"slices"
)

// maxCandidates bounds the keys of one answer. A caller tries all of them, and each
// costs a signature check.
const maxCandidates = 8

// Set is an immutable collection of keys. Its zero value is empty.
type Set struct {
	keys    []*Key
	ids     map[string]struct{}
	answers map[question][]*Key // by kid and alg; an empty kid asks for any key
	unnamed map[string][]*Key   // by alg: keys without an ID
	skipped []string
	reasons map[string]string // by the ID of a key that was left out

	fingerprint uint64 // of the document; zero for the empty set
}

// question is the kid and alg of a token's header.
type question struct{ kid, alg string }

// newSet prepares the answers to all questions. So a look-up in a set of 1,000 keys
// costs as much as one in a set of one.
func newSet(keys []*Key, skipped []string) *Set {
	set := &Set{
		keys:    keys,
		ids:     make(map[string]struct{}, len(keys)),
		answers: make(map[question][]*Key),
		unnamed: make(map[string][]*Key),
		skipped: skipped,
	}
	for _, key := range keys {
		if key.ID != "" {
			set.ids[key.ID] = struct{}{}
		}
		for _, alg := range key.Algorithms {
			addCandidate(set.answers, question{alg: alg}, key)
			if key.ID == "" {
				addCandidate(set.unnamed, alg, key)
			} else {
				addCandidate(set.answers, question{kid: key.ID, alg: alg}, key)
			}
		}
	}
	return set
}

// addCandidate leaves no spare capacity: a caller that appends to an answer gets a
// copy.
func addCandidate[K comparable](answers map[K][]*Key, query K, key *Key) {
	if candidates := answers[query]; len(candidates) < maxCandidates {
		answers[query] = slices.Clip(append(candidates, key))
	}
}

// Find returns the keys that may verify a token with this kid and alg, at most eight,
// in the order of the document. The slice must not change.
//
// With a kid these are the keys of exactly that ID, and several if the document repeats
// it. For an unknown kid they are the keys without an ID, such as those of PEM files.
// For an empty kid they are all keys that allow alg.
func (s *Set) Find(kid, alg string) []*Key {
	if kid == "" || s.Has(kid) {
		return s.answers[question{kid, alg}]
	}
	return s.unnamed[alg]
}

// Has reports whether a key has this ID, whatever its algorithms.
func (s *Set) Has(kid string) bool {
	_, found := s.ids[kid]
	return found
}

// Keys returns the keys in the order of the document. The slice must not change. It is
// empty for a nil set.
func (s *Set) Keys() []*Key {
	if s == nil {
		return nil
	}
	return s.keys
}

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }

// Algorithms returns the algorithms of all keys, sorted and distinct.
func (s *Set) Algorithms() []string {
	distinct := make(map[string]struct{})
	for _, key := range s.keys {
		for _, alg := range key.Algorithms {
			distinct[alg] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(distinct))
}

// Skipped lists the skipped keys of the document with the reasons: a bounded number of
// lines for a log, without key material.
func (s *Set) Skipped() []string { return slices.Clone(s.skipped) }

// WhySkipped returns why the key of this ID was skipped. It is empty for other keys,
// and for a nil set.
func (s *Set) WhySkipped(kid string) string {
	if s == nil || s.Has(kid) {
		return ""
	}
	return s.reasons[kid]
}
