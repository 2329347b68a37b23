// Package attacks tries to get past the gate: everything that is known to have
// worked against software of this kind, from outside, against a running Caddy.
//
// Each attack is a subtest whose name says what is tried. What it wants is the
// whole denial: the status and the challenge, nobody asked behind the gate, and
// no part of the credential in the answer or the log. Its honest twin passes the
// same gate, because a gate that is shut proves nothing.
//
// Files that begin with token_ forge tokens and proofs; those that begin with
// http_ bend the requests around them.
package attacks
