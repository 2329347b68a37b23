package openapi

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/excorp/caddy-require-auth/integration_test/harness"
	"github.com/excorp/caddy-require-auth/internal/steps"
)

// startGate runs a site whose gate goes by a document. The upstream answers with the user.
func startGate(t *testing.T, document, lines string) *harness.Server {
	t.Helper()
	return harness.Start(t, gatedConfig(t, document, lines))
}

func gatedConfig(t *testing.T, document, lines string) string {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("key-of-partner"))
	return `
{
	auth {
		attempts off
		scope_implies admin me
		bearer corp {` + harness.BearerLines + `}
		api_key api_key {
			from header api_key
			from header X-API-Key
			key partner sha256:` + hex.EncodeToString(digest[:]) + `
		}
		basic ops {
			user alice ` + string(hash) + ` {
				role operator
			}
		}
	}
}
http://localhost:8080 {
	route {
		require_auth corp api_key ops {
			openapi ` + document + `
			` + lines + `
			forward X-User {http.auth.user.id}
		}
		respond "user={http.request.header.X-User} key={http.request.header.X-Api-Key}"
	}
}`
}

// writeDocument writes a document to a file of the test.
func writeDocument(t *testing.T, document string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "openapi.yaml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func token(t *testing.T, scope string) harness.Option {
	t.Helper()
	return harness.Bearer(harness.Token(t, harness.Claims{"sub": "bob", "scope": scope}))
}

var (
	key      = harness.Header("X-Api-Key", "key-of-partner")
	password = harness.Basic("alice", "secret")
)

// credentials are those that a cell of the table names.
func credentials(t *testing.T, cell string) (all []harness.Option) {
	t.Helper()
	for one := range strings.SplitSeq(cell, " + ") {
		kind, scope, _ := strings.Cut(one, " ")
		switch one {
		case "none":
		case "password":
			all = append(all, password)
		case "key":
			all = append(all, key)
		case "invalid token":
			all = append(all, harness.Bearer("a.b.c"))
		case "invalid password":
			all = append(all, harness.Basic("alice", "wrong"))
		case "invalid key":
			all = append(all, harness.Header("X-Api-Key", "wrong"))
		default:
			if kind != "token" {
				t.Fatalf("unknown credential %q", one)
			}
			all = append(all, token(t, scope))
		}
	}
	return all
}

// row is a request and its answer: a status, and on a denial the code.
type row struct {
	name, request string
	options       []harness.Option
	want          string
}

func send(t *testing.T, s *harness.Server, rows []row) {
	t.Helper()
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			t.Helper()
			method, path, _ := strings.Cut(row.request, " ")
			response := s.Do(method, s.URL(path), row.options...)
			got := fmt.Sprint(response.Status)
			switch {
			case response.Status == http.StatusOK && method != http.MethodHead:
				got += " " + response.Body[len("user="):strings.Index(response.Body, " key=")]
			case method != http.MethodHead && strings.HasPrefix(response.Header.Get("Content-Type"), "application/problem"):
				got += " " + response.Problem().Code
			}
			if strings.TrimSpace(got) != row.want {
				t.Errorf("%s: got %s, want %s\n%s", row.request, got, row.want, response.Body)
			}
		})
	}
}

// TestFastAPI goes by what FastAPI 0.92.0 prints for testdata/fastapi.py, and by the same
// as OpenAPI 3.1.0, which later versions print.
func TestFastAPI(t *testing.T) {
	content, err := os.ReadFile("testdata/fastapi.json")
	if err != nil {
		t.Fatal(err)
	}
	later := strings.Replace(string(content), `"openapi": "3.0.2"`, `"openapi": "3.1.0"`, 1)
	for version, document := range map[string]string{"OpenAPI 3.0.2": "testdata/fastapi.json", "OpenAPI 3.1.0": writeDocument(t, later)} {
		t.Run(version, func(t *testing.T) { testFastAPI(t, document) })
	}
}

