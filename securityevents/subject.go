package securityevents

import (
	"slices"
	"strings"

	"github.com/excorp/caddy-require-auth/store"
)

// maxAliases bounds the identifiers of a subject of the format aliases.
const maxAliases = 16

// subjects makes revocations of subjects.
type subjects struct {
	transmitter string
	// issuers are those whose tokens the transmitter may revoke.
	issuers []string
}

// role says what a subject identifier identifies.
type role int

const (
	anything role = iota // of an event whose subject is not complex
	user
	session
)

// read returns what a subject (RFC 9493) names, without an instant. It returns none for
// a subject that names no user, session or token, such as a device.
func (s subjects) read(value any) ([]store.Revocation, error) {
	members, ok := value.(map[string]any)
	if !ok {
		return nil, refuse(invalidRequest, "the subject is missing or not an object")
	}
	switch format := formatOf(members); format {
	case "complex":
		return s.readComplex(members)
	case "aliases":
		return s.readAliases(members)
	default:
		return s.readSimple(format, members, anything)
	}
}

// formatOf is the format of a subject identifier. Before RFC 9493 it was subject_type,
// and complex subjects did not have it.
func formatOf(members map[string]any) string {
	if format, ok := members["format"].(string); ok {
		return format
	}
	if format, ok := members["subject_type"].(string); ok {
		return strings.ReplaceAll(format, "-", "_")
	}
	for _, member := range []string{"user", "session"} {
		if _, ok := members[member].(map[string]any); ok {
			return "complex"
		}
	}
	return ""
}

// readComplex reads a complex subject (Shared Signals Framework 1.0). All members
// describe one subject. The session is the narrowest that a token names. If only the
// user is usable, the event applies to all tokens of the user: too many rather than too
// few.
func (s subjects) readComplex(members map[string]any) ([]store.Revocation, error) {
	var ofUser []store.Revocation
	for _, part := range []struct {
		member string
		role   role
	}{{"user", user}, {"session", session}} {
		value, present := members[part.member]
		if !present || value == nil {
			continue
		}
		identifier, ok := value.(map[string]any)
		if !ok {
			return nil, refuse(invalidRequest, "%s of the subject is not an object", part.member)
		}
		if part.role == session && formatOf(identifier) == "opaque" && identifier["id"] == nil {
			continue // of no session in particular, as Keycloak says it
		}
		found, err := s.readSimple(formatOf(identifier), identifier, part.role)
		if err != nil {
			return nil, err
		}
		switch {
		case part.role == user:
			ofUser = found
		case len(found) > 0:
			return found, nil
		}
	}
	return ofUser, nil
}

// readAliases reads a subject that several identifiers name (RFC 9493 §3.2.8). Some of
// them may be of other issuers.
func (s subjects) readAliases(members map[string]any) ([]store.Revocation, error) {
	identifiers, ok := members["identifiers"].([]any)
	if !ok || len(identifiers) == 0 || len(identifiers) > maxAliases {
		return nil, refuse(invalidRequest, "identifiers of the subject is not a list of 1 to %d", maxAliases)
	}
	var all []store.Revocation
	var otherIssuer error
	for _, value := range identifiers {
		identifier, ok := value.(map[string]any)
		if !ok || formatOf(identifier) == "aliases" {
			return nil, refuse(invalidRequest, "an identifier of the subject is not an object of another format")
		}
		found, err := s.readSimple(formatOf(identifier), identifier, user)
		if refused, ok := err.(refusal); ok && refused.code == accessDenied { //nolint:errorlint // readSimple does not wrap
			otherIssuer = err
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if len(all) == 0 && otherIssuer != nil {
		return nil, otherIssuer
	}
	return all, nil
}

// readSimple reads an identifier of one of the formats of RFC 9493 §3.2.
func (s subjects) readSimple(format string, members map[string]any, owner role) ([]store.Revocation, error) {
	switch format {
	case "iss_sub":
		return s.readOfIssuer(members, "sub", owner, func(name string) store.Revocation { return store.Revocation{Subject: name} })
	case "jwt_id":
		return s.readOfIssuer(members, "jti", anything, func(name string) store.Revocation { return store.Revocation{TokenID: name} })
	case "opaque":
		return s.readOpaque(members, owner)
	}
	member, found := userMembers[format]
	if !found {
		return nil, nil
	}
	name, err := textIn(members, member)
	if err != nil || owner == session {
		return nil, err
	}
	all := each(s.issuers, store.Revocation{Subject: name})
	if address, ok := strings.CutPrefix(name, "acct:"); ok && format == "account" && address != "" {
		all = append(all, each(s.issuers, store.Revocation{Subject: address})...)
	}
	return all, nil
}

// readOfIssuer reads a name that an issuer gives. No token names its session so.
func (s subjects) readOfIssuer(members map[string]any, member string, owner role, revoke func(string) store.Revocation) ([]store.Revocation, error) {
	issuer, err := textIn(members, "iss")
	if err != nil {
		return nil, err
	}
	issuers, err := s.issuersFor(issuer)
	if err != nil {
		return nil, err
	}
	name, err := textIn(members, member)
	if err != nil || owner == session {
		return nil, err
	}
	return each(issuers, revoke(name)), nil
}

// readOpaque reads a name that only the transmitter gives a meaning to: a user, a
// session, or one of both.
func (s subjects) readOpaque(members map[string]any, owner role) ([]store.Revocation, error) {
	id, err := textIn(members, "id")
	if err != nil {
		return nil, err
	}
	var all []store.Revocation
	if owner != session {
		all = each(s.issuers, store.Revocation{Subject: id})
	}
	if owner != user {
		all = append(all, each(s.issuers, store.Revocation{Session: id})...)
	}
	return all, nil
}

func textIn(members map[string]any, member string) (string, error) {
	value, ok := members[member].(string)
	if !ok || value == "" {
		return "", refuse(invalidRequest, "%s of the subject is missing, empty or not a string", member)
	}
	return value, nil
}

// userMembers are the members of the formats that name a user by one text. The text is
// the `sub` of a token or the user by `user_claim`.
var userMembers = map[string]string{"account": "uri", "did": "url", "email": "email", "phone_number": "phone_number", "phone": "phone", "uri": "uri"}

// issuersFor returns the issuers of the tokens that an issuer in a subject means. The
// transmitter may be known by another name than the issuer of its tokens.
func (s subjects) issuersFor(issuer string) ([]string, error) {
	switch {
	case slices.Contains(s.issuers, issuer):
		return []string{issuer}, nil
	case issuer == s.transmitter:
		return s.issuers, nil
	}
	return nil, refuse(accessDenied, "the subject is of an issuer whose tokens the transmitter must not revoke")
}

func each(issuers []string, revocation store.Revocation) []store.Revocation {
	all := make([]store.Revocation, len(issuers))
	for i, issuer := range issuers {
		all[i] = revocation
		all[i].Issuer = issuer
	}
	return all
}
