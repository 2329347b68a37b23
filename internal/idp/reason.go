package idp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"
)

// UnavailableError says that it cannot be decided at present: whether a key exists,
// or whether a token is active.
type UnavailableError struct {
	// Reason is for the log, not for the client.
	Reason error
	// RetryAfter is when trying again may help, in whole seconds, at least one.
	RetryAfter time.Duration
}

// Unavailable rounds up to whole seconds, at least one: that is what Retry-After
// can say (RFC 9110 §10.2.3).
func Unavailable(reason error, wait time.Duration) *UnavailableError {
	return &UnavailableError{Reason: reason, RetryAfter: max((wait + time.Second - 1).Truncate(time.Second), time.Second)}
}

// Error is for the log.
func (e *UnavailableError) Error() string { return fmt.Sprintf("unavailable: %v", e.Reason) }

// Unwrap returns the reason.
func (e *UnavailableError) Unwrap() error { return e.Reason }

// The kinds of failures. A dashboard may show them: unlike an error they repeat
// nothing that the provider wrote.
const (
	ReasonTimeout     = "timeout"
	ReasonUnreachable = "unreachable"
	ReasonCertificate = "certificate"
	ReasonStatus      = "status"
	ReasonInvalid     = "invalid"
)

// StatusError is an answer with another status than 200.
type StatusError int

func (s StatusError) Error() string { return "answered with status " + strconv.Itoa(int(s)) }

// ReasonOf returns the kind of a failed fetch; empty for none. An answer that makes no
// sense is invalid.
func ReasonOf(failure error) string {
	var (
		network     net.Error
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		status      StatusError
	)
	switch {
	case failure == nil:
		return ""
	case errors.As(failure, &status):
		return ReasonStatus
	case errors.As(failure, &certificate), errors.As(failure, &authority):
		return ReasonCertificate
	case errors.Is(failure, context.DeadlineExceeded), errors.As(failure, &network) && network.Timeout():
		return ReasonTimeout
	case errors.As(failure, &operation), errors.Is(failure, errOffline):
		return ReasonUnreachable
	default:
		return ReasonInvalid
	}
}

// Plain removes the parts of an error that change each time or do not belong in a log:
// the URL, the local port and the time.
func Plain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok {
		invalid.Detail = ""
		return &tls.CertificateVerificationError{UnverifiedCertificates: nil, Err: invalid}
	}
	if wrapped, ok := errors.AsType[*net.OpError](err); ok {
		without := *wrapped
		without.Source = nil
		return &without
	}
	return err
}
