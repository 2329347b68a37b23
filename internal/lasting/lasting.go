// Package lasting keeps state for as long as Caddy runs. A [caddy.UsagePool] ends
// it with the last configuration that uses it, so that a maintenance page without
// a gate would undo a revocation and forget failed logins.
package lasting

import (
	"sync"

	"github.com/caddyserver/caddy/v2"
)

// Value is one state of the process. The zero value needs New.
type Value[T caddy.Destructor] struct {
	// New makes the state when the first configuration needs it.
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
	ended := v.state
	v.present = false
	return ended.Destruct()
}
