package attacks

import (
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// hostile are texts that mean something to whoever prints them without care.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'";--`, `javascript:alert(1)`, `{{.}}`, `{env.HOME}`, `{http.request.header.Authorization}`,
	`", error="none", realm="evil`, `\", error=\"none`, "é", "\xff\xfe", "%0d%0aX-Injected: 1", `\r\nX-Injected: 1`, "\u2028", "\u202e", `${jndi:ldap://127.0.0.1:1/a}`,
	"\x1b[31m", "a\tb", strings.Repeat("a", 129), strings.Repeat("a", 4000), "../../etc/passwd", "`id`", "$(id)", "%n%s%x", "=cmd|'/c calc'!A1",
}

// TestReflection sends hostile texts wherever an answer or the log could repeat
// them.
func TestReflection(t *testing.T) {
	f := newFortress(t, `
	require_auth /page* corp {
		scope admin
		login_url /login
	}
	require_auth corp ops`)
	for _, text := range hostile {
		for location, request := range map[string]string{
			"a trace id":            lines("GET /", "X-Trace-Id: "+text),
			"a request id":          lines("GET /", "X-Request-Id: "+text, "Traceparent: "+text),
			"Accept":                lines("GET /", "Accept: "+text),
			"Accept-Language":       lines("GET /page", "Accept: text/html", "Accept-Language: "+text),
			"a page's query":        lines("GET /page?q="+strings.NewReplacer(" ", "+", "\t", "+").Replace(text), "Accept: text/html"),
			"a page's path":         lines("GET /page/"+strings.NewReplacer(" ", "+", "\t", "+").Replace(text), "Accept: text/html", "X-Trace-Id: "+text),
			"a page's Referer":      lines("GET /page", "Accept: text/html", "Referer: "+text, "X-Forwarded-Host: "+text, "User-Agent: "+text),
			"a scheme's parameters": lines("GET /", "Authorization: Bearer "+text),
			"a scheme":              lines("GET /", "Authorization: "+text),
			"a user name":           lines("GET /", "Authorization: Basic "+stdBase64([]byte(text+":"+text))),
			"an origin":             lines("GET /", "Origin: "+text),
			"a method":              lines("GET /", "Access-Control-Request-Method: "+text, "Access-Control-Request-Headers: "+text),
			"a script's name":       lines("GET /", "X-Requested-With: "+text, "Sec-Fetch-Mode: "+text),
		} {
			t.Run(location+" is "+quoted(text), func(t *testing.T) {
				before := len(f.LogText())
				r := f.Send(request)
				f.stops(t, r)
				checkFields(t, r)
				if strings.HasPrefix(r.Header.Get("Content-Type"), "text/html") && strings.Contains(r.Body, text) && strings.ContainsAny(text, `<>"'`) {
					t.Errorf("the page repeats it: %s", r.Body)
				}
				if strings.Contains(f.LogText()[before:], "\x1b") || strings.Contains(f.LogText()[before:], "\nX-Injected") {
					t.Error("the log has it as it is")
				}
			})
		}
	}
}

func quoted(text string) string {
	if len(text) > 40 {
		text = text[:40] + "…"
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "?"), "/", "∕")
}

// checkFields wants nothing in a field but what is printable, and no field that
// a request has made.
func checkFields(t *testing.T, r *harness.Response) {
	t.Helper()
	for name, values := range r.Header {
		for _, value := range values {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' || c > '~' }) {
				t.Errorf("%s is %q", name, value)
			}
		}
	}
	if r.Header.Get("X-Injected") != "" {
		t.Error("a field was injected")
	}
	for _, challenge := range r.Challenges() {
		if strings.Contains(challenge, "none") || strings.Contains(challenge, "evil") {
			t.Errorf("the challenge is %s", challenge)
		}
	}
	if location := r.Header.Get("Location"); location != "" {
		t.Errorf("it is sent to %s", location)
	}
}

// TestLogin looks where the link of the page leads: to where the configuration
// says, and nowhere that a request says.
func TestLogin(t *testing.T) {
	f := newFortress(t, "require_auth corp {\nlogin_url https://login.example/start?from=app\n}")
	for _, text := range hostile {
		if strings.ContainsAny(text, "\t\x1b ") {
			continue
		}
		t.Run("the link stays, whatever is asked for: "+quoted(text), func(t *testing.T) {
			r := f.Send(lines("GET /"+text+"?next=//evil.example&login_url="+text, "Accept: text/html", "Referer: https://evil.example/", "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: javascript"))
			if r.Status == http.StatusBadRequest {
				return // no path for a server
			}
			if strings.Count(r.Body, "href=") != 1 || !strings.Contains(r.Body, `href="https://login.example/start?from=app"`) || strings.Contains(r.Body, "evil.example") {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		})
	}
	for _, target := range []string{
		"//evil.example", "javascript:alert(1)", "data:text/html,x", "vbscript:x", "login", "../login", "ftp://login.example", "https:///login", "https:login", `\\evil.example`,
		`/\evil.example`, "//", "http://", "file:///etc/passwd", "/{http.request.uri.query.next}", "https://{http.request.host}/login", "{http.request.header.Referer}",
		"https://user:password@login.example/", "/login\u0000", " /login", "/login\r\nX: y",
	} {
		t.Run("refused at load: "+quoted(target), func(t *testing.T) {
			err := f.TryReload("{\nauto_https off\n}\nhttp://localhost:8080 {\nrequire_auth {\nbearer {" + harness.BearerLines + "}\nlogin_url `" + target + "`\n}\nrespond ok\n}")
			if err == nil {
				r := f.Send(lines("GET /x?next=//evil.example", "Accept: text/html", "Referer: javascript:alert(1)"))
				t.Errorf("it was loaded, and the page has %s", r.Body[strings.Index(r.Body, "href"):][:60])
			}
		})
	}
}

// TestConfiguredText has texts of a configuration that would break a challenge:
// they are refused, or sent so that a client reads them back.
func TestConfiguredText(t *testing.T) {
	f := newFortress(t, "require_auth corp")
	for _, realm := range []string{`a"b`, `a\b`, "a\r\nX-Injected: 1", "a\x00b", `", error="none`, "é", "{http.request.header.X-Realm}", "a, Basic realm=b", `a\", b="`} {
		t.Run("realm is "+quoted(realm), func(t *testing.T) {
			if err := f.TryReload("{\nauto_https off\nauth {\nrealm `" + realm + "`\nbearer {" + harness.BearerLines + "}\n}\n}\nhttp://localhost:8080 {\nrequire_auth\nrespond ok\n}"); err != nil {
				return
			}
			r := f.Send(lines("GET /", `X-Realm: evil", error="none`))
			checkFields(t, r)
			if r.Status != 401 || len(r.Challenges()) != 1 {
				t.Fatalf("%d %q", r.Status, r.Challenges())
			}
			back := strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.TrimSuffix(strings.TrimPrefix(r.Challenges()[0], `Bearer realm="`), `"`))
			if back != realm {
				t.Errorf("a client reads %s back", back)
			}
		})
	}
}
