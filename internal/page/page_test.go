package page_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/excorp/caddy-require-auth/internal/page"
)

// cases are some of what pages can be about.
var cases = []page.Case{{401, "missing_credentials"}, {401, "expired_token"}, {403, "access_denied"}, {503, "temporarily_unavailable"}}

// folder is a folder of files.
func folder(files ...string) fstest.MapFS {
	rendered := make(fstest.MapFS)
	for i := 0; i < len(files); i += 2 {
		rendered[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return rendered
}

func load(t *testing.T, files ...string) *page.Set {
	t.Helper()
	set, err := page.Load(folder(files...), cases)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// render is the page for a status.
func render(t *testing.T, set *page.Set, status int, accept string) page.Page {
	t.Helper()
	for _, c := range cases {
		if c.Status == status {
			rendered, err := set.Render(page.Facts{Case: c, TraceID: "7f3c"}, []string{accept})
			if err != nil {
				t.Fatal(err)
			}
			return rendered
		}
	}
	t.Fatalf("no page for %d", status)
	return page.Page{}
}

// says checks the language of a page and what is in it.
func says(t *testing.T, rendered page.Page, language string, parts ...string) {
	t.Helper()
	if rendered.Language != language {
		t.Errorf("the language is %s, want %s", rendered.Language, language)
	}
	for _, part := range parts {
		if !strings.Contains(string(rendered.HTML), part) {
			t.Errorf("%q is not in\n%s", part, rendered.HTML)
		}
	}
}

func TestBuiltIn(t *testing.T) {
	set, err := page.Load(nil, cases)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("English", func(t *testing.T) {
		says(t, render(t, set, 401, ""), "en", `<html lang="en" dir="ltr">`, "<title>401 Unauthorized</title>", "<h1>Sign in to continue</h1>", "7f3c")
	})
	t.Run("Korean", func(t *testing.T) {
		says(t, render(t, set, 403, "ko"), "ko", `<html lang="ko" dir="ltr">`, "<title>403 접근 거부</title>", "<h1>접근 권한이 없습니다</h1>", "추적 ID")
	})
	t.Run("a page is small", func(t *testing.T) {
		for _, accept := range []string{"en", "ko"} {
			if rendered := render(t, set, 403, accept); len(rendered.HTML) > 4<<10 || rendered.Own {
				t.Errorf("%d bytes, own %v", len(rendered.HTML), rendered.Own)
			}
		}
	})
	t.Run("a status without pages", func(t *testing.T) {
		if _, err := set.Render(page.Facts{Case: page.Case{Status: 404}}, nil); err == nil {
			t.Error("there is one")
		}
	})
}

func TestTexts(t *testing.T) {
	t.Run("a language, and English for what it does not say", func(t *testing.T) {
		set := load(t, "de.json", `{"missing_credentials.title": "Bitte anmelden", "status_401": "Nicht angemeldet"}`)
		says(t, render(t, set, 401, "de-AT"), "de", `lang="de"`, "<h1>Bitte anmelden</h1>", "Trace id")
		says(t, render(t, set, 401, "fr"), "en", "Sign in to continue")
		says(t, render(t, set, 401, "ko"), "ko", "로그인이 필요합니다")
	})
	t.Run("behind a byte order mark", func(t *testing.T) {
		set := load(t, "de.json", "\ufeff"+`{"missing_credentials.title": "Bitte anmelden"}`, "403.html", "\ufeff<p>{{.Status}}")
		says(t, render(t, set, 401, "de"), "de", "<h1>Bitte anmelden</h1>")
		if rendered := render(t, set, 403, "de"); string(rendered.HTML) != "<p>403" {
			t.Errorf("the page is %q", rendered.HTML)
		}
	})
	t.Run("other words in a language that is built in", func(t *testing.T) {
		set := load(t, "ko.json", `{"trace_id": "문의 번호"}`, "en.json", `{"trace_id": "Reference"}`, "de.json", `{"sign_in": "Anmelden"}`)
		says(t, render(t, set, 401, "ko"), "ko", "문의 번호", "로그인이 필요합니다")
		says(t, render(t, set, 401, "en"), "en", "Reference", "Sign in to continue")
		says(t, render(t, set, 401, "de"), "de", "Reference")
	})
	t.Run("a narrower language takes the rest from the wider one", func(t *testing.T) {
		set := load(t, "pt.json", `{"trace_id": "Identificador", "missing_credentials.title": "Inicie sessão"}`, "pt-BR.json", `{"missing_credentials.title": "Faça login"}`)
		says(t, render(t, set, 401, "pt-BR"), "pt-BR", "Faça login", "Identificador")
		says(t, render(t, set, 401, "pt-PT"), "pt", "Inicie sessão", "Identificador")
	})
	t.Run("an empty text leaves a sentence out", func(t *testing.T) {
		rendered := render(t, load(t, "en.json", `{"missing_credentials.advice": ""}`), 401, "en")
		if strings.Contains(string(rendered.HTML), "<p></p>") || strings.Contains(string(rendered.HTML), "ask whoever") {
			t.Errorf("%s", rendered.HTML)
		}
	})
	t.Run("a language that is written from right to left", func(t *testing.T) {
		says(t, render(t, load(t, "ar.json", `{"direction": "rtl"}`), 401, "ar"), "ar", `dir="rtl"`)
	})
	t.Run("what a text says is text", func(t *testing.T) {
		says(t, render(t, load(t, "de.json", `{"trace_id": "<b>&"}`), 401, "de"), "de", "&lt;b&gt;&amp;")
	})
}

func TestTemplates(t *testing.T) {
	set := load(t,
		"401.de.html", "401 de", "401.html", "401 any {{.Language}}", "error.de.html", "error de", "error.html", "error any {{.Status}}",
		"403.fr.html", "403 fr {{.Language}} {{.Title}}", ".hidden.html", "{{")
	for _, test := range []struct {
		status                 int
		accept, language, want string
	}{
		{401, "de", "de", "401 de"},
		{401, "ko", "ko", "401 any ko"},
		{401, "fr", "en", "401 any en"},
		{403, "de", "de", "error de"},
		{403, "ko", "ko", "error any 403"},
		{403, "fr", "fr", "403 fr fr You have no access here"},
		{503, "fr", "en", "error any 503"},
	} {
		t.Run(fmt.Sprintf("%d in %s", test.status, test.accept), func(t *testing.T) {
			rendered := render(t, set, test.status, test.accept)
			if string(rendered.HTML) != test.want || rendered.Language != test.language || !rendered.Own {
				t.Errorf("%q in %s, own %v", rendered.HTML, rendered.Language, rendered.Own)
			}
		})
	}
	t.Run("everything that a template can show", func(t *testing.T) {
		set := load(t, "401.html", `{{.Language}}|{{.Direction}}|{{.Status}}|{{.StatusText}}|{{.Code}}|{{.Title}}|{{.Detail}}|{{.Advice}}|`+
			`{{.RequiredScopes}}|{{.RequiredRoles}}|{{.RetryAfter}}|{{.LoginURL}}|{{.TraceID}}|{{.Texts.sign_in}}`)
		rendered, err := set.Render(page.Facts{
			Case: cases[1], RequiredScopes: []string{"a", "b"}, RequiredRoles: []string{"c"}, RetryAfter: time.Minute, LoginURL: "/login", TraceID: "7f3c",
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		const want = "en|ltr|401|Unauthorized|expired_token|Your sign-in has expired|To keep you safe, a sign-in lasts for a limited time.|" +
			"Sign in again and carry on.|[a b]|[c]|60 s|/login|7f3c|Sign in"
		if string(rendered.HTML) != want {
			t.Errorf("\n got %s\nwant %s", rendered.HTML, want)
		}
	})
	t.Run("a page that grows too long at a request is an error", func(t *testing.T) {
		set := load(t, "401.html", `{{range .RequiredScopes}}{{printf "%50000s" .}}{{end}}`)
		_, err := set.Render(page.Facts{Case: cases[0], RequiredScopes: make([]string, 6)}, nil)
		if err == nil || !strings.Contains(err.Error(), "256 KiB") {
			t.Errorf("%v", err)
		}
	})
}

// TestRefused has folders that are not loaded: the error names the file.
func TestRefused(t *testing.T) {
	for name, test := range map[string]struct {
		files fstest.MapFS
		says  []string
	}{
		"nothing in it":                     {folder(), []string{"no page found in it"}},
		"nothing but what is hidden":        {folder("..data", "x"), []string{"no page found in it"}},
		"a status without a page":           {folder("404.html", "x"), []string{"404.html: ", "unknown page 404", "401, 403, 503, error"}},
		"a name that is none":               {folder("index.html", "x"), []string{"index.html: ", "unknown page index"}},
		"another kind of file":              {folder("401.html", "x", "logo.svg", "x"), []string{"logo.svg: ", "neither"}},
		"a name without an ending":          {folder("README", "x"), []string{"README: "}},
		"a folder in it":                    {folder("de.json/x", "x"), []string{"de.json: ", "not a regular file"}},
		"a template of no language":         {folder("401.zz.html", "x"), []string{"401.zz.html: ", `invalid language "zz"`}},
		"a template without a language":     {folder("401..html", "x"), []string{"401..html: ", `invalid language ""`}},
		"texts of no language":              {folder("zz.json", "{}"), []string{"zz.json: ", `invalid language "zz"`}},
		"texts of an undetermined language": {folder("und.json", "{}"), []string{"und.json: "}},
		"texts twice":                       {folder("ko.json", "{}", "kor.json", "{}"), []string{"kor.json: ", "ko.json has the texts"}},
		"a template twice":                  {folder("401.ko.html", "x", "401.kor.html", "x"), []string{"401.kor.html: ", "401.ko.html is the template"}},
		"a template that cannot be parsed":  {folder("401.html", "a\n{{.Title"), []string{"401.html:2"}},
		"a template without an end":         {folder("error.html", "{{if .LoginURL}}x"), []string{"error.html:1"}},
		"a field that does not exist":       {folder("401.html", "{{.Titel}}"), []string{"401.html:1", "Titel"}},
		"a text that does not exist":        {folder("401.html", "{{.Texts.signin}}"), []string{"401.html:1", "signin"}},
		"a member that may not be there":    {folder("401.html", "{{index .RequiredScopes 0}}"), []string{"401.html:1"}},
		"a field of the wrong kind":         {folder("401.html", "{{range .Status}}{{.X}}{{end}}"), []string{"401.html"}},
		"a template that cannot be escaped": {folder("401.html", "<a {{if .Code}}href='{{end}}"), []string{"401.html"}},
		"a template that calls itself":      {folder("401.html", `{{template "401.html" .}}`), []string{"401.html"}},
		"a template that grows without end": {folder("401.html", `{{printf "%300000s" "x"}}`), []string{"401.html", "256 KiB"}},
		"a file that is too long":           {folder("401.html", strings.Repeat("x", 65<<10)), []string{"401.html: ", "64 KiB"}},
		"texts that are no JSON":            {folder("de.json", "{"), []string{"de.json: "}},
		"texts that are no object":          {folder("de.json", "[]"), []string{"de.json: "}},
		"a text that is a number":           {folder("de.json", `{"sign_in": 1}`), []string{"de.json: ", `invalid text "sign_in"`}},
		"a text of an unknown name":         {folder("de.json", `{"signin": "x"}`), []string{"de.json: ", `"signin"`}},
		"a text written twice":              {folder("de.json", `{"sign_in": "x", "sign_in": "y"}`), []string{"de.json: "}},
		"texts that are not UTF-8":          {folder("de.json", "{\"sign_in\": \"\xff\"}"), []string{"de.json: ", "UTF-8"}},
		"a direction that is none":          {folder("de.json", `{"direction": "left"}`), []string{"de.json: ", "ltr or rtl"}},
		"too many files":                    {many(257), []string{"more than 256"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := page.Load(test.files, cases)
			if err == nil {
				t.Fatal("it was loaded")
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q is not in: %v", part, err)
				}
			}
		})
	}
}

func many(n int) fstest.MapFS {
	files := make(fstest.MapFS)
	for i := range n {
		files[fmt.Sprintf("%d.html", i)] = &fstest.MapFile{}
	}
	return files
}