func testFastAPI(t *testing.T, document string) {
	s := startGate(t, document, "")
	with := func(scope string) []harness.Option { return []harness.Option{token(t, scope)} }
	send(t, s, []row{
		{"public, without a credential", "POST /token", nil, "200"},
		{"public, with an expired token that a client still has", "POST /token", []harness.Option{harness.Bearer("a.b.c")}, "200"},
		{"no credential", "GET /users/me/", nil, "401 missing_credentials"},
		{"the scope", "GET /users/me/", with("me"), "200 bob"},
		{"a scope that implies it", "GET /users/me/", with("admin"), "200 bob"},
		{"another scope", "GET /users/me/", with("items"), "403 insufficient_scope"},
		{"one of two scopes", "GET /users/me/items/", with("items"), "403 insufficient_scope"},
		{"both scopes", "GET /users/me/items/", with("me items"), "200 bob"},
		{"without scopes any token", "GET /status/", with(""), "200 bob"},
		{"an invalid token", "GET /status/", []harness.Option{harness.Bearer("a.b.c")}, "401 invalid_token"},
		{"a credential that the operation does not take", "GET /status/", []harness.Option{key}, "401 missing_credentials"},
		{"the path without the slash at the end, which FastAPI redirects", "GET /users/me", with("me"), "200 bob"},
		{"the same without the scope", "GET /users/me", with("items"), "403 insufficient_scope"},
		{"HEAD as GET", "HEAD /users/me/", with("items"), "403"},
		{"HEAD with the scope", "HEAD /users/me/", with("me"), "200"},
		{"a method of another operation", "POST /users/me/", with("me"), "404"},
		{"a fixed segment has no such method, a parameter has", "DELETE /users/me", with("admin"), "200 bob"},
		{"a parameter", "DELETE /users/7", with("admin"), "200 bob"},
		{"a parameter, with too little", "DELETE /users/7", with("me"), "403 insufficient_scope"},
		{"OPTIONS is not declared", "OPTIONS /users/me/", with("me"), "404"},
		{"not in the document, authenticated", "GET /docs", with("admin"), "404"},
		{"not in the document, unauthenticated", "GET /docs", nil, "401 missing_credentials"},
		{"alternatives, a token", "GET /reports/x", with(""), "200 bob"},
		{"alternatives, a key", "GET /reports/x", []harness.Option{key}, "200 partner"},
		{"alternatives, two credentials", "GET /reports/x", []harness.Option{key, token(t, "reports")}, "400 invalid_request"},
	})
	if log := s.LogText(); !strings.Contains(log, "alternatives all") {
		t.Error("no warning of a scheme that is its own alternative")
	}
	t.Run("alternatives all, as FastAPI means them", func(t *testing.T) {
		s := startGate(t, document+" {\n\t\t\talternatives all\n\t\t}", "")
		send(t, s, []row{
			{"only a token", "GET /reports/x", with("reports"), "401 missing_credentials"},
			{"a token without the scope, and a key", "GET /reports/x", []harness.Option{key, token(t, "")}, "403 insufficient_scope"},
			{"both", "GET /reports/x", []harness.Option{key, token(t, "reports")}, "200 bob"},
		})
	})
}

// TestLargeDocuments has the shapes of two large public documents. The one of GitHub
// has 1,200 operations and no security. The one of Stripe has two alternative schemes
// for 600 paths, and an operation at another server.
func TestLargeDocuments(t *testing.T) {
	var github, stripe strings.Builder
	github.WriteString("openapi: 3.0.3\nservers: [{url: 'https://api.github.com'}]\npaths:\n  /: {get: {}}\n")
	for i := range 300 {
		fmt.Fprintf(&github, "  /repos/{owner}/{repo}/part%d: {get: {}, post: {requestBody: {$ref: '#/components/x'}}}\n  /repos/{owner}/{repo}/part%[1]d/{part_id}: {patch: {}, delete: {}}\n", i)
	}
	stripe.WriteString("openapi: 3.0.0\nservers: [{url: 'https://api.stripe.com/'}]\nsecurity: [{basicAuth: []}, {bearerAuth: []}]\n" +
		"components: {securitySchemes: {basicAuth: {type: http, scheme: basic, description: key}, bearerAuth: {type: http, scheme: bearer, bearerFormat: auth-scheme}}}\n" +
		"paths:\n  /v1/files: {post: {servers: [{url: 'https://files.stripe.com/'}]}}\n")
	for i := range 300 {
		fmt.Fprintf(&stripe, "  /v1/thing%d: {get: {}, post: {}}\n  /v1/thing%[1]d/{id}: {get: {}, post: {}, delete: {}}\n", i)
	}
	t.Run("GitHub", func(t *testing.T) {
		s := startGate(t, writeDocument(t, github.String()), "")
		send(t, s, []row{
			{"no security is public", "DELETE /repos/o/r/part299/7", nil, "200"},
			{"another method", "PUT /repos/o/r/part299/7", nil, "401 missing_credentials"},
			{"not there", "GET /repos/o/r/part300", []harness.Option{token(t, "")}, "404"},
		})
		if !strings.Contains(s.LogText(), "the document requires nothing: each of its operations is public") {
			t.Error("no warning of a document without security")
		}
	})
	t.Run("Stripe", func(t *testing.T) {
		s := startGate(t, writeDocument(t, stripe.String()), "")
		send(t, s, []row{
			{"no credential", "GET /v1/thing299/x", nil, "401 missing_credentials"},
			{"a password", "DELETE /v1/thing299/x", []harness.Option{password}, "200 alice"},
			{"a token", "POST /v1/thing0", []harness.Option{token(t, "")}, "200 bob"},
			{"another server", "POST /v1/files", []harness.Option{password}, "200 alice"},
			{"a key that is in no scheme", "GET /v1/thing0", []harness.Option{key}, "401 missing_credentials"},
		})
		if strings.Contains(s.LogText(), "the document requires nothing") {
			t.Error("a warning for a document with security")
		}
	})
}

