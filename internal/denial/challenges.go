package denial

import (
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/authn"
)

// position is the position of a scheme in WWW-Authenticate. Bearer is first, because OAuth
// clients look at the first word. DPoP and Basic follow. Unregistered schemes are
// last, because some clients cannot parse past them (RFC 9110 §11.3). A request with
// the DPoP scheme gets DPoP first.
func position(scheme, presented string) int {
	switch scheme {
	case "DPoP":
		if strings.EqualFold(presented, scheme) {
			return -1
		}
		return 1
	case "Bearer":
		return 0
	case "Basic":
		return 2
	default:
		return 3
	}
}

// ChallengeFields returns the values of WWW-Authenticate, sorted by position, for a
// request that presented a scheme, or none. It sends one challenge for each scheme and
// realm. A challenge with an error wins.
func ChallengeFields(challenges []authn.Challenge, presented string) []string {
	distinct := make([]authn.Challenge, 0, len(challenges))
	for _, c := range challenges {
		i := slices.IndexFunc(distinct, func(d authn.Challenge) bool {
			return d.Scheme == c.Scheme && d.Realm == c.Realm && slices.Equal(d.Extra, c.Extra)
		})
		switch {
		case i < 0:
			distinct = append(distinct, c)
		case distinct[i].Error == "" && c.Error != "":
			distinct[i] = c
		}
	}
	slices.SortStableFunc(distinct, func(a, b authn.Challenge) int { return position(a.Scheme, presented) - position(b.Scheme, presented) })
	fields := make([]string, len(distinct))
	for i, c := range distinct {
		fields[i] = c.String()
	}
	return fields
}
