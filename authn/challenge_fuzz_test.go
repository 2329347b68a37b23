package authn_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
)

// printable is what a field may hold of a text.
func printable(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if text[i] >= 0x20 && text[i] <= 0x7e {
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

// scopes is what of a list may be sent: whole tokens of RFC 6749 §3.3.
func scopes(list []string) string {
	var good []string
	for _, token := range list {
		if token != "" && token == printable(token) && !strings.ContainsAny(token, ` "\`) {
			good = append(good, token)
		}
	}
	return strings.Join(good, " ")
}

// FuzzChallenge reads back what was written, whatever the parameters hold.
func FuzzChallenge(f *testing.F) {
	f.Add("api", "invalid_token", "read write", "gold", "ES256", "https://a.example/m", "It is bad", "header", uint16(300))
	f.Add("", "", "", "", "", "", "", "", uint16(0))
	f.Add(`a"b\c`, "a\r\nb", `x"y z\`, "\x00", "é", `", evil="`, `\`, `"`, uint16(1))
	f.Fuzz(func(t *testing.T, realm, failure, scope, acr, algorithms, metadata, description, extra string, age uint16) {
		written := authn.Challenge{
			Scheme: "Bearer", Realm: realm, Error: failure, Scope: strings.Split(scope, ","), ACRValues: strings.Split(acr, ","),
			MaxAge: time.Duration(age) * time.Second, Algorithms: strings.Split(algorithms, ","), ResourceMetadata: metadata,
			ErrorDescription: description, Extra: []authn.Parameter{{Name: "in", Value: extra}},
		}
		got, err := parse(written.String())
		if err != nil || got.scheme != "Bearer" {
			t.Fatalf("%q: %v", written, err)
		}
		seconds := ""
		if age > 0 {
			seconds = strconv.Itoa(int(age))
		}
		var names []string
		for _, want := range []param{
			{"realm", printable(realm)}, {"in", printable(extra)}, {"error", printable(failure)}, {"scope", scopes(written.Scope)},
			{"acr_values", scopes(written.ACRValues)}, {"max_age", seconds}, {"algs", scopes(written.Algorithms)},
			{"resource_metadata", printable(metadata)}, {"error_description", printable(description)},
		} {
			value, sent := got.get(want.name)
			if sent {
				names = append(names, want.name)
			}
			if sent && value == "" {
				t.Errorf("%s is empty in %q", want.name, written)
			}
			// RFC 6750 §3 bans these from its own parameters even as quoted pairs.
			if want.name != "realm" && want.name != "in" && strings.ContainsAny(want.value, `"\`) {
				if strings.ContainsAny(value, `"\`) {
					t.Errorf("%s is %q in %q", want.name, value, written)
				}
			} else if value != want.value {
				t.Errorf("%s is %q, want %q in %q", want.name, value, want.value, written)
			}
		}
		if order := strings.Join(names, " "); got.names() != order {
			t.Errorf("parameters %s, want %s", got.names(), order)
		}
	})
}