// TestManyOperations counts the work of a request, with few operations and with many.
func TestManyOperations(t *testing.T) {
	caller := token(t, "")
	cost := func(resources int) int64 {
		var document strings.Builder
		document.WriteString("openapi: 3.1.0\ncomponents: {securitySchemes: {corp: {type: http, scheme: bearer}}}\nsecurity: [{corp: []}]\npaths:\n")
		for i := range resources {
			fmt.Fprintf(&document, "  /v1/thing%04d: {get: {}, post: {}}\n  /v1/thing%04[1]d/{id}: {get: {}, delete: {}}\n  /v1/jobs/{id}:stop%04[1]d: {post: {}}\n  /v1/Thing%04[1]d({id})/parts: {get: {}}\n", i)
		}
		s := startGate(t, writeDocument(t, document.String()), "")
		send := func() {
			for request, want := range map[string]int{"DELETE /v1/thing%04d/7": 200, "POST /v1/jobs/7:stop%04d": 200, "GET /v1/Thing%04d(7)/parts": 200, "GET /v1/thing%04d/7/8": 404} {
				method, path, _ := strings.Cut(fmt.Sprintf(request, resources-1), " ")
				if got := s.Do(method, s.URL(path), caller); got.Status != want {
					t.Errorf("%s %s: %d %s", method, path, got.Status, got.Body)
				}
			}
		}
		send() // the token is verified once
		return steps.Of(send)
	}
	few, many := cost(2), cost(2000)
	if few == 0 || many != few {
		t.Errorf("%d steps with 12 operations, %d with 12,000", few, many)
	}
}

// TestScopesOfResource has the scopes of a document in the metadata of the resource.
func TestScopesOfResource(t *testing.T) {
	path := writeDocument(t, "openapi: 3.1.0\npaths:\n  /x: {get: {security: [{corp: [read]}, {corp: [write]}]}}\n  /y: {get: {security: [{corp: [admin]}]}}\n  /z: {get: {}}\ncomponents: {securitySchemes: {corp: {type: oauth2, flows: {}}}}\n")
	config := strings.Replace(gatedConfig(t, path, "protected_resource https://api.example.com"), "route {", "", 1)
	config = strings.Replace(config, "respond \"user={http.request.header.X-User} key={http.request.header.X-Api-Key}\"\n\t}", "respond ok", 1)
	s := harness.Start(t, config)
	scopes := func(want string) bool {
		return strings.Contains(s.Get("/.well-known/oauth-protected-resource").Body, `"scopes_supported":`+want)
	}
	if !scopes(`["admin","read","write"]`) {
		t.Errorf("%s", s.Get("/.well-known/oauth-protected-resource").Body)
	}
	s.Get("/y").Want(401, "missing_credentials", `Bearer realm="api", scope="admin", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource"`)
	content, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(strings.Replace(string(content), "[admin]", "[chief]", 1)), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	harness.Eventually(t, "the scopes of the next version", func() bool { return scopes(`["chief","read","write"]`) })
}

