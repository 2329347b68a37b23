package redis

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"github.com/excorp/caddy-require-auth/internal/lasting"
	"github.com/excorp/caddy-require-auth/store"
	"github.com/excorp/caddy-require-auth/store/internal/entries"
	"github.com/excorp/caddy-require-auth/store/memory"
)

// shared is this process' view of the state of a group. It outlives a configuration.
type shared struct {
	client  redis.UniversalClient
	keys    keys
	timeout time.Duration
	secrets []string
	outage  *outage
	guesses lane // for failed attempts
	proofs  lane // for proofs of possession
	each    int  // bounds the keys of one owner
	most    int  // bounds the counters

	alone  memory.Own   // counts while Redis is away
	copies *entries.Set // of the entries in Redis
	group  string       // names the instances that share the entries
	loaded atomic.Bool  // all entries were read once
	unsent atomic.Bool  // Redis refused a revocation, which only this process has

	firstRead    <-chan struct{} // closed after the first reading of the entries, also a failed one
	endFirstRead func()          // closes firstRead

	stop    context.CancelFunc
	stopped chan struct{} // closed when the follower has ended
}

// groups are the copies of the entries of each group. They outlive the connections,
// because Redis may lack a revocation when the last configuration with this store
// ends.
var groups = lasting.Pool[*entries.Set]{New: entries.New}

// share connects, until Destruct. It uses the logger while no configuration runs.
func share(s settings, logger *zap.Logger) *shared {
	ctx, stop := context.WithCancel(context.Background())
	firstRead := make(chan struct{})
	shared := &shared{
		client: connect(s), keys: keys{prefix: s.prefix}, timeout: s.timeout, secrets: s.secrets,
		outage:  &outage{log: func() *zap.Logger { return currentLogger(logger) }},
		guesses: make(lane, maxGuesses), proofs: make(lane, maxProofs), each: store.MaxKeys, most: store.MaxCounters,
		alone: memory.New(), copies: groups.Acquire(s.group), group: s.group,
		firstRead: firstRead, endFirstRead: sync.OnceFunc(func() { close(firstRead) }),
		stop: stop, stopped: make(chan struct{}),
	}
	go shared.run(ctx)
	return shared
}

// firstWait is how long a configuration waits for the first reading of the entries.
// Without them valid credentials are answered with 503. Tests change it.
var firstWait = time.Second

// awaitFirstRead waits until the entries were read once or could not be read.
func (s *shared) awaitFirstRead(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, firstWait)
	defer cancel()
	select {
	case <-s.firstRead:
	case <-ctx.Done():
	}
}

// currentLogger is the logger of the running configuration. The configuration that
// opened the connection may have ended.
func currentLogger(first *zap.Logger) *zap.Logger {
	if active := caddy.ActiveContext(); active.Context != nil {
		return active.Logger(new(Redis))
	}
	return first
}

// Destruct closes the connections when no configuration uses them.
func (s *shared) Destruct() error {
	s.stop()
	err := s.client.Close() // wakes up the follower
	<-s.stopped
	return errors.Join(err, groups.Release(s.group), s.alone.Destruct())
}

// do runs one command for a request, within the time-out, and not at all while Redis
// is away. A client that cancels its request is no failure of Redis.
func (s *shared) do(ctx context.Context, command func(context.Context) error) error {
	if err := s.outage.err(); err != nil {
		return err
	}
	err := s.call(ctx, command)
	s.note(err)
	return err
}

// call runs one command within the time-out.
func (s *shared) call(ctx context.Context, command func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.timeout)
	defer cancel()
	return redact(command(ctx), s.secrets)
}

// note records the result of a call.
func (s *shared) note(err error) {
	if !errors.Is(err, redis.ErrClosed) { // by Destruct
		s.outage.note(err)
	}
}

//go:embed first.lua
var firstSource string

var first = redis.NewScript(firstSource)

var errShare = errors.New("the token has too many used proofs in Redis")

// First reports whether a key is new to the whole group. It is an error if Redis does
// not answer.
func (s *shared) First(ctx context.Context, owner, key store.Key, until time.Time) (bool, error) {
	result, err := s.first(ctx, owner, key, max(time.Until(until), 0)/time.Millisecond+1, s.each)
	if err == nil && result < 0 {
		err = errShare // and no failure of Redis
	}
	return result > 0 && err == nil, err
}

// Used reports whether the group remembers a key. It is an error if Redis does not
// answer.
func (s *shared) Used(ctx context.Context, owner, key store.Key) (bool, error) {
	result, err := s.first(ctx, owner, key, 1, 0) // an owner with no room only reads
	return result == 0 && err == nil, err
}

// first runs first.lua for a request.
func (s *shared) first(ctx context.Context, owner, key store.Key, keep time.Duration, most int) (result int, err error) {
	err = s.doForProof(ctx, func(ctx context.Context) (err error) {
		result, err = first.Run(ctx, s.client, []string{s.keys.first(owner)}, encode(key), int64(keep), most).Int()
		return err
	})
	return result, err
}

//go:embed count.lua
var countSource string

var count = redis.NewScript(countSource)

func (s *shared) counterKeys() []string { return []string{s.keys.counters(), s.keys.counterEnds()} }

// Count adds one to a counter of the group. A counter of this process counts the same,
// and is the result while Redis is away or its lane is full.
func (s *shared) Count(ctx context.Context, key store.Key, forget time.Duration) int {
	var counted int
	err := s.doForGuess(ctx, func(ctx context.Context) (err error) {
		counted, err = count.Run(ctx, s.client, s.counterKeys(), encode(key), max(forget.Milliseconds(), 1), s.most).Int()
		return err
	})
	if err == nil && counted == 1 {
		s.alone.Reset(ctx, key) // another instance has reset it
	}
	alone := s.alone.Count(ctx, key, forget)
	if err != nil {
		return alone
	}
	return counted
}

