package attacks

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestTimes has times that are none, or lie where computing with them fails.
func TestTimes(t *testing.T) {
	s := newTarget(t)
	now := time.Now().Unix()
	wantRefused := func(name, old, replacement string) {
		t.Run("JWT-10: "+name, func(t *testing.T) {
			s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, old, replacement), s.rs256))
		})
	}
	wantRefused("no exp", ","+later(), "")
	for _, value := range []string{
		`"9999999999"`, `"never"`, `""`, `null`, `true`, `[9999999999]`, `{"n":9999999999}`, `-1`, `1e400`, `-1e400`, `1e308`, `1E30`,
		`9223372036854775807`, `9223372036854775808`, `18446744073709551616`, `253402300800`, `99999999999999999999999999999999`,
		`9e999999999`, `"` + time.Now().Add(time.Hour).Format(time.RFC3339) + `"`,
	} {
		wantRefused("exp is "+value, later(), `"exp":`+value)
		wantRefused("nbf is "+value, later(), later()+`,"nbf":`+value)
	}
	for _, value := range []string{`"1"`, `null`, `true`, `[1]`, `{}`, `1e400`, `9223372036854775808`, fmt.Sprint(now + 3600), fmt.Sprint(now + 1e9)} {
		wantRefused("iat is "+value, later(), later()+`,"iat":`+value)
	}
	wantRefused("not yet valid", later(), later()+fmt.Sprintf(`,"nbf":%d`, now+3600))
	wantRefused("not yet valid, in milliseconds", later(), later()+fmt.Sprintf(`,"nbf":%d`, now*1000))
	for name, value := range map[string]string{"a second ago and 31": fmt.Sprint(now - 32), "0": "0", "-0": "-0", "1e-400": "1e-400", "0.9": "0.9", "1e2": "1e2"} {
		t.Run("JWT-10: expired, exp is "+name, func(t *testing.T) {
			r := s.Get(rsGate, harness.Bearer(forge(`{"alg":"RS256"}`, claimsWith(t, later(), `"exp":`+value), s.rs256)))
			if r.Status != 401 || !strings.Contains(r.Challenges()[0], `error="invalid_token"`) {
				t.Errorf("%d %q", r.Status, r.Challenges())
			}
		})
	}
	t.Run("JWT-10: with a fraction, as the specification allows", func(t *testing.T) {
		s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, later(), fmt.Sprintf(`"exp":%d.75,"nbf":%d.5`, now+3600, now-5)), s.rs256))
		s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, later(), fmt.Sprintf(`"exp":%.9fe9`, float64(now+3600)/1e9)), s.rs256))
	})
}

