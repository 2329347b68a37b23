package securityevents

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/store"
)

// The codes of RFC 8935 §2.4 and of the Shared Signals Framework 1.0 §8.1.4.
const (
	invalidRequest       = "invalid_request"
	invalidKey           = "invalid_key"
	invalidIssuer        = "invalid_issuer"
	invalidAudience      = "invalid_audience"
	authenticationFailed = "authentication_failed"
	accessDenied         = "access_denied"
	invalidState         = "invalid_state"
)

// refusal is the error for an event that is refused. Its text holds nothing that the
// sender wrote, because the sender reads it.
type refusal struct {
	code string
	error
}

func refuse(code, format string, arguments ...any) error {
	return refusal{code, fmt.Errorf(format, arguments...)}
}

const (
	// maxSET bounds a security event token, in bytes.
	maxSET = 64 << 10
	// skew is how far the clocks of transmitter and receiver may be apart.
	skew = 30 * time.Second
	// maxID bounds `jti`, in bytes.
	maxID = 1024
)

// set is a security event token (RFC 8417).
type set struct {
	signed         *jose.JWS
	digest         store.Key
	key            store.Key // see [keyOf]
	algorithm, kid string
	issuer         string

	// The rest is read once the signature is verified.
	id      string
	issued  time.Time
	event   string // the URI of the type
	payload map[string]any
	subject any
}

// reader knows the members that this package gives a meaning to.
var reader = jose.Reader{
	Header: []string{"alg", "kid", "typ", "crit", "b64", "jku", "jwk", "x5u", "x5c"},
	Claims: []string{"iss", "sub", "aud", "exp", "iat", "jti", "events", "sub_id", "txn", "toe"},
}

// parseSET reads a security event token that is not verified yet.
func parseSET(text string) (*set, error) {
	if len(text) > maxSET {
		return nil, refuse(invalidRequest, "the security event token is over %d bytes", maxSET)
	}
	signed, err := reader.Parse(text)
	if err != nil {
		return nil, refusal{invalidRequest, err}
	}
	s := &set{signed: signed, digest: store.DigestOfToken(text), key: keyOf(text)}
	kind, _ := signed.Header["typ"].(string)
	if kind = strings.ToLower(kind); kind != "secevent+jwt" && kind != contentType {
		return nil, refuse(invalidRequest, "typ of the header is not secevent+jwt")
	}
	var ok bool
	if s.algorithm, ok = signed.Header["alg"].(string); !ok || !jose.Supported(s.algorithm) {
		return nil, refuse(invalidKey, "alg of the header is missing or not supported")
	}
	if kid, present := signed.Header["kid"]; present {
		if s.kid, ok = kid.(string); !ok {
			return nil, refuse(invalidRequest, "kid of the header is not a string")
		}
	}
	if s.issuer, ok = signed.Claims["iss"].(string); !ok || s.issuer == "" {
		return nil, refuse(invalidIssuer, "iss is missing or not a string")
	}
	return s, nil
}

// keyOf names an event by its claims. The same event with a new signature is a replay. Two
// events with one `jti` are not: the second may revoke something else.
func keyOf(text string) store.Key {
	return store.KeyOf("security event", strings.Split(text, ".")[1])
}

// readClaims reads the claims of a token whose signature is verified, by the profile
// of the Shared Signals Framework 1.0.
func (s *set) readClaims(audiences []string, now time.Time) error {
	claims := s.signed.Claims
	if !names(claims["aud"], audiences) {
		return refuse(invalidAudience, "aud names no audience of this receiver")
	}
	for _, claim := range []string{"sub", "exp"} {
		if _, present := claims[claim]; present {
			return refuse(invalidRequest, "%s is not allowed in a security event token", claim)
		}
	}
	var ok bool
	if s.id, ok = claims["jti"].(string); !ok || s.id == "" || len(s.id) > maxID {
		return refuse(invalidRequest, "jti is missing, too long or not a string")
	}
	var err error
	if s.issued, err = jose.NumericDate(claims, "iat"); err != nil {
		return refusal{invalidRequest, err}
	}
	if s.issued.After(now.Add(skew)) {
		return refuse(invalidRequest, "iat is in the future")
	}
	return s.readEvent()
}

// readEvent reads the one event of a token, and its subject.
func (s *set) readEvent() error {
	events, ok := s.signed.Claims["events"].(map[string]any)
	if !ok || len(events) != 1 {
		return refuse(invalidRequest, "events is not an object with exactly one event")
	}
	for uri, value := range events {
		if uri == "" {
			return refuse(invalidRequest, "the event has no name")
		}
		s.event = uri
		if s.payload, ok = value.(map[string]any); !ok {
			return refuse(invalidRequest, "the event is not an object")
		}
	}
	// Before the framework, the subject was a member of the event.
	inEvent, present := s.payload["subject"]
	s.subject = s.signed.Claims["sub_id"]
	switch {
	case s.subject == nil:
		s.subject = inEvent
	case present && !reflect.DeepEqual(inEvent, s.subject):
		return refuse(invalidRequest, "sub_id and the subject of the event differ")
	}
	return nil
}

// names reports whether a claim is, or contains, one of the values.
func names(claim any, values []string) bool {
	list, isList := claim.([]any)
	if !isList {
		list = []any{claim}
	}
	for _, value := range values {
		for _, member := range list {
			if member == value {
				return true
			}
		}
	}
	return false
}

// before is the instant before which the event ends tokens. A token names the second in
// which it was issued, so all of that second counts. An event cannot be later than its
// token: some transmitters write milliseconds.
func (s *set) before() time.Time {
	at := s.issued
	happened, err := jose.NumericDate(s.payload, "event_timestamp")
	if err == nil && happened.Before(at) && at.Sub(happened) < store.KeepRevocation {
		at = happened
	}
	return at.Truncate(time.Second).Add(time.Second)
}

var errTooOld = errors.New("the event is older than any token")
