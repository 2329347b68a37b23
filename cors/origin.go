package cors

import (
	"slices"

	"github.com/excorp/caddy-require-auth/internal/origin"
)

// anyOrigin is the configured origin that stands for all.
const anyOrigin = "*"

// anyOrigin reports whether every origin is allowed alike, so that a response
// does not depend on it.
func (h *Handler) anyOrigin() bool { return slices.Contains(h.Origins, anyOrigin) }

// names reports whether an origin is one of those configured.
func (h *Handler) names(asked string) bool {
	return slices.ContainsFunc(h.Origins, func(pattern string) bool { return origin.Matches(pattern, asked) })
}
