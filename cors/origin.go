package cors

import (
	"slices"

	"github.com/excorp/caddy-require-auth/internal/origin"
)

// anyOrigin is the configured origin for all origins.
const anyOrigin = "*"

// anyOrigin reports whether every origin is allowed, so that a response does not depend
// on it.
func (h *Handler) anyOrigin() bool { return slices.Contains(h.Origins, anyOrigin) }

// names reports whether the configuration has an origin.
func (h *Handler) names(candidate string) bool {
	return slices.ContainsFunc(h.Origins, func(pattern string) bool { return origin.Matches(pattern, candidate) })
}
