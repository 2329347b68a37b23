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

// keys names the keys in Redis. What a script touches at once has one hash tag,
// the part in braces, so that it is on one node of a cluster; all else is spread
// over the nodes.
type keys struct{ prefix string }

// first is a sorted set of what an owner has used up.
func (k keys) first(owner authn.Key) string { return k.prefix + ":first:" + encode(owner) }

// counters is a hash of the counters, counterEnds a sorted set of when they end.
func (k keys) counters() string    { return k.prefix + ":{counters}" }
func (k keys) counterEnds() string { return k.counters() + ":ends" }

func (k keys) group() string { return "{" + k.prefix + ":marks}" }

// probe is written to find out whether Redis takes anything.
func (k keys) probe() string { return k.group() + ":probe" }

// marks is a hash with the marks of a kind, ends a sorted set of when they end.
func (k keys) marks(kind authn.MarkKind) string { return k.group() + ":" + string(kind) }
func (k keys) ends(kind authn.MarkKind) string  { return k.marks(kind) + ":ends" }

// about is a hash with what else is said of the marks of a kind. Instances of older
// versions do not read it. What they read may not change its form.
func (k keys) about(kind authn.MarkKind) string { return k.marks(kind) + ":about" }

// changes is a stream of marks as they were announced.
func (k keys) changes() string { return k.group() + ":changes" }

func encode(key authn.Key) string { return base64.RawURLEncoding.EncodeToString(key[:]) }

var errForeign = errors.New("Redis holds something under the prefix that is no mark")

// encodeMark writes what a mark says beside its kind and key: the two instants
// in Unix milliseconds, zero for none.
func encodeMark(mark authn.Mark) (before, until string) {
	if !mark.Before.IsZero() {
		before = strconv.FormatInt(mark.Before.UnixMilli(), 10)
	}
	if before == "" {
		before = "0"
	}
	return before, strconv.FormatInt(mark.Until.UnixMilli(), 10)
}

// decodeMark reads a mark as it is in Redis.
func decodeMark(kind authn.MarkKind, key, value string) (authn.Mark, error) {
	mark := authn.Mark{Kind: kind}
	digest, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(digest) != len(mark.Key) {
		return mark, errForeign
	}
	mark.Key = authn.Key(digest)
	before, until, _ := strings.Cut(value, " ")
	beforeMilli, errBefore := strconv.ParseInt(before, 10, 64)
	untilMilli, errUntil := strconv.ParseInt(until, 10, 64)
	if errBefore != nil || errUntil != nil {
		return mark, fmt.Errorf("%w: its instants are no numbers", errForeign)
	}
	if beforeMilli != 0 {
		mark.Before = time.UnixMilli(beforeMilli)
	}
	mark.Until = time.UnixMilli(untilMilli)
	return mark, nil
}

// encodeAbout writes what else a mark says: when it was created, in Unix
// milliseconds, and what it is about. It is empty if the mark says neither.
func encodeAbout(mark authn.Mark) string {
	if mark.Created.IsZero() {
		return ""
	}
	return strconv.FormatInt(mark.Created.UnixMilli(), 10) + " " + mark.About
}

// decodeAbout adds to a mark what else Redis has about it.
func decodeAbout(mark authn.Mark, value string) (authn.Mark, error) {
	if value == "" {
		return mark, nil
	}
	created, about, _ := strings.Cut(value, " ")
	milli, err := strconv.ParseInt(created, 10, 64)
	if err != nil {
		return mark, fmt.Errorf("%w: its creation is no number", errForeign)
	}
	mark.Created, mark.About = time.UnixMilli(milli), about
	return mark, nil
}

// rounded leaves out of a mark what is finer than a millisecond.
func rounded(mark authn.Mark) authn.Mark {
	if !mark.Before.IsZero() {
		mark.Before = time.UnixMilli(mark.Before.UnixMilli())
	}
	if !mark.Created.IsZero() {
		mark.Created = time.UnixMilli(mark.Created.UnixMilli())
	}
	mark.Until = time.UnixMilli(mark.Until.UnixMilli())
	return mark
}
