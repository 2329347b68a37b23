package redis

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/internal/entries"
)

func TestMarksAreWidened(t *testing.T) {
	now := time.Now()
	at := func(before, until time.Duration) store.Entry {
		entry := store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf("token"), Until: now.Add(until)}
		if before != 0 {
			entry.Before = now.Add(before)
		}
		return truncate(entry)
	}
	for name, each := range map[string][3]store.Entry{ // what is there, what comes, what is there then
		"the later end, that comes":       {at(0, time.Hour), at(0, 2*time.Hour), at(0, 2*time.Hour)},
		"the later end, that was there":   {at(0, 2*time.Hour), at(0, time.Hour), at(0, 2*time.Hour)},
		"whenever issued, that comes":     {at(-time.Hour, time.Hour), at(0, time.Hour), at(0, time.Hour)},
		"whenever issued, that is there":  {at(0, time.Hour), at(-time.Hour, time.Hour), at(0, time.Hour)},
		"the later Before, that comes":    {at(-time.Hour, time.Hour), at(-time.Minute, time.Hour), at(-time.Minute, time.Hour)},
		"the later Before, that is there": {at(-time.Minute, time.Hour), at(-time.Hour, time.Hour), at(-time.Minute, time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			server := start(t)
			one := instances(t, server, 1)[0]
			for _, entry := range each[:2] {
				if err := one.store(t.Context(), entry.Kind, asNew, entry); err != nil {
					t.Fatal(err)
				}
			}
			value := server.HGet(one.keys.entries(store.EntryRevoked), encode(each[2].Key))
			if got, err := decodeEntry(store.EntryRevoked, encode(each[2].Key), value); got != each[2] || err != nil {
				t.Errorf("got %v, want %v, %v", got, each[2], err)
			}
			if wider := each[0].Wider(each[1]); wider != each[2] {
				t.Errorf("elsewhere it is %v", wider)
			}
		})
	}
}

func TestNewInstanceReadsAll(t *testing.T) {
	t.Parallel()
	server := start(t)
	one := instances(t, server, 1)[0]
	const many = 2*page + 10
	all := make([]store.Entry, many)
	for i := range all {
		all[i] = revocation(strconv.Itoa(i), time.Hour)
	}
	for some := range slices.Chunk(all, 100) {
		if err := one.storeAll(t.Context(), store.EntryRevoked, some); err != nil {
			t.Fatal(err)
		}
	}
	late := instances(t, server, 1)[0]
	for i := range all {
		if !revoked(late, strconv.Itoa(i)) {
			t.Fatalf("revocation %d is not known", i)
		}
	}
	eventually(t, "the other instance has heard of them", func() bool { return revoked(one, strconv.Itoa(many-1)) })
}

