package denial_test

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

func TestVary(t *testing.T) {
	for name, test := range map[string]struct {
		format         denial.Format
		accept, before string
		want           []string
	}{
		"a negotiated problem depends on Accept":             {"auto", "*/*", "", []string{"Accept"}},
		"so does one without a configuration":                {"", "", "", []string{"Accept"}},
		"a negotiated page depends on the language too":      {"", "text/html", "", []string{"Accept", "Accept-Language"}},
		"a page that is configured depends on that alone":    {"html", "*/*", "", []string{"Accept-Language"}},
		"a problem that is configured depends on nothing":    {"problem", "text/html", "", nil},
		"what is said of others stays":                       {"", "text/html", "Origin", []string{"Origin", "Accept", "Accept-Language"}},
		"nothing is said twice":                              {"", "text/html", "accept , Origin", []string{"accept , Origin", "Accept-Language"}},
		"nothing can be added to what depends on everything": {"", "text/html", "*", []string{"*"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept", test.accept)
			w := httptest.NewRecorder()
			if test.before != "" {
				w.Header().Set("Vary", test.before)
			}
			if err := (denial.Denial{Code: "access_denied"}).Write(w, r, test.format); err != nil {
				t.Fatal(err)
			}
			if got := w.Header()["Vary"]; !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			page := strings.HasPrefix(w.Header().Get("Content-Type"), "text/html")
			if got := w.Header().Get("Content-Language"); page != (got == "en") || !page && got != "" {
				t.Errorf("Content-Language %q", got)
			}
		})
	}
}

func TestLoadPages(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("401.html", "<p>{{.Code}}")
	pages, err := denial.LoadPages(folder)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(code authn.Code) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		if err := (denial.Denial{Code: code, Pages: pages}).Write(w, httptest.NewRequest("GET", "/", nil), "html"); err != nil {
			t.Fatal(err)
		}
		return w
	}
	t.Run("an own template, with what it may load", func(t *testing.T) {
		w := answer("missing_credentials")
		if w.Body.String() != "<p>missing_credentials" {
			t.Errorf("%s", w.Body)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "img-src 'self' data:", "form-action 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%q is not in %q", want, policy)
			}
		}
		if strings.Contains(policy, "script-src") {
			t.Errorf("scripts may run: %q", policy)
		}
	})
	t.Run("the other pages stay as they are", func(t *testing.T) {
		w := answer("access_denied")
		if !strings.Contains(w.Body.String(), "You have no access here") || strings.Contains(w.Header().Get("Content-Security-Policy"), "'self'") {
			t.Errorf("%v\n%s", w.Header(), w.Body)
		}
	})
	t.Run("an error names the folder and the file", func(t *testing.T) {
		write("404.html", "x")
		if _, err := denial.LoadPages(folder); err == nil || !strings.Contains(err.Error(), "pages "+folder+": 404.html: ") {
			t.Errorf("%v", err)
		}
		if _, err := denial.LoadPages(filepath.Join(folder, "none")); err == nil || !strings.Contains(err.Error(), "none") {
			t.Errorf("%v", err)
		}
	})
}

func TestWords(t *testing.T) {
	for _, language := range []string{"en", "ko"} {
		codes := make(map[string]authn.Code)
		for _, code := range authn.Codes() {
			status := code.Status()
			t.Run("R9110-12: "+string(code)+" in "+language, func(t *testing.T) {
				r := httptest.NewRequest("GET", "/", nil)
				r.Header.Set("Accept-Language", language)
				w := httptest.NewRecorder()
				if err := (denial.Denial{Code: code}).Write(w, r, "html"); err != nil {
					t.Fatal(err)
				}
				if got := w.Header().Get("Content-Language"); got != language {
					t.Errorf("Content-Language %q", got)
				}
				tags, words := elements(t, w.Body.String())
				if len(tags["h1"]) != 1 || len(tags["p"]) != 3 {
					t.Errorf("a heading and three sentences are expected: %v", tags)
				}
				if strings.Contains(words, string(code)) || strings.Contains(words, "{n}") {
					t.Errorf("what only programs read: %s", words)
				}
				// All refusals for what somebody may do sound alike; no others do.
				if other, twice := codes[words]; twice && status != 403 && code.Status() == other.Status() {
					t.Errorf("%s says the same", other)
				}
				codes[words] = code
			})
		}
		if got := len(codes); got != len(authn.Codes())-2 {
			t.Errorf("%s: %d different pages for %d codes, three of which are the same refusal", language, got, len(authn.Codes()))
		}
	}
}
