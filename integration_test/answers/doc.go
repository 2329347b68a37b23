// Package answers holds tests that ask a running Caddy what a client sees: each
// answer of the gate, header field by header field, and what goes on upstream.
package answers
