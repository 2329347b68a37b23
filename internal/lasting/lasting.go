// Package lasting keeps state while Caddy runs. A [caddy.UsagePool] would end it with
// the last configuration that uses it. A maintenance page without a gate would then
// undo a revocation and forget failed logins.
package lasting

import (
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// Value is one state of the process. The zero value needs New.
type Value[T caddy.Destructor] struct {
	// New creates the state when the first configuration needs it.
	New func() T

	mutex   sync.Mutex
	state   T
	users   int // configurations that use the state
	present bool
}

// Acquire returns the state. Each call needs one [Value.Release].
func (v *Value[T]) Acquire() T {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if !v.present {
		v.state, v.present = v.New(), true
	}
	v.users++
	return v.state
}

// Release is for the Cleanup of a module. The state ends when no configuration
// uses it and none is running, which is when Caddy stops.
func (v *Value[T]) Release() error {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.users--
	if v.users > 0 || caddy.ActiveContext().Context != nil {
		return nil
	}
	return v.end()
}

func (v *Value[T]) end() error {
	v.present = false
	return v.state.Destruct()
}

// maxUnused bounds the states of a [Pool] that no configuration uses.
const maxUnused = 4

// Pool is one [Value] for each key. The zero value needs New.
type Pool[T caddy.Destructor] struct {
	// New creates a state when the first configuration needs it.
	New func() T

	mutex  sync.Mutex
	values map[string]*Value[T]
	unused []string // keys; the one that was released last is last
}

// Acquire returns the state of a key. Each call needs one [Pool.Release].
func (p *Pool[T]) Acquire(key string) T {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.values == nil {
		p.values = make(map[string]*Value[T])
	}
	if p.values[key] == nil {
		p.values[key] = &Value[T]{New: p.New}
	}
	p.unused = slices.DeleteFunc(p.unused, func(other string) bool { return other == key })
	return p.values[key].Acquire()
}

// Release does what [Value.Release] does. It also ends the state that was released
// first if a fifth one is unused.
func (p *Pool[T]) Release(key string) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	value := p.values[key]
	if err := value.Release(); err != nil || value.users > 0 {
		return err
	}
	if !value.present {
		delete(p.values, key)
		return nil
	}
	if p.unused = append(p.unused, key); len(p.unused) <= maxUnused {
		return nil
	}
	oldest := p.values[p.unused[0]]
	delete(p.values, p.unused[0])
	p.unused = p.unused[1:]
	return oldest.end()
}
