// Package fairness shares a scarce resource among unauthenticated clients, so that one
// client cannot exhaust it. The key of a client is the result of
// [github.com/excorp/caddy-require-auth/internal/clientaddress.Network]. All clients
// without a key share one.
package fairness

import "sync"

// FairQuota is a fixed number of slots. A client may take another slot while it
// holds fewer slots than are free. A single client gets half of the slots at
// most, and a client without a slot is refused only if no slot is free.
type FairQuota struct {
	mutex    sync.Mutex
	free     int
	byClient map[string]int // its slots; a client without slots has no entry
}

// NewFairQuota returns a quota with the given number of slots.
func NewFairQuota(slots int) *FairQuota {
	return &FairQuota{free: slots, byClient: make(map[string]int)}
}

// TryAcquire takes a slot for the client and reports whether it got one. The
// client returns it with [FairQuota.Release].
func (q *FairQuota) TryAcquire(client string) bool {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if q.byClient[client] >= q.free {
		return false
	}
	q.byClient[client]++
	q.free--
	return true
}

// Release returns a slot of the client.
func (q *FairQuota) Release(client string) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.free++
	if q.byClient[client]--; q.byClient[client] == 0 {
		delete(q.byClient, client)
	}
}
