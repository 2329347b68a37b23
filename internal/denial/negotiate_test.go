package denial_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/denial"
)

const (
	typeProblem = "application/problem+json"
	typeJSON    = "application/json"
	typeHTML    = "text/html; charset=utf-8"
	typeText    = "text/plain; charset=utf-8"
)

// typeFor is the media type of an answer in this format to this Accept.
func typeFor(t *testing.T, format denial.Format, accept ...string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.Header["Accept"] = accept
	w := httptest.NewRecorder()
	if err := (denial.Denial{Code: "access_denied"}).Write(w, r, format); err != nil {
		t.Fatal(err)
	}
	return w.Header().Get("Content-Type")
}

func TestNegotiate(t *testing.T) {
	for _, tc := range []struct{ name, accept, want string }{
		{"nothing", "", typeProblem},
		{"anything", "*/*", typeProblem},
		{"the problem document", "application/problem+json", typeProblem},
		{"JSON", "application/json", typeJSON},
		{"a page", "text/html", typeHTML},
		{"text", "text/plain", typeText},
		{"any text is a page first", "text/*", typeHTML},
		{"any application is the problem document", "application/*", typeProblem},
		{"letter case", "TEXT/HTML", typeHTML},
		{"a browser", "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8", typeHTML},
		{"curl", "*/*", typeProblem},
		{"axios", "application/json, text/plain, */*", typeJSON},
		{"jQuery", "text/html, */*; q=0.01", typeHTML},
		{"an MCP client", "application/json, text/event-stream", typeJSON},
		{"what is not offered", "image/png", typeProblem},
		{"what is not offered beside what is", "image/png, text/plain;q=0.1", typeText},
		{"the first of equals", "text/plain, text/html", typeText},
		{"the first of equals, the other way", "text/html, text/plain", typeHTML},
		{"the higher weight", "text/html;q=0.5, text/plain;q=0.6", typeText},
		{"a weight of 0 is a refusal", "text/html;q=0, */*", typeProblem},
		{"all refused", "*/*;q=0", typeProblem},
		{"one refused, and nothing else", "text/html;q=0", typeProblem},
		{"the more specific range counts", "application/problem+json;q=0.1, application/*;q=0.9", typeJSON},
		{"named before covered", "*/*, text/html", typeHTML},
		{"spaces and tabs", " text/html ;\tq=0.3 , text/plain ; q=0.2 ", typeHTML},
		{"parameters", "text/html;level=1;q=0.5, text/plain;q=0.4", typeHTML},
		{"the letter case of q", "text/html;Q=0.1, text/plain;q=0.2", typeText},
		{"a weight over 1 is none", "text/html;q=2, text/plain;q=0.1", typeText},
		{"a negative weight is none", "text/html;q=-1, text/plain;q=0.1", typeText},
		{"a weight that is not a number", "text/html;q=high, text/plain;q=0.1", typeText},
		{"a weight that is not a number", "text/html;q=NaN, text/plain;q=0.1", typeText},
		{"empty members", ",,text/plain,,", typeText},
		{"a word", "html", typeProblem},
		{"a wildcard in front", "*/html", typeProblem},
		{"a long field is read to a bound", strings.Repeat("image/png,", 5000) + "text/html", typeProblem},
	} {
		t.Run("R9457-4: "+tc.name, func(t *testing.T) {
			if got := typeFor(t, "", tc.accept); got != tc.want {
				t.Errorf("%s: got %s, want %s", tc.accept, got, tc.want)
			}
			if got := typeFor(t, denial.FormatAuto, tc.accept); got != tc.want {
				t.Errorf("auto, %s: got %s, want %s", tc.accept, got, tc.want)
			}
		})
	}
	t.Run("R9457-4: several fields are one list", func(t *testing.T) {
		if got := typeFor(t, "", "text/html;q=0.5", "text/plain"); got != typeText {
			t.Errorf("got %s", got)
		}
	})
	t.Run("R9457-4: no field", func(t *testing.T) {
		if got := typeFor(t, ""); got != typeProblem {
			t.Errorf("got %s", got)
		}
	})
	t.Run("R9457-4: a configured format is not negotiated", func(t *testing.T) {
		for format, want := range map[denial.Format]string{"problem": typeProblem, "json": typeJSON, "html": typeHTML, "text": typeText} {
			if got := typeFor(t, format, "image/png, text/html;q=0, application/json;q=0"); got != want {
				t.Errorf("%s: got %s", format, got)
			}
		}
	})
}

func TestFormatCheck(t *testing.T) {
	for _, format := range []denial.Format{"", "auto", "problem", "json", "html", "text"} {
		if err := format.Check(); err != nil {
			t.Errorf("%q: %v", format, err)
		}
	}
	for _, format := range []denial.Format{"JSON", "xml", " html", "application/json"} {
		if err := format.Check(); err == nil || !strings.Contains(err.Error(), "auto, problem, json, html or text") {
			t.Errorf("%q: %v", format, err)
		}
	}
}
