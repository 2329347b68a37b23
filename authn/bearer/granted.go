package bearer

import (
	"encoding/binary"
	"strings"
	"sync"
	"sync/atomic"
)

// granted is what many tokens have in common: those of one client with the
// same scopes and roles.
type granted struct {
	client, issuer string
	scopes, roles  []string
	own            bool // of one token alone
}

// size estimates its memory, in bytes.
func (g *granted) size() int {
	size := 96 + len(g.client) + len(g.issuer)
	for _, list := range [][]string{g.scopes, g.roles} {
		for _, text := range list {
			size += 16 + len(text)
		}
	}
	return size
}

// detached returns a copy that shares no memory with the token.
func (g *granted) detached() *granted {
	return &granted{
		client: strings.Clone(g.client), issuer: strings.Clone(g.issuer),
		scopes: detachedList(g.scopes), roles: detachedList(g.roles),
	}
}

// detachedList copies a list into one piece of memory.
func detachedList(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	joined, copied := strings.Join(list, ""), make([]string, len(list))
	for i, text := range list {
		copied[i], joined = joined[:len(text)], joined[len(text):]
	}
	return copied
}

const (
	// maxGrants bounds what is shared, so that users who each have roles of
	// their own do not fill the memory for good.
	maxGrants = 4096
	// maxGrant is the size in bytes from which on nothing is shared.
	maxGrant = 1024
)

// sharing keeps one copy of what many tokens have in common.
type sharing struct {
	known sync.Map // text to *granted
	count atomic.Int32
}

var grants sharing

// share returns the one copy, or one for this token alone.
func (s *sharing) share(g *granted) *granted {
	key := ""
	if g.size() <= maxGrant {
		key = g.key()
	}
	if known, found := s.known.Load(key); found {
		return known.(*granted)
	}
	if key == "" || s.count.Load() >= maxGrants {
		own := g.detached()
		own.own = true
		return own
	}
	known, found := s.known.LoadOrStore(key, g.detached())
	if !found {
		s.count.Add(1)
	}
	return known.(*granted)
}

// key is a text that no other has. The lengths keep one from reading as
// another.
func (g *granted) key() string {
	var key []byte
	for _, list := range [][]string{{g.client, g.issuer}, g.scopes, g.roles} {
		key = binary.AppendUvarint(key, uint64(len(list)))
		for _, text := range list {
			key = append(binary.AppendUvarint(key, uint64(len(text))), text...)
		}
	}
	return string(key)
}
