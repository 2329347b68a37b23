package answers

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/strictjson"
)

const docs = "../../docs/"

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// block is an example of the docs; it has the name in front of it, if any.
var block = regexp.MustCompile("(?ms)^(?:`([^`\n]+)`:\n\n)?^```(\\w+)\n(.*?)^```$")

// examples returns the examples of docs/pages.md by their names; the one that
// has none is that of the last chapter.
func examples(t *testing.T) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, match := range block.FindAllStringSubmatch(harness.ReadFile(t, docs+"pages.md"), -1) {
		found[match[1]] = match[3]
	}
	for _, name := range []string{"Caddyfile", "de.json", "error.html", ""} {
		if found[name] == "" {
			t.Fatalf("the example %q is not there", name)
		}
	}
	return found
}

// local puts an example on the harness's port.
func local(example string) string {
	return strings.NewReplacer("api.example.com {", "http://localhost:8080 {", "bearer {", "bearer {\nhmac_secret "+harness.Secret).Replace(example)
}

var (
	html   = harness.Header("Accept", "text/html")
	german = harness.Header("Accept-Language", "de-AT,de;q=0.9,en;q=0.8")
)

func TestLanguageOfTheDocs(t *testing.T) {
	example := examples(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "de.json"), example["de.json"])
	s := harness.Start(t, strings.Replace(local(example["Caddyfile"]), "/etc/caddy/pages", folder, 1))
	t.Run("German is spoken", func(t *testing.T) {
		r := s.Get("/", html, german)
		says(t, r, 401, "de", "<h1>Bitte melden Sie sich an</h1>", "401</b> Nicht angemeldet", `href="https://login.example.com/">Anmelden</a>`, "Vorgangsnummer")
	})
	t.Run("what has not been translated is in English", func(t *testing.T) {
		r := s.Get("/", html, german, harness.Bearer(harness.Token(t)))
		says(t, r, 403, "de", "You have no access here", "Erforderliche Rechte", "<code>read</code>")
	})
	t.Run("other languages go on", func(t *testing.T) {
		says(t, s.Get("/", html), 401, "en", "Sign in to continue")
		says(t, s.Get("/", html, harness.Header("Accept-Language", "ko")), 401, "ko", "로그인이 필요합니다")
	})
	t.Run("the problem document stays English", func(t *testing.T) {
		r := s.Get("/", german)
		if r.Problem().Detail != "Not authenticated" || r.Header.Get("Content-Language") != "" {
			t.Errorf("%v %s", r.Header, r.Body)
		}
	})
	t.Run("a file that changes is read with the next configuration, and not before", func(t *testing.T) {
		path := filepath.Join(folder, "de.json")
		write(t, path, strings.Replace(example["de.json"], "Bitte melden Sie sich an", "Wer sind Sie?", 1))
		says(t, s.Get("/", html, german), 401, "de", "Bitte melden Sie sich an")
		s.Reload(strings.Replace(local(example["Caddyfile"]), "/etc/caddy/pages", folder, 1))
		says(t, s.Get("/", html, german), 401, "de", "Wer sind Sie?")
	})
	t.Run("a file that is wrong is refused with its name, and what ran before goes on", func(t *testing.T) {
		write(t, filepath.Join(folder, "401.html"), "<p>{{.Titel}}</p>")
		err := s.TryReload(strings.Replace(local(example["Caddyfile"]), "/etc/caddy/pages", folder, 1))
		if err == nil || !strings.Contains(err.Error(), "pages "+folder+": 401.html") {
			t.Errorf("%v", err)
		}
		says(t, s.Get("/", html, german), 401, "de", "Wer sind Sie?")
	})
}

func TestTemplateOfTheDocs(t *testing.T) {
	example := examples(t)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "error.html"), example["error.html"])
	write(t, filepath.Join(folder, "de.json"), example["de.json"])
	s := harness.Start(t, strings.Replace(local(example["Caddyfile"]), "/etc/caddy/pages", folder, 1))
	t.Run("it makes every page", func(t *testing.T) {
		r := s.Get("/", html, german)
		says(t, r, 401, "de", "Example Corp", "<h1>Bitte melden Sie sich an</h1>", ">Anmelden</a>", "Vorgangsnummer: <code>"+r.Header.Get("X-Trace-Id"))
		r = s.Get("/", html, harness.Bearer(harness.Token(t)))
		says(t, r, 403, "en", "Example Corp", "You have no access here", "Required scopes: <code>read</code>")
		if strings.Contains(r.Body, "href=\"https://login") {
			t.Errorf("a link on a 403: %s", r.Body)
		}
	})
	t.Run("it may load what it shows from its site, and nothing runs", func(t *testing.T) {
		policy := s.Get("/", html).Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "style-src 'self'") || !strings.Contains(policy, "img-src 'self'") || !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "script-src") {
			t.Errorf("%q", policy)
		}
	})
}

