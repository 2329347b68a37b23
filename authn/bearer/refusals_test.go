package bearer

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// TestRefusals has bad tokens come again and again.
func TestRefusals(t *testing.T) {
	good := sign(t, "ES256", nil, nil)
	claims := `{"iss":"` + testIssuer + `","x":[` + strings.Repeat(`{"":0},`, 400) + `0]}`
	text := base64.RawURLEncoding.EncodeToString
	for name, token := range map[string]string{
		"no JWT":              strings.Repeat("x", 4000),
		"no JSON":             text([]byte(`{"alg":"ES256"}`)) + "." + text([]byte(strings.Repeat("[", 3000))) + ".AAAA",
		"of another issuer":   sign(t, "ES256", nil, map[string]any{"iss": "https://other.example"}),
		"with a header of ID": sign(t, "ES256", map[string]any{"typ": "dpop+jwt"}, nil),
		"with a bad key":      text([]byte(`{"alg":"ES256"}`)) + "." + text([]byte(claims)) + "." + text(make([]byte, 64)),
		"changed":             good[:strings.LastIndexByte(good, '.')+1] + text(make([]byte, 64)),
	} {
		t.Run("COST-1: a token "+name+" is read once", func(t *testing.T) {
			b := scheme(t)
			first := verify(b, token)
			again := steps.Of(func() {
				for range 10 {
					if outcome := verify(b, token); outcome.Verdict != first.Verdict || outcome.Code != first.Code || outcome.Reason.Error() != first.Reason.Error() {
						t.Errorf("outcome %+v, and then %+v", first, outcome)
					}
				}
			})
			if first.Verdict == authn.Accepted || again > 10*int64(len(token)) {
				t.Errorf("outcome %+v; %d steps for %d bytes", first, again, len(token))
			}
		})
	}
	t.Run("COST-1: what was refused is looked at again after a moment", func(t *testing.T) {
		b := scheme(t)
		now := b.now()
		b.now = func() time.Time { return now }
		bad := good[:strings.LastIndexByte(good, '.')+1] + text(make([]byte, 64))
		verify(b, bad)
		now = now.Add(refusedFor)
		if cost := steps.Of(func() { verify(b, bad) }); cost <= int64(len(bad)) {
			t.Errorf("%d steps", cost)
		}
	})
	t.Run("COST-1: what is remembered of bad tokens is bounded", func(t *testing.T) {
		var memory boundedMap[int, int]
		for i := range maxRefusals + 10 {
			memory.put(i, i)
		}
		if len(memory.values) == 0 || len(memory.values) > maxRefusals {
			t.Errorf("%d are remembered", len(memory.values))
		}
	})
}
