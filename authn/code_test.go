package authn_test

import (
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// codes are those of the public surface with their statuses.
var codes = map[authn.Code]int{
	"missing_credentials":              401,
	"invalid_request":                  400,
	"invalid_token":                    401,
	"expired_token":                    401,
	"revoked_token":                    401,
	"invalid_credentials":              401,
	"insufficient_scope":               403,
	"insufficient_role":                403,
	"access_denied":                    403,
	"insufficient_user_authentication": 401,
	"temporarily_unavailable":          503,
	"too_many_attempts":                429,
	"too_early":                        425,
	"invalid_dpop_proof":               401,
	"use_dpop_nonce":                   401,
	"internal_error":                   500,
}

func TestStatus(t *testing.T) {
	for code, want := range codes {
		t.Run("R9110-2 R9110-12: "+string(code), func(t *testing.T) {
			if got := code.Status(); got != want {
				t.Errorf("status %d, want %d", got, want)
			}
			if code.Detail() == "" {
				t.Error("nothing explains it")
			}
		})
	}
	t.Run("R9110-2: a caller who is known and may not hears the same whatever they lack", func(t *testing.T) {
		if authn.CodeInsufficientRole.Detail() != authn.CodeAccessDenied.Detail() {
			t.Error("the sentences differ")
		}
	})
	t.Run("O-2: a code that does not exist is an error of the server", func(t *testing.T) {
		for _, code := range []authn.Code{"", "allowed", "MISSING_CREDENTIALS"} {
			if code.Status() != 500 || code.Detail() != "Internal Server Error" {
				t.Errorf("%q: %d %s", code, code.Status(), code.Detail())
			}
		}
	})
}
