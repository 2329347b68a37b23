package bearer

import "github.com/excorp/caddy-require-auth/internal/capability"

// ReadsForm reports that the scheme reads a JWS, and with introspection any token.
func (b *Bearer) ReadsForm(jws bool) bool { return jws || b.Introspection != nil }

var _ capability.FormReader = (*Bearer)(nil)