func TestPetstore(t *testing.T) {
	s := startGate(t, "testdata/petstore.yaml", "")
	with := func(scope string) []harness.Option { return []harness.Option{token(t, scope)} }
	send(t, s, []row{
		{"below the first server", "GET /v2/pet/findByStatus", with("read:pets"), "200 bob"},
		{"below the second server", "GET /v1/pet/findByStatus", with("read:pets"), "200 bob"},
		{"below no server", "GET /pet/findByStatus", with("read:pets"), "404"},
		{"a fixed segment before a parameter", "GET /v2/pet/findByStatus", []harness.Option{key}, "401 missing_credentials"},
		{"an alternative", "GET /v2/pet/7", []harness.Option{key}, "200 partner"},
		{"two scopes", "POST /v2/pet", with("write:pets"), "403 insufficient_scope"},
		{"an anchor of YAML", "DELETE /v2/pet/7", with("write:pets read:pets"), "200 bob"},
		{"a server of the path", "POST /upload/pet/7/uploadImage", with("write:pets read:pets"), "200 bob"},
		{"not the server of the document", "POST /v2/pet/7/uploadImage", with("write:pets read:pets"), "404"},
		{"a path by reference, with the security of the document", "GET /v2/store/inventory", []harness.Option{key}, "200 partner"},
		{"the same with another credential", "GET /v2/store/inventory", with(""), "401 missing_credentials"},
		{"security of the document", "GET /v2/store/order/1", []harness.Option{key}, "200 partner"},
		{"an empty list is public", "GET /v2/user/logout", nil, "200"},
		{"a slash at the end", "GET /v2/pet/findByStatus/", with("read:pets"), "200 bob"},
		{"an encoded letter", "GET /v2/pet/findBy%53tatus", with("read:pets"), "200 bob"},
		{"an encoded letter, with the credential of the parameter", "GET /v2/pet/findBy%53tatus", []harness.Option{key}, "401 missing_credentials"},
		{"an encoded slash", "GET /v2/store%2Forder/1", []harness.Option{key}, "404"},
		{"a doubled slash", "GET /v2/pet//7", []harness.Option{key}, "404"},
		{"dots", "GET /v2/user/../pet/7", []harness.Option{key}, "404"},
	})
}

// securityRows reads the table of docs/decisions.md.
func securityRows(t *testing.T) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(page), "| case | `security` |")
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) == 4 && !strings.Contains(line, "---") {
			rows = append(rows, []string{strings.TrimSpace(cells[0]), strings.Trim(cells[1], "`"), cells[2], strings.TrimSpace(cells[3])})
		}
	}
	if len(rows) < 30 {
		t.Fatalf("%d rows", len(rows))
	}
	return rows
}

// TestSecurity is what security means in OpenAPI, as a table.
func TestSecurity(t *testing.T) {
	var document strings.Builder
	document.WriteString("openapi: 3.1.0\nsecurity: [{Token: [root]}]\ncomponents:\n  securitySchemes:\n" +
		"    Token: {type: openIdConnect, openIdConnectUrl: https://idp.example.com}\n    Key: {type: apiKey, in: header, name: x-api-key}\n    Password: {type: http, scheme: basic}\npaths:\n")
	paths := make(map[string]string) // by security
	var rows []row
	for _, cells := range securityRows(t) {
		if paths[cells[1]] == "" {
			paths[cells[1]] = fmt.Sprint("/", len(paths))
			operation := "security: " + cells[1]
			if cells[1] == "not written" {
				operation = ""
			}
			fmt.Fprintf(&document, "  %s: {get: {%s}}\n", paths[cells[1]], operation)
		}
		rows = append(rows, row{cells[0], "GET " + paths[cells[1]], credentials(t, cells[2]), cells[3]})
	}
	s := startGate(t, writeDocument(t, document.String()), "")
	send(t, s, rows)
	inherited, either, both := paths["not written"], paths["[{Token: [read]}, {Password: []}]"], paths["[{Password: [operator], Key: []}]"]
	optional := paths["[{Token: [read]}, {}]"]
	options := func(all ...harness.Option) []harness.Option { return all }
	t.Run("challenges are of the schemes that the operation takes", func(t *testing.T) {
		s.Get(inherited).Want(401, "missing_credentials", `Bearer realm="api", scope="root"`)
		s.Get(either).Want(401, "missing_credentials", `Bearer realm="api", scope="read"`, `Basic realm="api", charset="UTF-8"`)
		s.Get(inherited, token(t, "read")).Want(403, "insufficient_scope",
			`Bearer realm="api", error="insufficient_scope", scope="root", error_description="The access token lacks a required scope"`)
	})
	t.Run("the lines of the gate apply on top", func(t *testing.T) {
		s := startGate(t, writeDocument(t, document.String()), "user bob\n")
		send(t, s, []row{
			{"another user", "GET " + either, options(password), "403 access_denied"},
			{"the user", "GET " + either, options(token(t, "read")), "200 bob"},
			{"no operation is public", "GET " + paths["[]"], nil, "401 missing_credentials"},
			{"public in the document", "GET " + paths["[]"], options(token(t, "")), "200 bob"},
			{"optional in the document", "GET " + optional, nil, "401 missing_credentials"},
			{"a combination is of its first scheme", "GET " + both, options(password, key), "403 access_denied"},
		})
	})
	t.Run("strip_credentials strips all of them", func(t *testing.T) {
		s := startGate(t, writeDocument(t, document.String()), "strip_credentials\n")
		for path, all := range map[string][]harness.Option{both: {password, key}, paths["[]"]: {key}} {
			if response := s.Get(path, all...); !strings.HasSuffix(response.Body, "key=") {
				t.Errorf("%s: %d %q", path, response.Status, response.Body)
			}
		}
	})
}

