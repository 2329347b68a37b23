package denial_test

import (
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/internal/denial"
)

// write is the answer in a format.
func write(t *testing.T, d denial.Denial, format denial.Format) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	if err := d.Write(w, httptest.NewRequest(http.MethodGet, "/", nil), format); err != nil {
		t.Fatal(err)
	}
	if got := w.Header().Get("Content-Length"); got != strconv.Itoa(w.Body.Len()) {
		t.Errorf("Content-Length %s, the body has %d", got, w.Body.Len())
	}
	if w.Code != d.Status() {
		t.Errorf("status %d, want %d", w.Code, d.Status())
	}
	return w
}

func TestBodies(t *testing.T) {
	missing := denial.Denial{Code: "missing_credentials", TraceID: "7f3c", LoginURL: "/login", Challenges: []string{"Bearer"}}
	scope := denial.Denial{Code: "insufficient_scope", TraceID: "7f3c", RequiredScopes: []string{"admin", "read"}}
	role := denial.Denial{Code: "insufficient_role", TraceID: "7f3c", RequiredRoles: []string{"operator"}}
	const (
		missingJSON = `{"type":"about:blank","title":"Unauthorized","status":401,"detail":"Not authenticated","code":"missing_credentials","trace_id":"7f3c"}` + "\n"
		scopeJSON   = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not enough permissions","code":"insufficient_scope","required_scopes":["admin","read"],"trace_id":"7f3c"}` + "\n"
		roleJSON    = `{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not enough permissions","code":"insufficient_role","required_roles":["operator"],"trace_id":"7f3c"}` + "\n"
	)
	for name, tc := range map[string]struct {
		denial denial.Denial
		format denial.Format
		want   string
	}{
		"R9457-1 R9457-2 R9110-12: a problem":  {missing, "problem", missingJSON},
		"R9457-1: JSON has the same members":   {missing, "json", missingJSON},
		"R9457-1 R9457-2: the scopes required": {scope, "problem", scopeJSON},
		"R9457-1: the roles required":          {role, "json", roleJSON},
		"R9110-12: text":                       {missing, "text", "401 Unauthorized: Not authenticated (trace id 7f3c)\n"},
		"R9110-12: text with scopes":           {scope, "text", "403 Forbidden: Not enough permissions; required scopes: admin read (trace id 7f3c)\n"},
		"R9110-12: text with roles":            {role, "text", "403 Forbidden: Not enough permissions; required roles: operator (trace id 7f3c)\n"},
		"R9457-1: what JSON has to escape": {
			denial.Denial{Code: "insufficient_role", TraceID: "\"\\\n", RequiredRoles: []string{"<b>&\u2028"}}, "json",
			`{"type":"about:blank","title":"Forbidden","status":403,"detail":"Not enough permissions","code":"insufficient_role","required_roles":["<b>&\u2028"],"trace_id":"\"\\\n"}` + "\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := write(t, tc.denial, tc.format).Body.String(); got != tc.want {
				t.Errorf("\n got %s\nwant %s", got, tc.want)
			}
		})
	}
	t.Run("R9457-3 LEAK-1: no body names a challenge, a version or the software", func(t *testing.T) {
		for format := range map[denial.Format]bool{"problem": true, "json": true, "html": true, "text": true} {
			body := strings.ToLower(write(t, missing, format).Body.String())
			for _, word := range []string{"bearer", "caddy", "go1", "require"} {
				if strings.Contains(body, word) {
					t.Errorf("%s says %s\n%s", format, word, body)
				}
			}
		}
	})
}
