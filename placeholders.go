package requireauth

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/authz"
	"github.com/excorp/caddy-require-auth/internal/claimpath"
)

// placeholder returns the value of `{http.auth.…}`.
func (s *requestState) placeholder(key string) (any, bool) {
	rest, ours := strings.CutPrefix(key, "http.auth.")
	if !ours || s.hidden && s.identity == nil {
		return nil, false
	}
	if claim, ok := strings.CutPrefix(rest, "user."); ok {
		return s.ofUser(claim), true
	}
	if rest == "scheme" {
		return s.scheme, true
	}
	if rest == "client.id" {
		if caller := s.caller(); caller != nil {
			return caller.Client, true
		}
		return "", true
	}
	if strings.HasPrefix(rest, "condition.") {
		return s.ofCondition(key)
	}
	return s.ofDenial(rest)
}

// caller is the caller that placeholders describe.
func (s *requestState) caller() *authn.Identity {
	if s.considered != nil {
		return s.considered
	}
	return s.identity
}

// ofUser returns the value of `{http.auth.user.…}`. A missing claim is empty, so that
// no placeholder reaches an upstream unreplaced.
func (s *requestState) ofUser(name string) any {
	caller := s.caller()
	if caller == nil {
		return ""
	}
	switch name {
	case "id":
		return caller.ID
	case "scope":
		return joinList(slices.Clone(caller.Scopes), " ")
	}
	if claim, present := caller.Claim(name); present {
		return claimText(name, claim)
	}
	if name == "roles" {
		return joinList(slices.Clone(caller.Roles), ",")
	}
	return ""
}

// ofCondition returns the variables of an `if`.
func (s *requestState) ofCondition(key string) (any, bool) {
	caller := s.considered
	if caller == nil {
		return nil, false
	}
	switch key {
	case authz.ClaimsPlaceholder:
		if all := caller.Claims.All(); all != nil {
			return all, true
		}
		return map[string]any{}, true
	case authz.ScopesPlaceholder:
		return caller.Scopes, true
	case authz.RolesPlaceholder:
		return caller.Roles, true
	case authz.UserPlaceholder:
		return caller.ID, true
	}
	return nil, false
}

// ofDenial returns the placeholders of error pages.
func (s *requestState) ofDenial(name string) (any, bool) {
	if s.denied == nil {
		return nil, false
	}
	switch name {
	case "error":
		return string(s.denied.Code), true
	case "error_description":
		return s.denied.Detail(), true
	case "required_scopes":
		return strings.Join(s.denied.RequiredScopes, " "), true
	case "trace_id":
		return s.denied.TraceID, true
	}
	return nil, false
}

// personNames are the claims that are one text by definition, and often have a
// comma (OpenID Connect Core §5.1): `Doe, Jane`.
var personNames = []string{
	"name", "given_name", "family_name", "middle_name", "nickname", "preferred_username",
	"address.formatted", "address.street_address",
}

// claimText turns a claim into the value of a header field. A list is joined by
// commas; an object is JSON, with the commas of its strings escaped. Providers write a list with one member as one
// string, so a string with a comma would read as two members and is left out.
func claimText(name string, claim any) any {
	text, isText := claim.(string)
	if !isText {
		return jsonText(claim)
	}
	if slices.Contains(personNames, name) {
		return text
	}
	return joinList([]string{text}, ",")
}

// jsonText is the text of a value out of a JSON document. It is empty where a number has
// lost digits.
func jsonText(value any) any {
	switch value := value.(type) {
	case nil:
		return ""
	case string, bool, int64:
		return value
	case []any:
		members := make([]string, len(value))
		for i, member := range value {
			members[i] = caddy.ToString(jsonText(member))
		}
		return joinList(members, ",")
	default:
		text, err := json.Marshal(value)
		if err != nil || !claimpath.Exact(value) {
			return ""
		}
		return escapeCommas(string(text))
	}
}

// escapeCommas writes the commas inside the strings of a JSON text as `\u002c`. The
// meaning stays, and a reader of lists finds no member in a string.
func escapeCommas(text string) string {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			b.WriteString(text[i : i+2])
			i++
			continue
		case quoted && c == ',':
			b.WriteString(`\u002c`)
			continue
		case c == '"':
			quoted = !quoted
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// joinList joins the members of a list. A reader who splits the result, by
// commas or by the separator, must find these members and no others. Members
// with a comma or with the separator are left out for that reason, empty ones too. So are
// those with space around them, which readers take off.
func joinList(members []string, separator string) string {
	return strings.Join(slices.DeleteFunc(members, func(member string) bool {
		return member == "" || member != strings.TrimSpace(member) || strings.Contains(member, ",") || strings.Contains(member, separator)
	}), separator)
}
