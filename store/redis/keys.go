package redis

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/store"
)

// keys names the keys in Redis. A script needs all its keys on one node of a
// cluster, so they share a hash tag, the part in braces. All entries are on one node
// and all counters on another or the same. Used proofs are spread over the nodes, by
// owner.
type keys struct{ prefix string }

// first is a sorted set of the used keys of an owner.
func (k keys) first(owner store.Key) string { return k.prefix + ":first:" + encode(owner) }

// counters is a hash of the counters, counterEnds a sorted set of their ends.
func (k keys) counters() string    { return k.prefix + ":{counters}" }
func (k keys) counterEnds() string { return k.counters() + ":ends" }

// publicKeys is a hash of the public keys of the instances.
func (k keys) publicKeys() string { return k.prefix + ":{keys}" }

func (k keys) group() string { return "{" + k.prefix + ":marks}" }

// probe is a key that tests whether Redis accepts writes.
func (k keys) probe() string { return k.group() + ":probe" }

// entries is a hash of the entries of a kind, ends a sorted set of their ends.
func (k keys) entries(kind store.EntryKind) string { return k.group() + ":" + string(kind) }
func (k keys) ends(kind store.EntryKind) string    { return k.entries(kind) + ":ends" }

// about is a hash of more members of the entries of a kind. Older instances do not
// read it. The form of what they read must not change.
func (k keys) about(kind store.EntryKind) string { return k.entries(kind) + ":about" }

// changes is a stream of the published entries.
func (k keys) changes() string { return k.group() + ":changes" }

func encode(key store.Key) string { return base64.RawURLEncoding.EncodeToString(key[:]) }

var errNoEntry = errors.New("invalid entry under the prefix in Redis")

// encodeEntry writes the two instants of an entry in Unix milliseconds, zero for none.
func encodeEntry(entry store.Entry) (before, until string) {
	if !entry.Before.IsZero() {
		before = strconv.FormatInt(entry.Before.UnixMilli(), 10)
	}
	if before == "" {
		before = "0"
	}
	return before, strconv.FormatInt(entry.Until.UnixMilli(), 10)
}

// decodeEntry reads an entry from Redis.
func decodeEntry(kind store.EntryKind, key, value string) (store.Entry, error) {
	entry := store.Entry{Kind: kind}
	digest, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(digest) != len(entry.Key) {
		return entry, errNoEntry
	}
	entry.Key = store.Key(digest)
	before, until, _ := strings.Cut(value, " ")
	beforeMilli, errBefore := strconv.ParseInt(before, 10, 64)
	untilMilli, errUntil := strconv.ParseInt(until, 10, 64)
	if errBefore != nil || errUntil != nil {
		return entry, fmt.Errorf("%w: its instants are not numbers", errNoEntry)
	}
	if beforeMilli != 0 {
		entry.Before = time.UnixMilli(beforeMilli)
	}
	entry.Until = time.UnixMilli(untilMilli)
	return entry, nil
}

// encodeAbout writes Created, in Unix milliseconds, and About. It is empty if the entry
// has neither.
func encodeAbout(entry store.Entry) string {
	if entry.Created.IsZero() {
		return ""
	}
	return strconv.FormatInt(entry.Created.UnixMilli(), 10) + " " + entry.About
}

// decodeAbout adds Created and About to an entry.
func decodeAbout(entry store.Entry, value string) (store.Entry, error) {
	if value == "" {
		return entry, nil
	}
	created, about, _ := strings.Cut(value, " ")
	milli, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return entry, fmt.Errorf("%w: its creation is not a number", errNoEntry)
	}
	entry.Created, entry.About = time.UnixMilli(milli), about
	return entry, nil
}

// truncate truncates the instants of an entry to milliseconds.
func truncate(entry store.Entry) store.Entry {
	if !entry.Before.IsZero() {
		entry.Before = time.UnixMilli(entry.Before.UnixMilli())
	}
	if !entry.Created.IsZero() {
		entry.Created = time.UnixMilli(entry.Created.UnixMilli())
	}
	entry.Until = time.UnixMilli(entry.Until.UnixMilli())
	return entry
}
