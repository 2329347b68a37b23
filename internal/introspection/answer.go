package introspection

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/excorp/caddy-require-auth/internal/jose"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

// maxAnswer bounds a response, in bytes.
const maxAnswer = 1 << 20

// Answer is the state of a token. Requests share it, so its claims must not change.
type Answer struct {
	// Active is the member of the response. The caller must check the claims as well
	// (RFC 7662 §4).
	Active bool
	// Claims is the whole response without null members, in the types of package
	// strictjson. It is nil unless the token is active (RFC 7662 §2.2).
	Claims map[string]any
	// Expires is when the token ends. It is zero if the response does not say.
	Expires time.Time
	// FromCache says that this request caused no call.
	FromCache bool

	size int // of the response, in bytes
}

// parse reads a response (RFC 7662 §2.2). It must say whether the token is active. An
// error repeats nothing of the response.
func parse(body []byte) (Answer, error) {
	members, err := strictjson.Object(body)
	if err != nil {
		return Answer{}, fmt.Errorf("the answer is not a valid JSON object: %w", err)
	}
	active, ok := members["active"].(bool)
	switch {
	case !ok:
		return Answer{}, errors.New("active is missing in the answer or not a boolean")
	case !active:
		return Answer{}, nil
	}
	// A null member counts as absent, because some providers write every member.
	maps.DeleteFunc(members, func(_ string, value any) bool { return value == nil })
	var expires time.Time
	if _, named := members["exp"]; named {
		if expires, err = jose.NumericDate(members, "exp"); err != nil {
			return Answer{}, fmt.Errorf("the answer: %w", err)
		}
	}
	return Answer{Active: true, Claims: members, Expires: expires, size: len(body)}, nil
}
