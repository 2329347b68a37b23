package answers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
)

// forged are the ways in which a client sends an identity.
var forged = with(harness.Header("X-User", "mallory"), harness.Header("x-uSER", "mallory"), harness.Header("X_User", "mallory"),
	harness.Header("X!User", "mallory"), harness.Header("X-Team", "admins"), harness.Header("Connection", "X-User"))

// describeIdentity returns the identity fields that an upstream got.
func describeIdentity(b *backend, t *testing.T) string {
	t.Helper()
	h := b.last(t).Header
	identity := identityFields(h)
	for name, values := range h {
		if strings.ContainsAny(name, "!") || name == "X-Team" {
			identity = append(identity, fmt.Sprint(name, "=", values))
		}
	}
	return strings.Join(identity, " ")
}

// TestForgedOnRoutesWithoutAGate sends the fields of gates past all of them.
func TestForgedOnRoutesWithoutAGate(t *testing.T) {
	b := serve(t, nil)
	proxy := "reverse_proxy " + b.addr
	const (
		user = "require_auth corp {\nforward X-User {http.auth.user.id}\nforward X-Team {http.auth.user.team}\n}\n"
		head = "{\nauth {\nbearer corp {" + harness.BearerLines + "}\n}\n}\n"
	)
	gate := func(matcher string) string { return strings.Replace(user, "require_auth", "require_auth "+matcher, 1) }
	sites := map[string]string{
		"a gate of the site":            "http://localhost:8080 {\n" + gate("/orders*") + proxy + "\n}",
		"a named matcher":               "http://localhost:8080 {\n@orders path /orders*\n" + gate("@orders") + proxy + "\n}",
		"a gate in handle":              "http://localhost:8080 {\nhandle /orders* {\n" + user + proxy + "\n}\nhandle {\n" + proxy + "\n}\n}",
		"a gate in handle_path":         "http://localhost:8080 {\nhandle_path /orders* {\n" + user + proxy + "\n}\n" + proxy + "\n}",
		"a gate in route in route":      "http://localhost:8080 {\nroute {\nroute /orders* {\n" + user + proxy + "\n}\n" + proxy + "\n}\n}",
		"a gate behind what answers":    "http://localhost:8080 {\nroute {\n@open not path /orders*\n" + proxy[:13] + " @open" + proxy[13:] + "\n" + user + proxy + "\n}\n}",
		"a snippet":                     "(guarded) {\nhandle {args[0]} {\n" + user + proxy + "\n}\n}\nhttp://localhost:8080 {\nimport guarded /orders*\n" + proxy + "\n}",
		"a named route":                 "&(guarded) {\n" + user + proxy + "\n}\nhttp://localhost:8080 {\ninvoke /orders* guarded\n" + proxy + "\n}",
		"a named route, for all hosts":  "&(guarded) {\n" + user + proxy + "\n}\n:8080 {\ninvoke /orders* guarded\n" + proxy + "\n}",
		"a site of all hosts":           ":8080 {\n" + gate("/orders*") + proxy + "\n}",
		"in handle, for all hosts":      ":8080 {\nhandle /orders* {\n" + user + proxy + "\n}\n" + proxy + "\n}",
		"last, for all hosts":           ":8080 {\nroute {\nhandle /health {\n" + proxy + "\n}\nhandle /orders* {\n" + user + proxy + "\n}\nhandle {\n" + proxy + "\n}\n}\n}",
		"beside a site without a gate":  "http://localhost:8080 {\nhandle /orders* {\n" + user + proxy + "\n}\n" + proxy + "\n}\nhttp://other.example:8080 {\n" + proxy + "\n}\n:8080 {\nrespond other\n}",
		"a site of several hosts":       "http://a.example:8080, http://localhost:8080 {\nhandle /orders* {\n" + user + proxy + "\n}\n" + proxy + "\n}",
		"an error route with the proxy": "http://localhost:8080 {\n" + gate("/orders*") + "handle /health {\nerror 404\n}\nhandle_errors {\nrewrite * /{err.status_code}.html\n" + proxy + "\n}\n" + proxy + "\n}",
		"a gate in an error route":      "http://localhost:8080 {\nerror /orders* 404\nhandle_errors {\nrewrite * /{err.status_code}.html\n" + user + proxy + "\n}\n" + proxy + "\n}",
	}
	for name, site := range sites {
		t.Run("ID-2: "+name, func(t *testing.T) {
			s := harness.Start(t, head+site)
			for _, path := range []string{"/health", "/"} {
				s.Get(path, forged...)
				if identity := describeIdentity(b, t); identity != "" {
					t.Errorf("past no gate the upstream of %s was told %s", path, identity)
				}
			}
			s.Get("/orders", append(forged, tokenWithClaims(t, harness.Claims{"team": "staff"}))...)
			if identity := describeIdentity(b, t); identity != "X-User=[alice] X-Team=[staff]" {
				t.Errorf("past the gate the upstream was told %s", identity)
			}
		})
		t.Run("ID-2: in JSON, "+name, func(t *testing.T) {
			config, err := harness.Adapt(head + site)
			if err != nil {
				t.Fatal(err)
			}
			s := harness.StartJSON(t, string(config))
			s.Get("/health", forged...)
			if identity := describeIdentity(b, t); identity != "" {
				t.Errorf("past no gate the upstream was told %s", identity)
			}
		})
	}
	t.Run("ID-2: another site keeps its fields", func(t *testing.T) {
		s := harness.Start(t, head+sites["beside a site without a gate"])
		s.Get("/", harness.Host("other.example"), harness.Header("X-User", "from a trusted proxy"))
		if identity := describeIdentity(b, t); identity != "X-User=[from a trusted proxy]" {
			t.Errorf("the upstream was told %s", identity)
		}
	})
	t.Run("ID-2: what the site itself sets stays, and no matcher sees what a client sent", func(t *testing.T) {
		for _, address := range []string{"http://localhost:8080", ":8080"} {
			s := harness.Start(t, head+address+" {\n@admin header X-User mallory\nrespond @admin leaked\nrequest_header /health X-User monitor\n"+
				gate("/orders*")+proxy+"\n}")
			if r := s.Get("/health", forged...); r.Body == "leaked" || describeIdentity(b, t) != "X-User=[monitor]" {
				t.Errorf("%q, the upstream was told %s", r.Body, describeIdentity(b, t))
			}
		}
	})
	t.Run("ID-2: a trailer is no way in", func(t *testing.T) {
		s := harness.Start(t, head+sites["a gate of the site"])
		raw(t, s, "POST /health HTTP/1.1", "Host: localhost", "Connection: close", "Trailer: X-User", "Transfer-Encoding: chunked", "", "1", "x", "0", "X-User: mallory", "", "")
		if request := b.last(t); identityFields(request.Trailer) != nil || request.body != "x" {
			t.Errorf("got %v %q", request.Trailer, request.body)
		}
	})
	t.Run("ID-2: refused where it cannot be kept out", func(t *testing.T) {
		s := harness.Start(t, head+sites["a site of all hosts"])
		err := s.TryReload(head + "&(guarded) {\n" + user + proxy + "\n}\n:8080 {\nroute {\ninvoke /orders* guarded\n" + proxy + "\n}\n}")
		if err == nil || !strings.Contains(err.Error(), "has `forward`") {
			t.Errorf("the error is %v", err)
		}
		s.Get("/health", forged...)
		if identity := describeIdentity(b, t); identity != "" {
			t.Errorf("the upstream was told %s", identity)
		}
	})
}

