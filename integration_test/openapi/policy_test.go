package openapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// TestPolicy wants no word of a policy in the document that a 403 keeps secret.
func TestPolicy(t *testing.T) {
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"openapi":"3.1.0","info":{"title":"x","version":"1"},"paths":{
			"/user":{"get":{}},"/claim":{"get":{}},"/if":{"get":{}},"/role":{"get":{}},"/acr":{"get":{}},"/old":{"get":{}},"/both":{"get":{}},"/hidden":{"get":{}}}}`)
	}))
	t.Cleanup(upstream.Close)
	gate := func(path string, lines ...string) string {
		return "require_auth " + path + " {\n" + strings.Join(lines, "\n") + "\n}\n"
	}
	s := harness.Start(t, "{\nauth {\nbearer corp {\ndpop optional"+harness.BearerLines+"\n}\n}\n}\nhttp://localhost:8080 {\nauth_openapi\n"+
		gate("/user", "user root-account someone@example.com")+
		gate("/claim", "claim department hr-secret")+
		gate("/if", "if `claims.clearance == \"top\" && {http.request.header.X-Internal-Bypass} == \"s3cr3t\"`")+
		gate("/role", "role staff", "user root-account")+
		gate("/acr", "acr urn:mfa")+
		gate("/old", "max_age 5m")+
		gate("/both", "scope read", "acr urn:mfa", "claim department hr-secret")+
		gate("/hidden", "hide", "user root-account")+
		"reverse_proxy "+upstream.Listener.Addr().String()+"\n}")
	document := s.Get("/openapi.json").Body
	d := read(t, document)
	for path, want := range map[string]string{
		"/user": "The caller is authenticated and not authorized.", "/claim": "The caller is authenticated and not authorized.", "/if": "The caller is authenticated and not authorized.",
		"/role": "The caller is authenticated and not authorized. Required: role staff", "/both": "The caller is authenticated and not authorized. Required: scope read",
	} {
		responses := d.Paths[path]["get"].Responses
		if got := string(responses["403"]); !strings.Contains(got, `"description":"`+want+`"`) || responses["401"] == nil {
			t.Errorf("R9110-2: %s has 403 %s, want %q", path, got, want)
		}
	}
	for _, path := range []string{"/acr", "/old", "/hidden"} {
		responses := d.Paths[path]["get"].Responses
		if responses["403"] != nil || responses["401"] == nil {
			t.Errorf("R9470-1: %s has the responses %s", path, responses)
		}
	}
	for _, word := range []string{"root-account", "someone@example.com", "department", "hr-secret", "clearance", "X-Internal-Bypass", "s3cr3t"} {
		if strings.Contains(document, word) {
			t.Errorf("the document tells %s", word)
		}
	}
	for name, want := range map[string]string{
		"corp":      `{"type":"http","scheme":"bearer","bearerFormat":"JWT"}`,
		"corp_dpop": `{"type":"http","scheme":"dpop"}`,
	} {
		if got := string(d.Components.SecuritySchemes[name]); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
