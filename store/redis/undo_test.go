package redis

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/excorp/caddy-require-auth/store"
)

// entryNamed is a revocation that says what it is about.
func entryNamed(t *testing.T, name string) store.Entry {
	t.Helper()
	entry, err := store.Revocation{TokenID: name}.Entry(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return entry
}

func holds(s *shared, entry store.Entry) bool {
	_, found := s.Lookup(store.EntryRevoked, entry.Key)
	return found
}

func publishOn(t *testing.T, s *shared, entry store.Entry) {
	t.Helper()
	if err := s.Publish(t.Context(), entry); err != nil {
		t.Fatal(err)
	}
}

func undoOn(t *testing.T, s *shared, entry store.Entry) {
	t.Helper()
	if _, found, err := s.Undo(t.Context(), entry.Key); !found || err != nil {
		t.Fatal(found, err)
	}
}

// publishAsBefore does what an instance of an older version does: its script
// knows neither what marks are about nor undoing.
func publishAsBefore(t *testing.T, server *miniredis.Miniredis, k keys, entry store.Entry) {
	t.Helper()
	before, until := encodeEntry(entry)
	server.HSet(k.entries(entry.Kind), encode(entry.Key), before+" "+until)
	if _, err := server.ZAdd(k.ends(entry.Kind), float64(entry.Until.UnixMilli()), encode(entry.Key)); err != nil {
		t.Fatal(err)
	}
	last := beginning
	if entries, err := server.Stream(k.changes()); err == nil && len(entries) > 0 {
		last = entries[len(entries)-1].ID
	}
	if _, err := server.XAdd(k.changes(), "*", []string{"prev", last, "kind", string(entry.Kind), "key", encode(entry.Key), "mark", before + " " + until}); err != nil {
		t.Fatal(err)
	}
}

func TestUndoIsNotTakenBack(t *testing.T) {
	t.Parallel()
	t.Run("by an instance that was away meanwhile", func(t *testing.T) {
		server := start(t)
		wire := layWire(t, server.Addr())
		late, one := group(t, wire.address, 1)[0], instances(t, server, 1)[0]
		entry := entryNamed(t, "token")
		publishOn(t, one, entry)
		eventually(t, "both know", func() bool { return holds(late, entry) })
		wire.cut()
		eventually(t, "it is away", func() bool { return !late.Healthy() })
		undoOn(t, one, entry)
		server.Del(one.keys.changes()) // it has to read everything again
		wire.mend()
		eventually(t, "it is back and knows", func() bool { return late.Healthy() && !holds(late, entry) })
		if holds(one, entry) || holds(instances(t, server, 1)[0], entry) {
			t.Error("the revocation is back")
		}
	})
	t.Run("by what an instance that does not know of it writes back", func(t *testing.T) {
		server := start(t)
		one := instances(t, server, 1)[0]
		entry := entryNamed(t, "token")
		publishOn(t, one, entry)
		undoOn(t, one, entry)
		if err := one.store(t.Context(), entry.Kind, asBackup, truncate(entry)); err != nil {
			t.Fatal(err)
		}
		if holds(instances(t, server, 1)[0], entry) {
			t.Error("the revocation is back")
		}
	})
	t.Run("by a Redis that has lost everything, or has an older state", func(t *testing.T) {
		server := start(t)
		one := instances(t, server, 1)[0]
		entry := entryNamed(t, "token")
		publishOn(t, one, entry)
		undoOn(t, one, entry)
		server.FlushAll()
		eventually(t, "the undo is written back", func() bool { return server.Exists(one.keys.entries(store.EntryUndo)) })
		before, until := encodeEntry(truncate(entry))
		server.HSet(one.keys.entries(store.EntryRevoked), encode(entry.Key), before+" "+until)
		server.HSet(one.keys.about(store.EntryRevoked), encode(entry.Key), encodeAbout(truncate(entry)))
		if holds(instances(t, server, 1)[0], entry) || holds(one, entry) {
			t.Error("the revocation is back")
		}
	})
	t.Run("and a new revocation holds, also by a clock that is behind", func(t *testing.T) {
		server := start(t)
		all := instances(t, server, 2)
		entry := entryNamed(t, "token")
		entry.Created = entry.Created.Add(time.Minute)
		publishOn(t, all[0], entry)
		undoOn(t, all[0], entry)
		entry.Created = entry.Created.Add(-2 * time.Minute)
		publishOn(t, all[0], entry)
		eventually(t, "both know", func() bool { return holds(all[0], entry) && holds(all[1], entry) })
		if !holds(instances(t, server, 1)[0], entry) {
			t.Error("a new instance does not know")
		}
		again := entryNamed(t, "again")
		publishOn(t, all[0], again)
		eventually(t, "both know", func() bool { return holds(all[1], again) })
		undoOn(t, all[0], again)
		again.Created = again.Created.Add(-time.Minute)
		if err := all[1].store(t.Context(), again.Kind, asNew, truncate(again)); err != nil { // before it has heard of the undo
			t.Fatal(err)
		}
		eventually(t, "both know", func() bool { return holds(all[0], again) && holds(all[1], again) })
	})
}

func TestUndoNeedsRedis(t *testing.T) {
	server := start(t)
	wire := layWire(t, server.Addr())
	one := group(t, wire.address, 1)[0]
	entry := entryNamed(t, "token")
	publishOn(t, one, entry)
	wire.cut()
	eventually(t, "it is away", func() bool { return !one.Healthy() })
	if _, found, err := one.Undo(t.Context(), entry.Key); found || err == nil || !holds(one, entry) {
		t.Error("the other instances do not know, without an error", found, err)
	}
	alone, _ := instance(t, Redis{Addresses: []string{wire.address}})
	if _, found, err := alone.Undo(t.Context(), entry.Key); found || err == nil {
		t.Error("the entry to undo is unknown, without an error", found, err)
	}
}

// TestOlderInstances has instances of this version and of one that does not know
// of undoing in one group.
func TestOlderInstances(t *testing.T) {
	server := start(t)
	all := instances(t, server, 2)
	one := all[0]
	t.Run("what an older one publishes holds, is listed and can be undone", func(t *testing.T) {
		entry := truncate(entryNamed(t, "of an older one"))
		publishAsBefore(t, server, one.keys, entry)
		eventually(t, "both know", func() bool { return holds(all[0], entry) && holds(all[1], entry) })
		late := instances(t, server, 1)[0]
		for id := range late.Revocations() {
			if id.Key != entry.Key || id.About != "" || !id.Created.IsZero() {
				t.Errorf("%+v", id)
			}
		}
		undoOn(t, late, entry)
		eventually(t, "it is undone", func() bool { return !holds(all[0], entry) && !holds(all[1], entry) })
		publishAsBefore(t, server, one.keys, entry)
		eventually(t, "it holds again", func() bool { return holds(all[0], entry) && holds(all[1], entry) && holds(late, entry) })
		if !holds(instances(t, server, 1)[0], entry) {
			t.Error("a new instance does not know")
		}
		undoOn(t, all[1], entry)
		eventually(t, "it is undone", func() bool { return !holds(all[0], entry) && !holds(late, entry) })
	})
	t.Run("an older one can read what this version writes", func(t *testing.T) {
		entry := entryNamed(t, "of this version")
		publishOn(t, one, entry)
		undoOn(t, one, entry)
		publishOn(t, one, entryNamed(t, "another"))
		form := regexp.MustCompile(`^[0-9]+ [0-9]+$`)
		for _, kind := range []store.EntryKind{store.EntryRevoked, store.EntryBlocked} {
			fields, _ := server.HKeys(one.keys.entries(kind))
			for _, field := range fields {
				if value := server.HGet(one.keys.entries(kind), field); !form.MatchString(value) {
					t.Errorf("%q", value)
				}
			}
		}
		entries, err := server.Stream(one.keys.changes())
		if err != nil {
			t.Fatal(err)
		}
		for i, entry := range entries {
			values := map[string]string{}
			for n := 0; n+1 < len(entry.Values); n += 2 {
				values[entry.Values[n]] = entry.Values[n+1]
			}
			older, err := decodeEntry(store.EntryKind(values["kind"]), values["key"], values["mark"])
			if err != nil {
				t.Errorf("change %d: %v", i, err)
			}
			if values["kind"] == string(store.EntryUndo) && older.Until.After(time.UnixMilli(0)) {
				t.Errorf("an older one takes the undo for a revocation until %s", older.Until)
			}
		}
	})
}

func TestAboutsEndWithTheirMarks(t *testing.T) {
	server := start(t)
	one := instances(t, server, 1)[0]
	for i := range 3 {
		publishOn(t, one, entryNamed(t, strconv.Itoa(i)))
	}
	undoOn(t, one, entryNamed(t, "0"))
	for name, want := range map[string]int{one.keys.about(store.EntryRevoked): 2, one.keys.entries(store.EntryRevoked): 2, one.keys.entries(store.EntryUndo): 1} {
		if fields, err := server.HKeys(name); len(fields) != want || err != nil {
			t.Errorf("%s has %q, %v", name, fields, err)
		}
	}
	for _, name := range server.Keys() {
		if server.TTL(name) <= 0 {
			t.Errorf("%s does not end", name)
		}
	}
	server.SetTime(time.Now().Add(store.KeepRevocation + time.Hour))
	if err := one.removeEnded(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range server.Keys() {
		if name != one.keys.changes() {
			t.Errorf("%s is left", name)
		}
	}
}