// TestForgedInJSON has routes that only JSON can express.
func TestForgedInJSON(t *testing.T) {
	b := serve(t, nil)
	proxy := map[string]any{"handler": "reverse_proxy", "upstreams": []any{map[string]any{"dial": b.addr}}}
	gate := map[string]any{"handler": "require_auth", "schemes": []string{"corp"}, "forward": map[string]string{"X-User": "{http.auth.user.id}"}}
	on := func(match map[string]any, handlers ...any) map[string]any {
		return map[string]any{"match": []any{match}, "handle": handlers, "terminal": true}
	}
	path, host := map[string]any{"path": []string{"/orders*"}}, map[string]any{"host": []string{"localhost"}}
	both := map[string]any{"host": []string{"localhost"}, "path": []string{"/orders*"}}
	last := map[string]any{"handle": []any{proxy}}
	for name, routes := range map[string][]any{
		"terminal routes on paths":           {on(path, gate, proxy), last},
		"the open route comes first":         {on(map[string]any{"path": []string{"/health"}}, proxy), on(path, gate, proxy), last},
		"hosts and paths":                    {on(both, gate, proxy), on(host, proxy)},
		"a route of the host in front of it": {on(host, map[string]any{"handler": "subroute", "routes": []any{on(path, gate, proxy), last}}), last},
	} {
		t.Run("ID-2: "+name, func(t *testing.T) {
			config, err := json.Marshal(map[string]any{"apps": map[string]any{
				"auth": map[string]any{"schemes": map[string]any{"corp": map[string]any{"scheme": "bearer", "issuer": harness.Issuer, "audiences": []string{"https://api.example.com"}, "hmac_secret": harness.Secret}}},
				"http": map[string]any{"servers": map[string]any{"a": map[string]any{"listen": []string{":8080"}, "automatic_https": map[string]any{"disable": true}, "routes": routes}}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			s := harness.StartJSON(t, string(config))
			s.Get("/health", forged...)
			if identity := identityFields(b.last(t).Header); identity != nil {
				t.Errorf("the upstream was told %s", identity)
			}
			s.Get("/orders", append(forged, harness.Bearer(harness.Token(t)))...)
			if identity := fmt.Sprint(identityFields(b.last(t).Header)); identity != "[X-User=[alice]]" {
				t.Errorf("past the gate it was told %s", identity)
			}
		})
	}
}