func TestUndeclared(t *testing.T) {
	const document = `
openapi: 3.1.0
paths:
  /public: {get: {security: []}}
  /admin: {get: {security: [{corp: [admin]}]}}
components: {securitySchemes: {corp: {type: http, scheme: bearer}}}
`
	path := writeDocument(t, strings.ReplaceAll(document, "corp: [admin]", "corp: [admin]"))
	for setting, want := range map[string]string{"404": "404", "403": "403 access_denied", "allow": "200 bob"} {
		t.Run(setting, func(t *testing.T) {
			s := startGate(t, path+" {\n\t\t\tundeclared "+setting+"\n\t\t}", "")
			send(t, s, []row{
				{"unauthenticated", "GET /other", nil, "401 missing_credentials"},
				{"authenticated", "GET /other", []harness.Option{token(t, "")}, want},
			})
			for _, spelling := range []string{"//admin", "/./admin", "/public/../admin", "/public/%2e%2e/admin", "/x%2F..%2Fadmin", "/admin;x=1", "/ADMIN", `/%5Cadmin`, "/%2561dmin", "/admin%00"} {
				response := s.Get(spelling, token(t, ""))
				if hidden := strings.TrimSuffix(strings.Replace(want, "200 bob", "404", 1), " access_denied"); fmt.Sprint(response.Status) != hidden {
					t.Errorf("%s: %d %s", spelling, response.Status, response.Body)
				}
			}
			if response := s.Get("/public", harness.Header("X-HTTP-Method-Override", "DELETE"), token(t, "")); response.Status == 200 {
				t.Errorf("an override of the method passes: %d", response.Status)
			}
		})
	}
}

// TestDocumentChanges has a file that changes, breaks and is mended.
func TestDocumentChanges(t *testing.T) {
	const document = "openapi: 3.1.0\npaths: {/x: {get: {security: [{corp: [SCOPE]}]}}}\ncomponents: {securitySchemes: {corp: {type: http, scheme: bearer}}}\n"
	one, two := strings.Replace(document, "[SCOPE]", "[]", 1), strings.Replace(document, "[SCOPE]", "[chief]", 1)
	path := writeDocument(t, one)
	s := harness.StartWithAdmin(t, gatedConfig(t, path, "role clerk\n"))
	current := func() string {
		response := s.Do(http.MethodGet, s.AdminURL("/metrics"))
		for line := range strings.Lines(response.Body) {
			if strings.HasPrefix(line, "caddy_auth_openapi_current{") {
				return strings.TrimSpace(line[strings.LastIndex(line, " "):])
			}
		}
		return "none"
	}
	clerk := harness.Bearer(harness.Token(t, harness.Claims{"sub": "bob", "roles": []string{"clerk"}}))
	if status := s.Get("/x", clerk).Status; status != 200 || current() != "1" {
		t.Fatalf("%d, %s", status, current())
	}
	change := func(content string, status int, metric string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		harness.Eventually(t, content, func() bool { return s.Get("/x", clerk).Status == status && current() == metric })
	}
	change(two, 403, "1")
	change("openapi: 3.1.0\npaths: [broken\n", 403, "0")
	change(strings.Replace(two, "corp:", "unknown:", 1), 403, "0")
	harness.Eventually(t, "the place of the error in the log", func() bool { return strings.Contains(s.LogText(), `line 2, paths[\"/x\"].get.security[0]`) })
	change(one, 200, "1")
}