// says checks a page and what is in it.
func says(t *testing.T, r *harness.Response, status int, language string, parts ...string) {
	t.Helper()
	if r.Status != status || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("status %d, %s", r.Status, r.Header.Get("Content-Type"))
	}
	if got := r.Header.Get("Content-Language"); got != language {
		t.Errorf("Content-Language %q, want %q", got, language)
	}
	for _, field := range []string{"Accept", "Accept-Language"} {
		if !slices.Contains(r.Header["Vary"], field) {
			t.Errorf("Vary %q does not name %s", r.Header["Vary"], field)
		}
	}
	for _, part := range parts {
		if !strings.Contains(r.Body, part) {
			t.Errorf("%q is not in\n%s", part, r.Body)
		}
	}
}

// TestHiddenPage has a site with a page for every 404.
func TestHiddenPage(t *testing.T) {
	root := t.TempDir()
	write(t, filepath.Join(root, "404.html"), "there is nothing here")
	if err := os.Mkdir(filepath.Join(root, "reports"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(root, "reports", "may"), "the report")
	s := harness.Start(t, strings.Replace(local(examples(t)[""]), "/srv/www", root, 1))
	t.Run("R9110-3: what is hidden has the page of what is missing", func(t *testing.T) {
		hidden, missing := s.Get("/reports/may", html), s.Get("/missing", html)
		hidden.Header.Del("Date")
		missing.Header.Del("Date")
		if hidden.Status != 404 || hidden.Body != "there is nothing here" {
			t.Errorf("%d %s", hidden.Status, hidden.Body)
		}
		for name, values := range missing.Header {
			if !slices.Equal(hidden.Header[name], values) {
				t.Errorf("%s: %q and %q", name, hidden.Header[name], values)
			}
		}
		if missing.Status != hidden.Status || missing.Body != hidden.Body || len(missing.Header) != len(hidden.Header) {
			t.Errorf("%v and %v", hidden.Header, missing.Header)
		}
	})
	t.Run("who may see it does", func(t *testing.T) {
		if r := s.Get("/reports/may", harness.Bearer(harness.Token(t))); r.Status != 200 || r.Body != "the report" {
			t.Errorf("%d %s", r.Status, r.Body)
		}
	})
}

// TestPagesOfAnotherServer has a server for errors that takes every page for a
// success.
func TestPagesOfAnotherServer(t *testing.T) {
	errors := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write([]byte("the page " + r.URL.Path))
	}))
	t.Cleanup(errors.Close)
	example := examples(t)["Caddyfile of a site with an error server"]
	s := harness.Start(t, strings.Replace(local(example), "localhost:9001", errors.Listener.Addr().String(), 1))
	r := s.Get("/", html)
	if r.Status != 401 || r.Body != "the page /401.html" || len(r.Challenges()) != 1 {
		t.Errorf("%d %v %s", r.Status, r.Header, r.Body)
	}
	if directives := r.Header.Values("Cache-Control"); !slices.Contains(directives, "no-store") {
		t.Errorf("Cache-Control %q", directives)
	}
}

// TestDocsAreComplete holds the tables of the docs against what there is.
func TestDocsAreComplete(t *testing.T) {
	page := harness.ReadFile(t, docs+"pages.md")
	for _, language := range []string{"en", "ko"} {
		texts, err := strictjson.Object([]byte(harness.ReadFile(t, "../../internal/page/texts/"+language+".json")))
		if err != nil {
			t.Fatal(err)
		}
		if len(texts) < 50 {
			t.Errorf("%s has %d texts", language, len(texts))
		}
		for name := range texts {
			code, _, _ := strings.Cut(name, ".")
			if !strings.Contains(page, "`"+code+"`") {
				t.Errorf("%s is not in docs/pages.md", code)
			}
		}
	}
	total := int64(0)
	for _, picture := range regexp.MustCompile(`\((images/[^)]+)\)`).FindAllStringSubmatch(page, -1) {
		info, err := os.Stat(docs + picture[1])
		if err != nil {
			t.Error(err)
			continue
		}
		total += info.Size()
	}
	if total == 0 || total > 300<<10 {
		t.Errorf("the pictures have %d bytes", total)
	}
}
