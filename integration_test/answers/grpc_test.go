package answers

import (
	"net/http"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestGRPC has the calls of gRPC clients, which read the status of gRPC alone.
func TestGRPC(t *testing.T) {
	for name, c := range map[string]struct{ pages, body string }{"the gate's own answer": {"", ""}, "the site's error pages": {"\nhandle_errors {\nrespond page\n}", "page"}} {
		s := harness.Start(t, site("require_auth /a.S/* corp {\nscope admin\n}\nrequire_auth /keys.S/* partners\nrequire_auth /hidden.S/* corp {\nhide all\n}\nrespond ok"+c.pages))
		grpc := harness.Header("Content-Type", "application/grpc+proto")
		for row, test := range map[string]struct {
			path    string
			options []harness.Option
			status  int
			code    string
		}{
			"no credentials":             {"/a.S/Call", with(grpc), 401, "16"},
			"too little scope":           {"/a.S/Call", with(grpc, harness.Bearer(harness.Token(t))), 403, "7"},
			"a wrong key":                {"/keys.S/Call", with(grpc, key("wrong")), 401, "16"},
			"two credentials":            {"/a.S/Call", with(grpc, harness.Bearer("a"), harness.Bearer("b")), 400, "3"},
			"no gRPC":                    {"/a.S/Call", with(harness.Header("Content-Type", "application/json")), 401, ""},
			"hidden, as a missing page":  {"/hidden.S/Call", with(grpc), 404, ""},
			"let in, as the upstream is": {"/a.S/Call", with(grpc, tokenWithScope(t, "admin")), 200, ""},
		} {
			t.Run("R9110-12: gRPC, "+name+": "+row, func(t *testing.T) {
				r := s.Do(http.MethodPost, s.URL(test.path), test.options...)
				if got := r.Header.Get("Grpc-Status"); got != test.code || r.Status != test.status {
					t.Errorf("status %d, grpc-status %q, want %d and %q", r.Status, got, test.status, test.code)
				}
				if got := r.Header.Get("Grpc-Message"); (got == "") != (test.code == "") {
					t.Errorf("grpc-message %q", got)
				}
				if kind := r.Header.Get("Content-Type"); test.code != "" && (r.Body != c.body || c.body == "" && kind != "application/grpc") {
					t.Errorf("%s %q", kind, r.Body)
				}
			})
		}
	}
}

// TestGRPCWeb has calls of gRPC in browsers, whose scripts read only exposed fields.
func TestGRPCWeb(t *testing.T) {
	s := harness.Start(t, site("auth_cors https://web.example\nrequire_auth corp\nrespond ok"))
	for sent, want := range map[string]string{
		"application/grpc-web+proto": "application/grpc-web", "application/grpc-web": "application/grpc-web",
		"Application/gRPC-Web-Text; a=b": "application/grpc-web-text", "application/grpc+proto": "application/grpc",
	} {
		t.Run("CORS-6: scripts read a denial of "+strings.ReplaceAll(sent, "/", " "), func(t *testing.T) {
			r := s.Do(http.MethodPost, s.URL("/a.S/Call"), harness.Header("Content-Type", sent), harness.Header("Origin", "https://web.example"))
			field(t, r, "Content-Type", want)
			exposed := strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "Grpc-Status, Grpc-Message")
			if web := want != "application/grpc"; r.Header.Get("Grpc-Status") != "16" || exposed != web {
				t.Error(r.Header)
			}
		})
	}
}

// TestCrossSitePage has a sign-in that comes back as a form which another site
// made the browser send, to a site that asks for a password.
func TestCrossSitePage(t *testing.T) {
	s := harness.Start(t, site("auth_cors https://idp.example.com {\ncredentials\n}\n@guarded not path /callback\nrequire_auth @guarded ops\nrespond ok"))
	form := func(path, origin, accept, language string) *harness.Response {
		return s.Do(http.MethodPost, s.URL(path), harness.Basic("alice", password), harness.Header("Sec-Fetch-Mode", "navigate"), harness.Header("Sec-Fetch-Site", "cross-site"),
			harness.Header("Origin", origin), harness.Header("Accept", accept), harness.Header("Accept-Language", language))
	}
	t.Run("R6750-15: the page says what happened, and the record who sent it", func(t *testing.T) {
		for language, words := range map[string]string{"en": "This request came from another site", "ko": "다른 사이트에서 온 요청입니다"} {
			r := form("/signin", "null", "text/html", language)
			if r.Status != http.StatusForbidden || !strings.Contains(r.Body, words) || strings.Contains(r.Body, "not allowed") {
				t.Errorf("status %d\n%s", r.Status, r.Body)
			}
		}
		record := decisionsByPath(t, s)
		if record["code"] != "access_denied" || record["reason"] != "a kept password came with a request from another site" || record["found"] != "Origin null, Sec-Fetch-Site cross-site" {
			t.Errorf("%v", record)
		}
		want(t, form("/signin", "null", "application/problem+json", "en"), http.StatusForbidden, "access_denied")
	})
	t.Run("R6750-15: an origin that is named may, and so may all where the gate does not look", func(t *testing.T) {
		if got := form("/signin", "https://idp.example.com", "text/html", "en").Status; got != http.StatusOK {
			t.Errorf("named: status %d", got)
		}
		if got := form("/callback", "null", "text/html", "en").Status; got != http.StatusOK {
			t.Errorf("taken out: status %d", got)
		}
		want(t, s.Get("/signin"), http.StatusUnauthorized, "missing_credentials", `Basic realm="api", charset="UTF-8"`)
	})
	t.Run("R6750-15: an account without permissions is still told so", func(t *testing.T) {
		denied := harness.Start(t, site("require_auth ops {\nrole boss\n}\nrespond ok"))
		r := denied.Get("/", harness.Basic("alice", password), harness.Header("Accept", "text/html"))
		if !strings.Contains(r.Body, "not allowed") {
			t.Errorf("%s", r.Body)
		}
	})
}