func TestDocumentAtURL(t *testing.T) {
	const document = `{"openapi": "3.2.0", "servers": [{"url": "./v1"}], "paths": {"/x": {"get": {"security": [{"corp": []}]}}}, "components": {"securitySchemes": {"corp": {"type": "http", "scheme": "bearer"}}}}`
	var answer atomic.Value
	answer.Store("")
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect to another host is followed") }))
	defer elsewhere.Close()
	provider := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch text := answer.Load().(string); text {
		case "":
			w.WriteHeader(http.StatusBadGateway)
		case "redirect":
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
		case "large":
			w.Write([]byte("{" + strings.Repeat(" ", 17<<20) + "}"))
		default:
			fmt.Fprint(w, text)
		}
	}))
	defer provider.Close()
	config := gatedConfig(t, provider.URL+"/api/openapi.json {\n\t\t\trefresh 1s\n\t\t}", "")
	s := harness.Start(t, config)
	status := func(path string) int { return s.Get(path, token(t, "")).Status }
	if got := status("/api/v1/x"); got != 503 {
		t.Errorf("without a document: %d", got)
	}
	answer.Store(document)
	harness.Eventually(t, "the document", func() bool { return status("/api/v1/x") == 200 })
	for _, broken := range []string{"redirect", "large", "[1]", strings.Replace(document, "corp", "Corp", 1)} {
		answer.Store(broken)
		before := strings.Count(s.LogText(), "the OpenAPI document cannot be used")
		harness.Eventually(t, "a record of "+broken, func() bool { return strings.Count(s.LogText(), "the OpenAPI document cannot be used") > before })
		if got := status("/api/v1/x"); got != 200 {
			t.Errorf("%s: %d", broken, got)
		}
	}
	t.Run("a reload has the last good version at once", func(t *testing.T) {
		s.Reload(strings.Replace(config, "forward X-User", "forward X-Other", 1))
		if got := status("/api/v1/x"); got != 200 {
			t.Errorf("got %d", got)
		}
	})
	answer.Store(strings.Replace(document, "/x", "/y", 1))
	harness.Eventually(t, "the next version", func() bool { return status("/api/v1/y") == 200 })
}

