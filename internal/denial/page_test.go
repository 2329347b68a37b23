package denial_test

import (
	"strings"
	"testing"
	"time"

	nethtml "golang.org/x/net/html"

	"github.com/excorp/caddy-require-auth/authn"
	"github.com/excorp/caddy-require-auth/internal/denial"
)

// elements lists the elements of a page with their attributes, and its text.
func elements(t *testing.T, page string) (tags map[string][]string, words string) {
	t.Helper()
	tags = make(map[string][]string)
	z := nethtml.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case nethtml.ErrorToken:
			return tags, words
		case nethtml.StartTagToken, nethtml.SelfClosingTagToken:
			token := z.Token()
			var attributes []string
			for _, attribute := range token.Attr {
				attributes = append(attributes, attribute.Key+"="+attribute.Val)
			}
			tags[token.Data] = append(tags[token.Data], strings.Join(attributes, " "))
		case nethtml.TextToken:
			words += z.Token().Data
		}
	}
}

func TestPage(t *testing.T) {
	t.Run("R9457-3 R9110-12: whatever a page says, it says as text", func(t *testing.T) {
		hostile := `<script>alert(1)</script><img src=x onerror=alert(1)>"'` + "`{{.}}--></style>"
		page := write(t, denial.Denial{
			Code: "insufficient_scope", TraceID: hostile, RequiredScopes: []string{hostile}, RequiredRoles: []string{hostile},
		}, "html").Body.String()
		tags, words := elements(t, page)
		if strings.Count(words, hostile) != 3 {
			t.Errorf("it is not said as it is\n%s", words)
		}
		for tag := range tags {
			if !strings.Contains(" html head meta title style body main h1 p b dl div dt dd code ", " "+tag+" ") {
				t.Errorf("the page has the element %s", tag)
			}
		}
	})
	t.Run("R9110-12: status, what it means, what is required, where to ask", func(t *testing.T) {
		tags, words := elements(t, write(t, denial.Denial{Code: "insufficient_scope", TraceID: "7f3c", RequiredScopes: []string{"a", "b"}}, "html").Body.String())
		for _, want := range []string{"403 Forbidden", "You have no access here", "Ask whoever runs this site", "Required scopes", "a, b", "7f3c"} {
			if !strings.Contains(words, want) {
				t.Errorf("%q is not said\n%s", want, words)
			}
		}
		if got := tags["html"]; len(got) != 1 || got[0] != "lang=en dir=ltr" || len(tags["title"]) != 1 {
			t.Errorf("%v", tags)
		}
	})
	t.Run("R9110-12: when to ask again", func(t *testing.T) {
		for wait, want := range map[time.Duration]string{
			time.Second: "1 s", 1500 * time.Millisecond: "2 s", 2 * time.Minute: "120 s", 2*time.Minute + 1: "3 min", time.Hour: "60 min",
		} {
			_, words := elements(t, write(t, denial.Denial{Code: "too_many_attempts", RetryAfter: wait}, "html").Body.String())
			if !strings.Contains(words, "Try again in"+want+"\n") {
				t.Errorf("%s is said as %s", wait, words)
			}
		}
		if _, words := elements(t, write(t, denial.Denial{Code: "too_many_attempts"}, "html").Body.String()); strings.Contains(words, "Try again in") {
			t.Errorf("the time is unknown, and yet: %s", words)
		}
	})
	t.Run("a code of another plugin has the page of an error", func(t *testing.T) {
		_, words := elements(t, write(t, denial.Denial{Code: "no_such_code"}, "html").Body.String())
		if !strings.Contains(words, "500 Internal Server Error") || !strings.Contains(words, "Something went wrong") {
			t.Error(words)
		}
	})
	t.Run("nothing is loaded, nothing runs, no site frames it", func(t *testing.T) {
		w := write(t, denial.Denial{Code: "missing_credentials", LoginURL: "https://idp.example/login"}, "html")
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "style-src 'unsafe-inline'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("%q is not in %q", want, policy)
			}
		}
		tags, _ := elements(t, w.Body.String())
		for _, banned := range []string{"script", "link", "img", "iframe", "form", "object", "embed", "base"} {
			if tags[banned] != nil {
				t.Errorf("the page has the element %s", banned)
			}
		}
		for _, format := range []denial.Format{"problem", "json", "text"} {
			if other := write(t, denial.Denial{Code: "access_denied"}, format).Header().Get("Content-Security-Policy"); other != "" {
				t.Errorf("%s has the policy %q", format, other)
			}
		}
	})
	t.Run("R9110-12: a way to sign in, for who is not signed in", func(t *testing.T) {
		for _, code := range authn.Codes() {
			status := code.Status()
			tags, _ := elements(t, write(t, denial.Denial{Code: code, LoginURL: `/login?next=/a&b="c`}, "html").Body.String())
			if status != 401 && tags["a"] != nil {
				t.Errorf("%s: %q", code, tags["a"])
			}
			if status == 401 && (len(tags["a"]) != 1 || tags["a"][0] != "class=button href=/login?next=/a&b=%22c") {
				t.Errorf("%s: %q", code, tags["a"])
			}
		}
		if tags, _ := elements(t, write(t, denial.Denial{Code: "missing_credentials"}, "html").Body.String()); tags["a"] != nil {
			t.Errorf("no URL, and yet %q", tags["a"])
		}
	})
	t.Run("no address that is a script, even if one was let in", func(t *testing.T) {
		for _, url := range []string{"javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x"} {
			tags, _ := elements(t, write(t, denial.Denial{Code: "missing_credentials", LoginURL: url}, "html").Body.String())
			for _, link := range tags["a"] {
				if link != "class=button href=#ZgotmplZ" {
					t.Errorf("%s: %s", url, link)
				}
			}
		}
	})
}
