package redis

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// keys names the keys in Redis. A script needs all its keys on one node of a
// cluster, so they share a hash tag, the part in braces. All marks are on one node
// and all counters on another or the same. Used proofs are spread over the nodes, by
// owner.
type keys struct{ prefix string }

// first is a sorted set of what an owner has used up.
func (k keys) first(owner authn.Key) string { return k.prefix + ":first:" + encode(owner) }

// counters is a hash of the counters, counterEnds a sorted set of their ends.
func (k keys) counters() string    { return k.prefix + ":{counters}" }
func (k keys) counterEnds() string { return k.counters() + ":ends" }

func (k keys) group() string { return "{" + k.prefix + ":marks}" }

// probe is written to find out whether Redis takes anything.
func (k keys) probe() string { return k.group() + ":probe" }

// marks is a hash with the marks of a kind, ends a sorted set of when they end.
func (k keys) marks(kind authn.EntryKind) string { return k.group() + ":" + string(kind) }
func (k keys) ends(kind authn.EntryKind) string  { return k.marks(kind) + ":ends" }

// about is a hash with what else is said of the marks of a kind. Instances of older
// versions do not read it. What they read may not change its form.
func (k keys) about(kind authn.EntryKind) string { return k.marks(kind) + ":about" }

// changes is a stream of marks as they were announced.
func (k keys) changes() string { return k.group() + ":changes" }

func encode(key authn.Key) string { return base64.RawURLEncoding.EncodeToString(key[:]) }

var errForeign = errors.New("Redis holds something under the prefix that is no mark")

// encodeMark writes what a mark says beside its kind and key: the two instants
// in Unix milliseconds, zero for none.
func encodeMark(entry authn.Entry) (before, until string) {
	if !entry.Before.IsZero() {
		before = strconv.FormatInt(entry.Before.UnixMilli(), 10)
	}
	if before == "" {
		before = "0"
	}
	return before, strconv.FormatInt(entry.Until.UnixMilli(), 10)
}

// decodeMark reads a mark as it is in Redis.
func decodeMark(kind authn.EntryKind, key, value string) (authn.Entry, error) {
	entry := authn.Entry{Kind: kind}
	digest, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(digest) != len(entry.Key) {
		return entry, errForeign
	}
	entry.Key = authn.Key(digest)
	before, until, _ := strings.Cut(value, " ")
	beforeMilli, errBefore := strconv.ParseInt(before, 10, 64)
	untilMilli, errUntil := strconv.ParseInt(until, 10, 64)
	if errBefore != nil || errUntil != nil {
		return entry, fmt.Errorf("%w: its instants are no numbers", errForeign)
	}
	if beforeMilli != 0 {
		entry.Before = time.UnixMilli(beforeMilli)
	}
	entry.Until = time.UnixMilli(untilMilli)
	return entry, nil
}

// encodeAbout writes what else a mark says: when it was created, in Unix
// milliseconds, and what it is about. It is empty if the mark says neither.
func encodeAbout(entry authn.Entry) string {
	if entry.Created.IsZero() {
		return ""
	}
	return strconv.FormatInt(entry.Created.UnixMilli(), 10) + " " + entry.About
}

// decodeAbout adds to a mark what else Redis has about it.
func decodeAbout(entry authn.Entry, value string) (authn.Entry, error) {
	if value == "" {
		return entry, nil
	}
	created, about, _ := strings.Cut(value, " ")
	milli, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return entry, fmt.Errorf("%w: its creation is no number", errForeign)
	}
	entry.Created, entry.About = time.UnixMilli(milli), about
	return entry, nil
}

// rounded leaves out of a mark what is finer than a millisecond.
func rounded(entry authn.Entry) authn.Entry {
	if !entry.Before.IsZero() {
		entry.Before = time.UnixMilli(entry.Before.UnixMilli())
	}
	if !entry.Created.IsZero() {
		entry.Created = time.UnixMilli(entry.Created.UnixMilli())
	}
	entry.Until = time.UnixMilli(entry.Until.UnixMilli())
	return entry
}