func TestRedisLosesEverything(t *testing.T) {
	t.Parallel()
	server := start(t)
	all := instances(t, server, 2)
	if err := all[0].Publish(t.Context(), revocation("token", time.Hour)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both know", func() bool { return revoked(all[1], "token") })
	server.FlushAll()
	eventually(t, "it is written back", func() bool { return server.Exists(all[0].keys.entries(store.EntryRevoked)) })
	if !revoked(instances(t, server, 1)[0], "token") {
		t.Error("a new instance does not know")
	}
}

func TestRedisHasAnOlderState(t *testing.T) {
	t.Parallel()
	server := start(t)
	all := instances(t, server, 2)
	one, publisher := all[0], all[1]
	entry := revocation("token", time.Hour)
	if err := publisher.Publish(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	name := one.keys.entries(store.EntryRevoked)
	before := server.HGet(name, encode(entry.Key))
	entry.Until = entry.Until.Add(time.Hour)
	if err := publisher.Publish(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
	after := server.HGet(name, encode(entry.Key))
	eventually(t, "both know", func() bool {
		stored, _ := one.Lookup(entry.Kind, entry.Key)
		return sameInstants(stored, truncate(entry))
	})
	server.HSet(name, encode(entry.Key), before)
	server.Del(one.keys.changes())
	eventually(t, "the wider mark is written back", func() bool { return server.HGet(name, encode(entry.Key)) == after })
}

func TestMissedChange(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	if err := one.Publish(t.Context(), revocation("first", time.Hour)); err != nil {
		t.Fatal(err)
	}
	// A change without its predecessor, as after the loss of a server. Its effect is only
	// in the entries.
	lost := revocation("lost", time.Hour)
	before, until := encodeEntry(lost)
	server.HSet(one.keys.entries(store.EntryRevoked), encode(lost.Key), before+" "+until)
	next := revocation("next", time.Hour)
	before, until = encodeEntry(next)
	id := strconv.FormatInt(time.Now().Add(time.Hour).UnixMilli(), 10) + "-0"
	if _, err := server.XAdd(one.keys.changes(), id, []string{"prev", "1-1", "kind", "revoked", "key", encode(next.Key), "mark", before + " " + until}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is found", func() bool { return revoked(one, "lost") })
}

func TestNoRoom(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	revocations, blocks := limits[store.EntryRevoked], limits[store.EntryBlocked]
	defer func() { limits[store.EntryRevoked], limits[store.EntryBlocked] = revocations, blocks }()
	limits[store.EntryRevoked] = limit{most: 1, whenFull: revocations.whenFull}
	limits[store.EntryBlocked] = limit{most: 1, whenFull: blocks.whenFull}
	t.Run("a revocation is refused, one that is there is widened", func(t *testing.T) {
		for _, each := range []struct {
			name string
			want error
		}{{"a", nil}, {"b", entries.ErrFull}, {"a", nil}} {
			if err := one.Publish(t.Context(), revocation(each.name, time.Hour)); !errors.Is(err, each.want) {
				t.Errorf("%s: %v", each.name, err)
			}
		}
		if !one.Healthy() {
			t.Error("that there is no room is taken for an outage")
		}
	})
	t.Run("the block that ends first makes way", func(t *testing.T) {
		for _, name := range []string{"a", "b"} {
			entry := revocation(name, time.Hour)
			entry.Kind = store.EntryBlocked
			if err := one.Publish(t.Context(), entry); err != nil {
				t.Error(err)
			}
		}
		members, err := server.ZMembers(one.keys.ends(store.EntryBlocked))
		if err != nil || len(members) != 1 || members[0] != encode(store.KeyOf("b")) {
			t.Error(members, err)
		}
	})
}

func TestWhatHasEndedIsRemoved(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	for name, keep := range map[string]time.Duration{"short": time.Minute, "long": time.Hour} {
		if err := one.Publish(t.Context(), revocation(name, keep)); err != nil {
			t.Fatal(err)
		}
	}
	server.SetTime(time.Now().Add(10 * time.Minute))
	if err := one.removeEnded(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, remaining := range []func() ([]string, error){
		func() ([]string, error) { return server.HKeys(one.keys.entries(store.EntryRevoked)) },
		func() ([]string, error) { return server.ZMembers(one.keys.ends(store.EntryRevoked)) },
	} {
		if members, err := remaining(); err != nil || len(members) != 1 || members[0] != encode(store.KeyOf("long")) {
			t.Error(members, err)
		}
	}
	if err := one.Publish(t.Context(), store.Entry{Kind: store.EntryRevoked, Key: store.KeyOf("over"), Until: time.Now().Add(-time.Second)}); err != nil {
		t.Error(err)
	}
}

func TestAllKeysEnd(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	if _, err := one.First(t.Context(), store.KeyOf("token"), store.KeyOf("proof"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	one.Count(t.Context(), store.KeyOf("client"), time.Hour)
	if err := one.Publish(t.Context(), revocation("token", time.Hour)); err != nil {
		t.Fatal(err)
	}
	names := server.Keys()
	if len(names) != 6 {
		t.Errorf("there are %q", names)
	}
	for _, name := range names {
		if server.TTL(name) <= 0 {
			t.Errorf("%s does not end", name)
		}
		if !strings.HasPrefix(strings.TrimPrefix(name, "{"), defaultPrefix+":") {
			t.Errorf("%s has another prefix", name)
		}
	}
	for _, word := range []string{"proof", "client", "token"} {
		if strings.Contains(server.Dump(), word) {
			t.Errorf("Redis knows the name %q", word)
		}
	}
}

func TestForeignEntries(t *testing.T) {
	key := encode(store.KeyOf("token"))
	for _, each := range [][2]string{
		{"", "0 1"}, {"short", "0 1"}, {key + "A", "0 1"}, {key, ""}, {key, "0"}, {key, "0 x"}, {key, "x 1"}, {key, "0 1 2"},
	} {
		if _, err := decodeEntry(store.EntryRevoked, each[0], each[1]); !errors.Is(err, errNoEntry) {
			t.Errorf("%q: %v", each, err)
		}
	}
}

func TestUnknownKind(t *testing.T) {
	one := instances(t, start(t), 1)[0]
	if err := one.Publish(t.Context(), store.Entry{Kind: "other", Until: time.Now().Add(time.Hour)}); err == nil {
		t.Error("it was taken")
	}
}