// anchors is a document whose aliases stand for ten times as many values with each step.
func anchors(steps int) string {
	var b strings.Builder
	b.WriteString("openapi: 3.1.0\nx0: &x0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range steps {
		fmt.Fprintf(&b, "x%d: &x%[1]d [%s]\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i), 10), ", "))
	}
	fmt.Fprintf(&b, "paths: {/x: {get: {x-y: *x%d}}}\n", steps)
	return b.String()
}

// TestLaterVersions has versions of a file that no configuration would load.
func TestLaterVersions(t *testing.T) {
	const good = "openapi: 3.1.0\npaths: {/x: {get: {security: [{corp: [me]}]}}}\ncomponents: {securitySchemes: {corp: {type: http, scheme: bearer}}}\n"
	first := strings.Replace(good, "[me]", "[]", 1)
	path := writeDocument(t, first)
	s := harness.StartWithAdmin(t, gatedConfig(t, path, ""))
	current := func(want string) func() bool {
		return func() bool {
			return strings.Contains(s.Do(http.MethodGet, s.AdminURL("/metrics")).Body, "caddy_auth_openapi_current{document=\""+path+"\"} "+want+"\n")
		}
	}
	write := func(content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct{ document, says string }{
		"references in a circle":       {"openapi: 3.1.0\npaths:\n  /x: {$ref: '#/paths/~1y'}\n  /y: {$ref: '#/paths/~1x'}\n", `line 3, paths[\"/x\"]: the references form a circle`},
		"a reference to a file":        {"openapi: 3.1.0\npaths:\n  /x: {$ref: 'other.yaml#/x'}\n", `line 3, paths[\"/x\"].$ref: references to other documents are not followed`},
		"paths that differ in names":   {"openapi: 3.1.0\npaths:\n  /x/{a}: {get: {}}\n  /x/{b}: {put: {}}\n", `line 4, paths[\"/x/{b}\"]`},
		"50 MiB":                       {"openapi: 3.1.0\n#" + strings.Repeat(" ", 50<<20), "over 16777216 bytes"},
		"anchors that grow":            {anchors(9), "line 2: more than 1000000 values"},
		"nothing, as of a broken copy": {"", "the document is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			write(c.document)
			harness.Eventually(t, "the metric says that the version is invalid", current("0"))
			if log := s.LogText(); !strings.Contains(log, c.says) {
				t.Errorf("the log does not say %s", c.says)
			}
			if got := s.Get("/x", token(t, "")).Status; got != 200 {
				t.Errorf("the last good version does not stay: %d", got)
			}
			write(good)
			harness.Eventually(t, "the metric says that the version is good", current("1"))
			write(first)
			harness.Eventually(t, "the first version", func() bool { return s.Get("/x", token(t, "")).Status == 200 })
		})
	}
}

// TestNothingIsFetched has a document that refers to another host wherever it can, and to
// a file.
func TestNothingIsFetched(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { t.Errorf("%s is fetched", r.URL) }))
	defer elsewhere.Close()
	const document = `
openapi: 3.1.0
$schema: URL/schema
jsonSchemaDialect: URL/dialect
externalDocs: {url: URL/docs}
info: {title: x, version: "1", termsOfService: URL/terms}
paths:
  /x:
    parameters: [{$ref: URL/parameter}]
    get:
      security: [{corp: []}]
      requestBody: {$ref: 'URL/body#/x'}
      responses: {"200": {$ref: URL/response}, "201": {content: {a/b: {schema: {$ref: other.yaml}, examples: {y: {externalValue: URL/example}}}}}}
      callbacks: {done: {$ref: URL/callback}}
webhooks: {w: {$ref: URL/webhook}}
components:
  schemas: {s: {$ref: URL/schema2, $id: URL/id}}
  securitySchemes:
    corp: {type: openIdConnect, openIdConnectUrl: URL/.well-known/openid-configuration}
    other: {$ref: URL/scheme}
`
	text := strings.ReplaceAll(document, "URL", elsewhere.URL)
	path := writeDocument(t, text)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "other.yaml"), []byte("get: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startGate(t, path, "")
	send(t, s, []row{
		{"without a credential", "GET /x", nil, "401 missing_credentials"},
		{"with a token", "GET /x", []harness.Option{token(t, "")}, "200 bob"},
	})
	for position, change := range map[string]string{"a path at another host": "  /y: {$ref: URL/path}\n", "a path in a file": "  /y: {$ref: other.yaml}\n"} {
		t.Run(position, func(t *testing.T) {
			changed := strings.ReplaceAll(strings.Replace(document, "webhooks:", change+"webhooks:", 1), "URL", elsewhere.URL)
			err := s.TryReload(gatedConfig(t, writeDocument(t, changed), ""))
			if err == nil || !strings.Contains(err.Error(), `paths["/y"].$ref: references to other documents are not followed`) {
				t.Error(err)
			}
		})
	}
}

