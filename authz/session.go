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

// Session is what is required of the login behind a token (RFC 9470). A client
// can cure what is unmet by sending its user to log in again, so the answer is
// a 401 that says how.
type Session struct {
	// Authentication contexts, one of which `acr` must name, in the order of
	// preference that the challenge shows.
	ACR []string `json:"acr,omitempty"`

	// How long ago the user may have logged in, by `auth_time`.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	now func() time.Time
}

// loginAhead is how far ahead the clock of an issuer may be.
const loginAhead = 10 * time.Second

func (s *Session) check() error {
	for _, acr := range s.ACR {
		if !authheader.IsScopeToken(acr) {
			return fmt.Errorf("acr %q: no spaces, quotes or backslashes can stand in it", acr)
		}
	}
	if s.MaxAge < 0 || time.Duration(s.MaxAge)%time.Second != 0 {
		return errors.New("max_age is a number of whole seconds: write for example 5m")
	}
	return nil
}

// decide holds a caller against the session that is required. A claim that is
// missing, of another type, or in the future does not suffice.
func (s *Session) decide(caller *authn.Identity) Decision {
	if len(s.ACR) > 0 {
		if acr, _ := caller.Claims.All()["acr"].(string); !slices.Contains(s.ACR, acr) {
			return stepUp("acr", errors.New("acr is missing or none of those required"))
		}
	}
	if s.MaxAge == 0 {
		return allowed
	}
	age, err := s.age(caller.Claims.All()["auth_time"])
	if err != nil {
		return stepUp("max_age", err)
	}
	if age > time.Duration(s.MaxAge) {
		return stepUp("max_age", fmt.Errorf("the login is %s old", age.Round(time.Second)))
	}
	return allowed
}

func (s *Session) age(authTime any) (time.Duration, error) {
	var seconds float64
	switch value := authTime.(type) {
	case int64:
		seconds = float64(value)
	case float64:
		seconds = value
	default:
		return 0, errors.New("auth_time is missing or no number")
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

func stepUp(missing string, reason error) Decision {
	return Decision{Code: authn.CodeInsufficientSession, Missing: []string{missing}, Reason: reason}
}
