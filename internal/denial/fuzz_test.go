package denial_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/denial"
)

// FuzzNegotiate asks with any Accept: the answer is always in a known format.
func FuzzNegotiate(f *testing.F) {
	for _, accept := range []string{
		"", "*/*", "text/html", "text/html;q=0.5, */*;q=1", ";;;q=,,=", "text/html;q=1e400", "q=1;text/*", "*/*;q=\x00", "\xff/\xff;q=-0", "text/plain;q=0x1p-2",
	} {
		f.Add(accept, "image/png")
	}
	contentTypes := []string{typeProblem, typeJSON, typeHTML, typeText}
	f.Fuzz(func(t *testing.T, first, second string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Accept"] = []string{first, second}
		w := httptest.NewRecorder()
		if err := (denial.Denial{Code: "missing_credentials"}).Write(w, r, denial.FormatAuto); err != nil {
			t.Fatal(err)
		}
		if got := w.Header()["Content-Type"]; len(got) != 1 || !slices.Contains(contentTypes, got[0]) {
			t.Errorf("%q, %q: Content-Type %q", first, second, got)
		}
		if w.Code != 401 || w.Body.Len() == 0 {
			t.Errorf("%q, %q: status %d, %d bytes", first, second, w.Code, w.Body.Len())
		}
	})
}
