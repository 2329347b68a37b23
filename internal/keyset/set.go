package keyset

import (
	"maps"
	"slices"
)

// maxCandidates is how many keys one question is answered with. A caller tries
// them one after the other, and each costs a signature check.
const maxCandidates = 8

// Set is an immutable collection of keys. Its zero value is empty.
type Set struct {
	keys    []*Key
	ids     map[string]struct{}
	answers map[question][]*Key // by kid and alg; an empty kid asks for any key
	unnamed map[string][]*Key   // by alg: keys without an ID
	skipped []string
	why     map[string]string // by the ID of a key that was left out

	fingerprint uint64 // of the document; zero for the empty set
}

// question is what a token's header asks a set for.
type question struct{ kid, alg string }

// newSet prepares the answers to all questions in advance, so that a lookup in
// a set of 1,000 keys costs what it costs in a set of one.
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

// addCandidate leaves no spare capacity behind: a caller that appends to an
// answer gets a copy, and the set stays as it is.
func addCandidate[K comparable](answers map[K][]*Key, query K, key *Key) {
	if candidates := answers[query]; len(candidates) < maxCandidates {
		answers[query] = slices.Clip(append(candidates, key))
	}
}

// Find returns the keys that may verify a token with this kid and alg, at most
// eight, in the order of the document. The slice must not be changed.
//
// With a kid these are the keys of exactly that ID, and several if the document
// repeats it. A kid that no key has is answered with the keys without an ID,
// which is what keys from PEM files are. An empty kid is answered with every key
// that allows alg.
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

// Keys returns the keys in the order of the document. The slice must not be
// changed. A set that is nil has none.
func (s *Set) Keys() []*Key {
	if s == nil {
		return nil
	}
	return s.keys
}

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }

// Algorithms returns what the keys may verify, sorted and distinct.
func (s *Set) Algorithms() []string {
	distinct := make(map[string]struct{})
	for _, key := range s.keys {
		for _, alg := range key.Algorithms {
			distinct[alg] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(distinct))
}

// Skipped says which keys of the document were left out, and why: a bounded
// number of lines to log, free of key material.
func (s *Set) Skipped() []string { return slices.Clone(s.skipped) }

// WhySkipped says why the key of this ID was left out; empty if it was not. A set
// that is nil has left out none.
func (s *Set) WhySkipped(kid string) string {
	if s == nil || s.Has(kid) {
		return ""
	}
	return s.why[kid]
}
