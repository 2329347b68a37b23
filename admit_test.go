package requireauth

import (
	"net/http/httptest"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestAdmitWithNonce has a client let in that should use another nonce from now
// on, and an upstream that has its answer stored by everybody.
func TestAdmitWithNonce(t *testing.T) {
	for nonce, stored := range map[string]string{"": "public, max-age=60", "next": "max-age=60, no-store"} {
		t.Run("R9449-13: the nonce is "+nonce, func(t *testing.T) {
			recorder, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			w := new(RequireAuth).admit(recorder, r, new(visit), ruling{
				outcome:    authn.Outcome{Verdict: authn.Accepted, Nonce: nonce},
				credential: authn.Credential{Scheme: "DPoP", Value: "x", Place: authn.AuthorizationField},
			})
			w.Header().Set("Cache-Control", "public, max-age=60")
			if _, err := w.Write([]byte("ok")); err != nil {
				t.Fatal(err)
			}
			if got := recorder.Header().Get(nonceHeader); got != nonce {
				t.Errorf("the nonce is %q", got)
			}
			if got := recorder.Header().Get("Cache-Control"); got != stored {
				t.Errorf("Cache-Control: %s, want %s", got, stored)
			}
		})
	}
}