// TestDocumentRefused has documents with which no configuration loads.
func TestDocumentRefused(t *testing.T) {
	const (
		head = "openapi: 3.1.0\npaths:\n  /x: {get: {security: [{Token: []}]}}\n  /y: {get: {security: [{Other: []}]}}\ncomponents:\n  securitySchemes:\n    Token: "
		tail = "\n    Other: {type: http, scheme: basic}\n"
	)
	s := startGate(t, writeDocument(t, head+"{type: http, scheme: bearer}"+tail), "")
	for _, c := range []struct{ name, document, lines, want string }{
		{"broken YAML", "openapi: 3.1.0\npaths: [x\n", "", "yaml: line "},
		{"references in a circle", "openapi: 3.1.0\npaths:\n  /x: {$ref: '#/paths/~1x'}\n", "", `line 3, paths["/x"]: the references form a circle`},
		{"a reference to a file", "openapi: 3.1.0\npaths:\n  /x: {$ref: '/etc/passwd'}\n", "", "references to other documents are not followed"},
		{"a reference to another host", "openapi: 3.1.0\npaths:\n  /x: {$ref: 'http://localhost:1/x'}\n", "", "references to other documents are not followed"},
		{"paths that differ in names", "openapi: 3.1.0\npaths:\n  /x/{a}: {get: {}}\n  /x/{b}: {put: {}}\n", "", `openapi.yaml: line 4, paths["/x/{b}"]: the path differs from "/x/{a}" in line 3 at most in the names of parameters, so OpenAPI forbids both: write all operations below one of them`},
		{"over 16 MiB", "openapi: 3.1.0\n#" + strings.Repeat(" ", 16<<20), "", "openapi.yaml: over 16777216 bytes"},
		{"50 MiB", "openapi: 3.1.0\npaths:\n" + strings.Repeat("  /x: {get: {}}\n", 50<<20/16), "", "openapi.yaml: over 16777216 bytes"},
		{"anchors that grow", anchors(9), "", "openapi.yaml: line 2: more than 1000000 values"},
		{"an anchor that holds itself", "openapi: 3.1.0\npaths: &a {/x: *a}\n", "", "openapi.yaml: "},
		{"a credential that no scheme takes", head + "{type: http, scheme: digest}" + tail, "", "line 7, components.securitySchemes[\"Token\"]: no scheme of the gate takes such a credential (http digest): write `scheme Token <scheme>`"},
		{"a key in another field", head + "{type: apiKey, in: query, name: key}" + tail, "", "no scheme of the gate takes such a credential (apiKey query key)"},
		{"a scheme of the name that takes something else", strings.ReplaceAll(head+"{type: apiKey, in: header, name: X-API-Key}"+tail, "Token", "corp"), "", "the scheme corp of the gate takes another kind of credential"},
		{"several schemes for several", strings.Replace(head+"{type: oauth2, flows: {}}"+tail, "{type: http, scheme: basic}", "{type: http, scheme: bearer}", 1), "second", "it is unclear which scheme of the gate counts: write `scheme Other <scheme>`"},
		{"a scheme that is not in the document", head + "{type: http, scheme: bearer}" + tail, "scheme Missing corp", "scheme Missing: no operation of the document uses it"},
		{"a scheme that the gate has not", head + "{type: http, scheme: bearer}" + tail, "scheme Token nobody", "scheme Token: the gate has no scheme nobody"},
		{"an invalid scope", strings.Replace(head+"{type: oauth2, flows: {}}"+tail, "Token: []", `Token: ["a b"]`, 1), "", `invalid scope "a b"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			document, lines := writeDocument(t, c.document), ""
			switch {
			case c.lines == "second":
				lines = "bearer second {" + harness.BearerLines + "}"
			case c.lines != "":
				document += " {\n\t\t\t" + c.lines + "\n\t\t}"
			}
			err := s.TryReload(gatedConfig(t, document, lines))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if status := s.Get("/y", password).Status; status != 200 {
				t.Errorf("what ran before does not go on: %d", status)
			}
		})
	}
	t.Run("a scheme by its name in the document", func(t *testing.T) {
		s.Reload(gatedConfig(t, writeDocument(t, head+"{type: http, scheme: digest}"+tail)+" {\n\t\t\tscheme Token corp api_key\n\t\t}", ""))
		send(t, s, []row{
			{"one", "GET /x", []harness.Option{token(t, "")}, "200 bob"},
			{"the other", "GET /x", []harness.Option{key}, "200 partner"},
			{"neither", "GET /x", []harness.Option{password}, "401 missing_credentials"},
		})
	})
}

// TestStreamOfCombination has a response that ends with the second credential.
func TestStreamOfCombination(t *testing.T) {
	const document = "openapi: 3.1.0\npaths: {/x: {get: {security: [{Token: [], Key: []}]}}}\ncomponents: {securitySchemes: {Token: {type: http, scheme: bearer}, Key: {type: apiKey, in: header, name: X-API-Key}}}\n"
	started := make(chan struct{})
	events := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		close(started)
		<-r.Context().Done()
	}))
	defer events.Close()
	config := gatedConfig(t, writeDocument(t, document), "end_streams\n")
	config = strings.Replace(config, `respond "user={http.request.header.X-User} key={http.request.header.X-Api-Key}"`, "reverse_proxy "+events.Listener.Addr().String()+" {\n\t\t\tflush_interval -1\n\t\t}", 1)
	s := harness.StartWithAdmin(t, config)
	ended := make(chan error)
	go func() {
		r, _ := http.NewRequest(http.MethodGet, s.URL("/x"), nil)
		token(t, "")(r)
		key(r)
		response, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = response.Body.Read(make([]byte, 1))
		}
		ended <- err
	}()
	<-started
	s.Do(http.MethodPost, s.AdminURL("/auth/revocations"), harness.Body("application/json", `{"sub": "partner"}`))
	if err := <-ended; err == nil {
		t.Error("the stream goes on")
	}
}
