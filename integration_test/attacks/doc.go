// Package attacks tries to get past the gate: everything that is known to have
// worked against software of this kind, from outside, against a running Caddy.
package attacks
