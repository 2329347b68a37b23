package authn

import (
	"strconv"
	"strings"
	"time"

	"github.com/excorp/caddy-require-auth/internal/authheader"
)

// Challenge is one member of a WWW-Authenticate field (RFC 9110 §11). Empty members are
// not sent. Only [Challenge.String] writes it as text, so every parameter is quoted,
// whatever a realm or a scope contains.
type Challenge struct {
	// Scheme is the authentication scheme, for example Bearer.
	Scheme string

	Realm            string
	Error            string        // RFC 6750 §3.1
	Scope            []string      // RFC 6750 §3
	ACRValues        []string      // RFC 9470 §3
	MaxAge           time.Duration // RFC 9470 §3, whole seconds; zero is not sent
	Algorithms       []string      // RFC 9449 §7.1
	ResourceMetadata string        // RFC 9728 §5.1
	ErrorDescription string        // RFC 6750 §3

	// Extra are parameters that OAuth does not define, after the realm.
	Extra []Parameter
}

// Parameter is an auth-param of RFC 9110 §11.2 that OAuth does not define.
type Parameter struct{ Name, Value string }

// String returns the challenge as a field value.
//
// The order of the parameters is part of the public surface. Some clients read a
// challenge with a regular expression and take the first match, so free text comes
// last. Characters that a parameter cannot contain are left out.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString(c.Scheme)
	separator := " "
	write := func(name, value string) {
		if value = printable(value); value == "" {
			return
		}
		b.WriteString(separator)
		b.WriteString(name)
		b.WriteString(`="`)
		writeQuoted(&b, value)
		b.WriteByte('"')
		separator = ", "
	}
	write("realm", c.Realm)
	for _, p := range c.Extra {
		write(p.Name, p.Value)
	}
	// The grammar of OAuth allows neither quotes nor backslashes here, even escaped
	// (RFC 6750 §3).
	write("error", plain(c.Error))
	write("scope", joinTokens(c.Scope))
	write("acr_values", joinTokens(c.ACRValues))
	if c.MaxAge > 0 {
		write("max_age", strconv.FormatInt(int64(c.MaxAge/time.Second), 10))
	}
	write("algs", joinTokens(c.Algorithms))
	write("resource_metadata", plain(c.ResourceMetadata))
	write("error_description", plain(c.ErrorDescription))
	return b.String()
}

// plain removes the characters that need an escape.
func plain(value string) string {
	if !strings.ContainsAny(value, `"\`) {
		return value
	}
	return strings.NewReplacer(`"`, "", `\`, "").Replace(value)
}

// printable removes bytes that no field can carry.
func printable(value string) string {
	for i := range len(value) {
		if c := value[i]; c < ' ' || c >= 0x7f {
			return strings.Map(func(r rune) rune {
				if r < ' ' || r >= 0x7f {
					return -1
				}
				return r
			}, value)
		}
	}
	return value
}

// writeQuoted writes the inside of a quoted-string (RFC 9110 §5.6.4): `"` and
// `\` become quoted pairs.
func writeQuoted(b *strings.Builder, value string) {
	for i := range len(value) {
		if c := value[i]; c == '"' || c == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(value[i])
	}
}

// joinTokens joins scope tokens with single spaces and removes invalid ones, so that
// one invalid value cannot become two valid ones.
func joinTokens(tokens []string) string {
	switch {
	case len(tokens) == 0:
		return ""
	case len(tokens) == 1 && authheader.IsScopeToken(tokens[0]):
		return tokens[0]
	}
	good := make([]string, 0, len(tokens))
	for _, token := range tokens {
		if authheader.IsScopeToken(token) {
			good = append(good, token)
		}
	}
	return strings.Join(good, " ")
}