// TestLookAlikes has issuers and audiences that nearly are the right ones.
func TestLookAlikes(t *testing.T) {
	s := newTarget(t)
	s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claims(), s.rs256))
	issuer, audience := `"iss":"`+harness.Issuer+`"`, `"aud":"`+harness.Audience+`"`
	alike := func(good string) map[string]string {
		host := strings.TrimPrefix(good, "https://")
		return map[string]string{
			"a slash behind":         `"` + good + `/"`,
			"two slashes behind":     `"` + good + `//"`,
			"a path behind":          `"` + good + `/x"`,
			"a path back":            `"` + good + `/x/.."`,
			"a query behind":         `"` + good + `?"`,
			"a fragment behind":      `"` + good + `#"`,
			"a space behind":         `"` + good + ` "`,
			"a space before":         `" ` + good + `"`,
			"a line break behind":    `"` + good + `\n"`,
			"NUL behind":             `"` + good + `\u0000"`,
			"NUL and more behind":    `"` + good + `\u0000.evil.example"`,
			"another domain behind":  `"` + good + `.evil.example"`,
			"another domain as path": `"https://evil.example/` + host + `"`,
			"a subdomain":            `"https://x.` + host + `"`,
			"the parent domain":      `"https://example.com"`,
			"the host alone":         `"` + host + `"`,
			"http":                   `"http://` + host + `"`,
			"HTTPS":                  `"HTTPS://` + host + `"`,
			"a capital in the host":  `"https://` + strings.ToUpper(host[:1]) + host[1:] + `"`,
			"a dot behind the host":  `"` + good + `."`,
			"a port":                 `"` + good + `:443"`,
			"a user":                 `"https://a@` + host + `"`,
			"a user that is it":      `"` + good + `@evil.example"`,
			"a letter encoded":       `"https://%69` + host[1:] + `"`,
			"a Cyrillic letter":      `"` + strings.Replace(good, "e", "\u0435", 1) + `"`,
			"a wide dot":             `"` + strings.Replace(good, ".", "。", 1) + `"`,
			"a joiner":               `"` + strings.Replace(good, ".", "\u200d.", 1) + `"`,
			"cut":                    `"` + good[:len(good)-1] + `"`,
			"doubled":                `"` + good + good + `"`,
			"two joined by a space":  `"` + good + ` https://other.example"`,
			"two joined by a comma":  `"` + good + `,https://other.example"`,
			"a star":                 `"*"`,
			"a pattern":              `"https://*.example.com"`,
			"a regular expression":   `".*"`,
			"empty":                  `""`,
			"null":                   `null`,
			"a number":               `0`,
			"true":                   `true`,
			"an object":              `{"` + good + `":true}`,
			"an object with value":   `{"value":"` + good + `"}`,
			"a list in a list":       `[["` + good + `"]]`,
			"an empty list":          `[]`,
			"a list with a number":   `["` + good + `",1]`,
			"a list with null":       `["` + good + `",null]`,
			"a list of another":      `["https://other.example"]`,
		}
	}
	for name, value := range alike(harness.Audience) {
		t.Run("JWT-9: aud with "+name, func(t *testing.T) {
			s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, audience, `"aud":`+value), s.rs256))
		})
	}
	t.Run("JWT-9: no aud", func(t *testing.T) {
		s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, audience+",", ""), s.rs256))
	})
	t.Run("JWT-9: aud is a list with the right one", func(t *testing.T) {
		s.accepts(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, audience, `"aud":["https://other.example","`+harness.Audience+`"]`), s.rs256))
	})
	values := alike(harness.Issuer)
	values["a list with the right one"] = `["` + harness.Issuer + `"]`
	for name, value := range values {
		t.Run("JWT-8: iss with "+name, func(t *testing.T) {
			s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, issuer, `"iss":`+value), s.rs256))
		})
	}
	t.Run("JWT-8: no iss", func(t *testing.T) {
		s.refuses(t, rsGate, forge(`{"alg":"RS256"}`, claimsWith(t, issuer+",", ""), s.rs256))
	})
}

// TestSubjects has subjects that an upstream could take for another user.
func TestSubjects(t *testing.T) {
	s := newTarget(t)
	for name, subject := range map[string]string{
		"a line break":             `"alice\nX-Admin: true"`,
		"a carriage return":        `"alice\r\nX-Admin: true"`,
		"NUL":                      `"alice\u0000bob"`,
		"DEL":                      `"alice\u007f"`,
		"a space before":           `" alice"`,
		"a space behind":           `"alice "`,
		"a tab behind":             `"alice\t"`,
		"a no-break space behind":  `"alice\u00a0"`,
		"an escape":                `"\u001b[31malice"`,
		"a text that turns around": `"alice\u202eecila"`,
		"empty":                    `""`,
		"a number":                 `1`,
		"a list":                   `["alice","admin"]`,
		"an object":                `{"id":"alice"}`,
		"true":                     `true`,
		"null":                     `null`,
		"a placeholder":            `"{env.HOME}"`,
		"a placeholder of ours":    `"{http.auth.scheme}"`,
		"10 KiB":                   `"` + strings.Repeat("a", 10<<10) + `"`,
	} {
		t.Run("sub is "+name, func(t *testing.T) {
			s.user.Store("no user was forwarded")
			r := s.Get(rsGate, harness.Bearer(forge(`{"alg":"RS256"}`, claimsWith(t, `"sub":"alice"`, `"sub":`+subject), s.rs256)))
			user := s.user.Load().(string)
			switch {
			case r.Status != 200 && r.Status != 401:
				t.Errorf("status %d", r.Status)
			case r.Status == 200 && strings.ContainsFunc(unquoted(subject), func(c rune) bool { return c < ' ' || c == 0x7f }):
				t.Error("a name with a control character passes")
			case user == "alice" || user == "bob" || user == "admin":
				t.Errorf("the upstream takes it for %q", user)
			case strings.ContainsFunc(user, func(c rune) bool { return c < ' ' || c == 0x7f }):
				t.Errorf("the upstream was told %q", user)
			case strings.HasPrefix(name, "a placeholder") && r.Status == 200 && "\""+user+"\"" != subject:
				t.Errorf("the placeholder became %q", user)
			}
		})
	}
}

// unquoted is the text of a JSON string; of any other value it is nothing.
func unquoted(value string) string {
	var text string
	if json.Unmarshal([]byte(value), &text) != nil {
		return ""
	}
	return text
}
