package authn

import (
	"context"
	"time"
)

// StoreNamespace is where Caddy finds the modules that implement [Store].
const StoreNamespace = "auth.stores"

// Store is the memory that must outlive a configuration, and that several
// instances may share.
type Store interface {
	// First reports whether a key has not been seen before, and remembers it
	// until the given time. An error means that this cannot be said; whoever
	// asks must then not let the request pass.
	First(ctx context.Context, key [32]byte, until time.Time) (bool, error)
}

// StoreUser is implemented by schemes that need a store. They are given one
// before the first request.
type StoreUser interface {
	UseStore(Store)
}
