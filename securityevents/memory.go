package securityevents

import (
	"sync"

	"github.com/excorp/caddy-require-auth/store"
)

// maxHandled bounds each half of a memory.
const maxHandled = 10_000

// memory remembers the last events that were handled. Only the transmitter can add to
// it. An event that it forgot is handled once more, which changes nothing.
type memory struct {
	mutex     sync.Mutex
	new, last map[store.Key]struct{}
}

func (m *memory) has(digest store.Key) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	_, ofNew := m.new[digest]
	_, ofLast := m.last[digest]
	return ofNew || ofLast
}

func (m *memory) add(digest store.Key) {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if len(m.new) >= maxHandled {
		m.new, m.last = nil, m.new
	}
	if m.new == nil {
		m.new = make(map[store.Key]struct{})
	}
	m.new[digest] = struct{}{}
}
