package requireauth

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
)

// TestAllowWithNonce has a client let in that should use another nonce from now
// on, and an upstream that has its answer stored by everybody.
func TestAllowWithNonce(t *testing.T) {
	for way, answer := range map[string]func(http.ResponseWriter) error{
		"written": func(w http.ResponseWriter) error { _, err := w.Write([]byte("ok")); return err },
		"copied": func(w http.ResponseWriter) error {
			_, err := w.(io.ReaderFrom).ReadFrom(strings.NewReader("ok"))
			return err
		},
		"flushed": func(w http.ResponseWriter) error { return http.NewResponseController(w).Flush() },
	} {
		t.Run("R9449-13: an answer that is "+way, func(t *testing.T) {
			recorder, r := httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil)
			w := new(RequireAuth).allow(recorder, r, new(requestState), &decision{
				scheme:     new(namedScheme),
				outcome:    authn.Outcome{Verdict: authn.Accepted, Nonce: "next"},
				credential: authn.Credential{Scheme: "DPoP", Value: "x", Location: authn.AuthorizationField},
			})
			w.Header().Set("Cache-Control", "public, max-age=60")
			if err := answer(w); err != nil {
				t.Fatal(err)
			}
			sent := recorder.Result().Header
			if got := sent.Get(nonceHeader); got != "next" {
				t.Errorf("the nonce is %q", got)
			}
			if got := sent.Get("Cache-Control"); got != "max-age=60, no-store" {
				t.Errorf("Cache-Control: %s", got)
			}
		})
	}
}

func TestRestrict(t *testing.T) {
	for had, want := range map[string]string{
		"":                                       "private",
		"public, max-age=60, s-maxage=9":         "max-age=60, private",
		"No-Store":                               "No-Store",
		"Private, max-age=60":                    "Private, max-age=60",
		`private="set-cookie, x", a="\",public"`: `a="\",public", private`,
	} {
		h := http.Header{"Cache-Control": {had}, "Vary": {"accept, x-api-key"}}
		restrict(h, "private", "X-Api-Key")
		if got := h.Get("Cache-Control"); got != want || len(h["Vary"]) != 1 {
			t.Errorf("%s: got %s, want %s; Vary %q", had, got, want, h["Vary"])
		}
	}
}
