package authn_test

import (
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

func TestCheckRealm(t *testing.T) {
	for _, realm := range []string{"", "off", "api", "My API (v2), staging", `a "quoted" realm`, `back\slash`, "a=b", "error", "~", " "} {
		t.Run("R9110-9: it may be "+realm, func(t *testing.T) {
			if err := authn.CheckParameter("realm", realm); err != nil {
				t.Error(err)
			}
		})
	}
	for name, realm := range map[string]string{
		"R9110-9: an accent": "caf\u00e9", "R9110-9: a line break": "a\nb", "R9110-9: a carriage return": "a\rb",
		"R9110-9: NUL": "a\x00", "R9110-9: DEL": "a\x7f", "R9110-9: a tab": "a\tb", "R9110-9: no UTF-8": "\xff",
		"CLI-2: scope": `x" scope="y`, "CLI-2: error": "error=x", "CLI-2: metadata": "see resource_metadata=https://evil.example",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if authn.CheckParameter("realm", realm) == nil {
				t.Errorf("%q was accepted", realm)
			}
		})
	}
}

func TestIsScopeToken(t *testing.T) {
	t.Run("R6750-10: every byte as RFC 6749 §3.3 says", func(t *testing.T) {
		for b := range 256 {
			want := b == 0x21 || 0x23 <= b && b <= 0x5b || 0x5d <= b && b <= 0x7e
			for _, text := range []string{string([]byte{byte(b)}), string([]byte{'a', byte(b), 'c'})} {
				if got := authn.IsScopeToken(text); got != want {
					t.Errorf("%q: %t", text, got)
				}
			}
		}
		if authn.IsScopeToken("") {
			t.Error("the empty text is a scope")
		}
	})
}
