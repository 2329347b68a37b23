// Package attacks tries known attacks on software of this kind, from outside, against a
// running Caddy.
//
// Each attack is a subtest whose name describes it. It wants the whole denial: the
// status, the challenge, and no request at the upstream. Neither the answer nor the log
// may contain a part of the credential. Its honest twin passes the same gate, because a
// closed gate proves nothing.
//
// Files that begin with token_ forge tokens and proofs; those that begin with
// http_ bend the requests around them.
package attacks
