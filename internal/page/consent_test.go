package page

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestConsent(t *testing.T) {
	set, err := Load(fstest.MapFS{"de.json": {Data: []byte(`{"consent_allow": "Weiter"}`)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	facts := Consent{
		AppHost: "app.example", RedirectURI: `http://127.0.0.1:1/"><script>`, Resource: "https://mcp.example/mcp",
		Action: "/consent", Request: "sealed",
	}
	for accept, want := range map[string]string{"": "Continue", "ko": "계속", "de": "Weiter", "xx": "Continue"} {
		page, err := set.RenderConsent(facts, []string{accept})
		if err != nil {
			t.Fatal(err)
		}
		html := string(page.HTML)
		for _, part := range []string{want, "app.example", "https://mcp.example/mcp", `value="sealed"`, `action="/consent"`, "&#34;&gt;&lt;script&gt;", "--ground"} {
			if !strings.Contains(html, part) {
				t.Errorf("%s lacks %q\n%s", accept, part, html)
			}
		}
		if strings.Contains(html, "<script") {
			t.Errorf("a script\n%s", html)
		}
	}
}