// Reset sets a counter to zero. While Redis is away it resets only the counter of this
// process.
func (s *shared) Reset(ctx context.Context, key store.Key) {
	s.alone.Reset(ctx, key)
	_ = s.doForGuess(ctx, func(ctx context.Context) error { // a counter expires anyway
		_, err := s.client.TxPipelined(ctx, func(both redis.Pipeliner) error {
			both.HDel(ctx, s.keys.counters(), encode(key))
			both.ZRem(ctx, s.keys.counterEnds(), encode(key))
			return nil
		})
		return err
	})
}

// Publish adds an entry at this instance at once, and stores it for the others. An
// error means that it is not stored. It is in force here, and a revocation is stored
// when Redis is back if this process lives so long.
func (s *shared) Publish(ctx context.Context, entry store.Entry) error {
	if _, found := limits[entry.Kind]; !found {
		return fmt.Errorf("unknown kind of entry %q", entry.Kind)
	}
	entry = truncate(entry)
	if !entry.Until.After(time.Now()) {
		return nil
	}
	entry = s.copies.AfterUndo(entry)
	if err := s.copies.Put(entry); err != nil {
		return err
	}
	call := s.do
	if entry.Kind == store.EntryBlocked {
		call = s.doForGuess
	}
	full := false
	err := call(ctx, func(ctx context.Context) error {
		err := s.store(ctx, entry.Kind, asNew, entry)
		if full = errors.Is(err, entries.ErrFull); full {
			return nil // no failure of Redis
		}
		return err
	})
	if full {
		err = entries.ErrFull
	}
	if err != nil {
		if !full && entry.Kind == store.EntryRevoked {
			s.unsent.Store(true)
		}
		return fmt.Errorf("other instances do not know the entry: %w", err)
	}
	return nil
}

// Undo ends a revocation in Redis, and then here. It fails while Redis is away, because
// the other instances would not know.
func (s *shared) Undo(ctx context.Context, key store.Key) (store.Entry, bool, error) {
	if _, err := s.HasRevocations(); err != nil {
		return store.Entry{}, false, err
	}
	entry, found := s.copies.Find(store.EntryRevoked, key)
	if !found {
		return entry, false, nil
	}
	undo := truncate(store.Entry{Kind: store.EntryUndo, Key: key, Before: time.Now(), Until: entry.Until})
	if entry.Created.After(undo.Before) {
		undo.Before = entry.Created // by a clock that is ahead of this one
	}
	err := s.do(ctx, func(ctx context.Context) error { return s.store(ctx, undo.Kind, asNew, undo) })
	if err != nil {
		return entry, false, fmt.Errorf("the revocation stays in force: %w", err)
	}
	return entry, true, s.copies.Put(undo)
}

// Revocations lists the revocations that this instance knows.
func (s *shared) Revocations() iter.Seq[store.Entry] { return s.copies.Revoked() }

// Lookup returns an entry of the copy in this process.
func (s *shared) Lookup(kind store.EntryKind, key store.Key) (store.Entry, bool) {
	return s.copies.Find(kind, key)
}

var errNotLoaded = errors.New("the revocations are not read from Redis yet")

// HasRevocations reports whether any revocation exists. It is an error until they are
// read.
func (s *shared) HasRevocations() (bool, error) {
	if !s.loaded.Load() {
		if err := s.outage.err(); err != nil {
			return false, fmt.Errorf("%w: %w", errNotLoaded, err)
		}
		return false, errNotLoaded
	}
	return s.copies.HasRevocations(), nil
}

// LearnedRevocations counts the revocations that this instance has read or published.
func (s *shared) LearnedRevocations() uint64 { return s.copies.Learned() }

// Healthy reports whether Redis is available and its entries are read.
func (s *shared) Healthy() bool { return s.outage.err() == nil && s.loaded.Load() }

// limit bounds the entries of a kind.
type limit struct {
	most     int
	whenFull string // see publish.lua
}

var limits = map[store.EntryKind]limit{
	store.EntryRevoked: {most: entries.MaxRevoked, whenFull: "refuse"},
	store.EntryUndo:    {most: entries.MaxRevoked, whenFull: "refuse"},
	store.EntryBlocked: {most: entries.MaxBlocked, whenFull: "evict"},
}

// kinds are the kinds of entries in the order of reading: an undo comes before the
// revocation that it ends.
var kinds = []store.EntryKind{store.EntryUndo, store.EntryRevoked, store.EntryBlocked}

// The kinds of calls of publish.lua.
const (
	asNew    = "new"   // published now
	asBackup = "again" // written back, because Redis has lost it
)

//go:embed publish.lua
var publishSource string

var publish = redis.NewScript(publishSource)

// store writes entries of one kind. Without entries it only removes ended ones.
func (s *shared) store(ctx context.Context, kind store.EntryKind, as string, all ...store.Entry) error {
	limit := limits[kind]
	arguments := append(make([]any, 0, 4+4*len(all)), string(kind), limit.most, limit.whenFull, as)
	for _, entry := range all {
		before, until := encodeEntry(entry)
		arguments = append(arguments, encode(entry.Key), before, until, encodeAbout(entry))
	}
	k := s.keys
	stored, err := publish.Run(ctx, s.client, []string{
		k.entries(kind), k.ends(kind), k.changes(), k.about(kind),
		k.entries(store.EntryRevoked), k.ends(store.EntryRevoked), k.about(store.EntryRevoked), k.entries(store.EntryUndo),
	}, arguments...).Int()
	if err == nil && stored < len(all) {
		return entries.ErrFull
	}
	return err
}
