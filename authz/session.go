package authz

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/authheader"
)

// Session is what a gate requires of the login behind a token (RFC 9470). A new login
// can meet it, so the answer is a 401 that names it.
type Session struct {
	// Authentication contexts, of which `acr` must name one, in the order of preference
	// for the challenge. Default: any.
	ACR []string `json:"acr,omitempty"`

	// The maximum age of the login, by `auth_time`, in whole seconds. Default: any.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	now func() time.Time
}

// loginAhead is how far the clock of an issuer may be ahead.
const loginAhead = 10 * time.Second

func (s *Session) check() error {
	for _, acr := range s.ACR {
		if !authheader.IsScopeToken(acr) {
			return fmt.Errorf("invalid acr %q: write it without spaces, quotes and backslashes", acr)
		}
	}
	if s.MaxAge < 0 || time.Duration(s.MaxAge)%time.Second != 0 {
		return errors.New("max_age must be whole seconds: write for example 5m")
	}
	return nil
}

// decide checks a caller against the required session. A claim that is missing, of
// another type, or in the future does not suffice.
func (s *Session) decide(caller *authn.Identity) *Decision {
	if len(s.ACR) > 0 {
		if acr, _ := caller.Claims.All()["acr"].(string); !slices.Contains(s.ACR, acr) {
			return stepUp("acr", errors.New("acr is missing or not a required one"))
		}
	}
	if s.MaxAge == 0 {
		return nil
	}
	age, err := s.age(caller.Claims.All()["auth_time"])
	if err != nil {
		return stepUp("max_age", err)
	}
	if age > time.Duration(s.MaxAge) {
		return stepUp("max_age", fmt.Errorf("the login is %s old", age.Round(time.Second)))
	}
	return nil
}

func (s *Session) age(authTime any) (time.Duration, error) {
	var seconds float64
	switch value := authTime.(type) {
	case int64:
		seconds = float64(value)
	case float64:
		seconds = value
	default:
		return 0, errors.New("auth_time is missing or not a number")
	}
	if seconds < 0 || seconds > 253402300799 { // the year 9999
		return 0, errors.New("auth_time is out of range")
	}
	age := s.now().Sub(time.Unix(int64(seconds), 0))
	if age < -loginAhead {
		return 0, errors.New("auth_time is in the future")
	}
	return age, nil
}

func stepUp(missing string, reason error) *Decision {
	return &Decision{Code: authn.CodeInsufficientSession, Missing: []string{missing}, Reason: reason}
}
