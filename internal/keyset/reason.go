package keyset

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"strconv"
)

// The kinds of failures. A dashboard may show them: unlike an error they repeat
// nothing that somebody else wrote.
const (
	ReasonTimeout     = "timeout"
	ReasonUnreachable = "unreachable"
	ReasonCertificate = "certificate"
	ReasonStatus      = "status"
	ReasonInvalid     = "invalid"
)

// statusError is an answer with another status than 200.
type statusError int

func (s statusError) Error() string { return "answered with status " + strconv.Itoa(int(s)) }

// ReasonOf returns the kind of a failed fetch; empty for none. What was
// answered and makes no sense is invalid.
func ReasonOf(failure error) string {
	var (
		network     net.Error
		operation   *net.OpError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		status      statusError
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
