package bearer

import (
	"encoding/json"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestUserIsANumber has issuers that number their users.
func TestUserIsANumber(t *testing.T) {
	for _, written := range []string{"0", "42", "-7", "3406327963516932", "9223372036854775807", "12345678901234567890", "12345678901234567891", "1.50", "1e3"} {
		t.Run("a user "+written, func(t *testing.T) {
			claims := map[string]any{"uid": json.Number(written), "deep": map[string]any{"uid": json.Number(written)}}
			token := sign(t, "ES256", nil, claims)
			for _, claim := range []string{"uid", "deep.uid"} {
				b := scheme(t, func(b *Bearer) { b.UserClaim = claim })
				for range 2 { // the second time it is remembered
					if got := wantAccepted(t, b, token); got.ID != written {
						t.Errorf("%s is %q", claim, got.ID)
					}
				}
			}
		})
		wantRefused(t, scheme(t), sign(t, "ES256", nil, map[string]any{"sub": json.Number(written)}), authn.CodeInvalidToken)
	}
	numbered := scheme(t, func(b *Bearer) { b.UserClaim = "uid" })
	if got := wantAccepted(t, numbered, sign(t, "ES256", nil, map[string]any{"uid": "42"})); got.ID != "42" {
		t.Errorf("a string is %q", got.ID)
	}
	for _, claim := range []any{map[string]any{"id": 1}, []any{1}, true} {
		wantRefused(t, numbered, sign(t, "ES256", nil, map[string]any{"uid": claim}), authn.CodeInvalidToken)
	}
	t.Run("an answer of the issuer has it exactly, or as a string", func(t *testing.T) {
		if user, err := numbered.user(&token{claims: map[string]any{"uid": int64(42)}}); user != "42" || err != nil {
			t.Error(user, err)
		}
		if user, err := numbered.user(&token{claims: map[string]any{"uid": 12345678901234567890.0}}); user != "" || err == nil {
			t.Error(user, err)
		}
	})
}
