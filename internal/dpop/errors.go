package dpop

import "errors"

// InvalidError means that the proof is refused: `invalid_dpop_proof` of RFC 9449 §7.1.
// Its reason contains no text of the client.
type InvalidError struct{ Reason error }

func (e *InvalidError) Error() string { return "DPoP proof: " + e.Reason.Error() }

func (e *InvalidError) Unwrap() error { return e.Reason }

// NonceError means that the client should try again with the sent nonce:
// `use_dpop_nonce` of RFC 9449 §9. The rest of the proof is valid.
type NonceError struct{ Reason error }

func (e *NonceError) Error() string { return "DPoP proof: " + e.Reason.Error() }

func (e *NonceError) Unwrap() error { return e.Reason }

// UnavailableError means that the memory of used proofs is unavailable.
type UnavailableError struct{ Reason error }

func (e *UnavailableError) Error() string { return "DPoP replay memory: " + e.Reason.Error() }

func (e *UnavailableError) Unwrap() error { return e.Reason }

var (
	errNoReplay     = errors.New("no memory is configured")
	errReplay       = errors.New("it was used before")
	errNonceMissing = errors.New("nonce is missing")
	errNonceStale   = errors.New("nonce is not current")
)
